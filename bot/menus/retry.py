"""[Try again]: what did not work is asked once more, by whoever asked it, once; every approval is asked anew."""

from bot.menus.desk import Desk, Request
from bot.menus.menu import page
from bot.screen.view import View
from memory.models import Run


@page("retry")
async def retry(desk: Desk, request: Request, rest: str) -> View | None:
    """Say the line again, or put the stored call again; a button that was used, or is another's, does nothing."""
    run = await desk.stores.runs.get(rest)
    if run is not None and (run.conversation, run.actor.id) == (request.conversation, request.actor.id):
        await _again(desk, request, run)
    return None


async def _again(desk: Desk, request: Request, run: Run) -> None:
    trigger = f"retry:{run.id}"
    if run.thinks:
        await desk.opener.repeat(run, trigger=trigger)
        return
    messages = await desk.stores.runs.messages(run.id)
    uses = [block for message in messages for block in message["content"] if block["type"] == "tool_use"]
    if len(uses) == 1 and run.undo_of is None:  # an Undo has its own button, which comes back
        await desk.opener.direct(
            run.conversation, request.actor, run.objective, uses[0]["name"], uses[0]["input"],
            trigger=trigger, opened_by="button", tainted=run.tainted,
        )  # fmt: skip
