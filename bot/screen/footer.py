"""The line under an answer, written by code from the journal: what was read and what was changed."""

from bot.screen.courtesy import only_courtesy
from bot.screen.view import counted
from memory.models import FIND, CallRow, CallState, Message
from memory.runs import final_text
from memory.stores import Stores
from tools.gate.results import is_refusal

DID_NOT_WORK = "did not work"


async def footer(stores: Stores, run: str) -> str:
    """`3 reads · 1 change ✓`; empty under mere courtesy.

    Under every other answer, also one that called no tool: whatever that one claims to have done, in whatever
    language, the line below it says that nothing was looked up and nothing was changed.
    """
    looked = await stores.held.of_run(run)
    rows = [row for row in await stores.journal.of_run(run) if row.id not in looked]
    messages = await stores.runs.messages(run)
    reads, refused, failed = _calls(messages, {row.id for row in rows}, run)
    idle = not (reads or rows or refused or failed)
    if idle and await _courteous(stores, run, messages):
        return ""
    parts = [counted(reads, "read")] if reads else ["nothing was looked up"] if idle else []
    parts += [f"{refused} refused"] if refused else []
    parts += [f"{failed} {DID_NOT_WORK}"] if failed else []
    return f"*{' · '.join([*parts, *_changes(rows)])}*"


async def _courteous(stores: Stores, run: str, messages: list[Message]) -> bool:
    asked = await stores.runs.get(run)
    return asked is not None and asked.error is None and only_courtesy(asked.objective, final_text(messages))


def _calls(messages: list[Message], changes: set[str], run: str) -> tuple[int, int, int]:
    """How many calls looked at something, how many were refused, and how many failed: invalid, not answered."""
    blocks = [(place, block) for place, message in enumerate(messages, 1) for block in message["content"]]
    results = [(place, block) for place, block in blocks if block["type"] == "tool_result"]
    bad = {(place, block["tool_use_id"]): block["content"] for place, block in results if block.get("is_error")}
    uses = [
        (place, block["id"])
        for place, block in blocks
        if block["type"] == "tool_use" and block["name"] != FIND and f"{run}:{place}:{block['id']}" not in changes
    ]
    said = [bad[place + 1, use] for place, use in uses if (place + 1, use) in bad]  # the results are the next message
    refused = sum(map(is_refusal, said))
    return len(uses) - len(said), refused, len(said) - refused


def _changes(rows: list[CallRow]) -> list[str]:
    """What the changes came to; one that failed was refused or never sent."""
    ran = [row for row in rows if row.state in (CallState.DONE, CallState.UNKNOWN)]
    unsure = sum(1 for row in ran if row.state is CallState.UNKNOWN)
    unproven = sum(1 for row in ran if row.state is CallState.DONE and not row.verified)
    failed = sum(1 for row in rows if row.state is CallState.FAILED)
    parts = [f"{counted(failed, 'change')} failed"] if failed else []
    if not ran:
        return [*parts, "nothing was changed"]
    doubts = [f"{unproven} not verified"] if unproven else []
    doubts += [f"{unsure} with unknown outcome"] if unsure else []
    return [f"{counted(len(ran), 'change')}{', ' if doubts else ' '}{' and '.join(doubts) or '✓'}", *parts]
