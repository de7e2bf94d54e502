"""An answer that comes late says which question it answers; one that stands right below it does not."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lab.telegram.state import ADMIN, Message
from tests.fakes import Held, use
from tests.live import Live

GROUP = -100


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[Live]:
    async with Live(tmp_path, group=GROUP) as live:
        await live.alive()
        await live.until(lambda: live.telegram.bot._bot_user, "our own name")
        yield live


def answers(message: Message) -> int | None:
    """The message that one of ours is shown to answer."""
    found: int | None = message.content.get("reply_to")
    return found


def slowly(live: Live, words: str) -> asyncio.Event:
    """The next answer of the model comes when this is set."""
    gate = Held(words)
    live.model.script.append(gate)
    return gate


async def test_right_below_its_question_an_answer_is_plain(live: Live) -> None:
    live.model.script += [[use("docker_stop_container", container="nas/jellyfin")], "It is off."]
    card = await live.write("stop jellyfin", "Stop jellyfin")
    assert await live.press_as(card, card.button("Stop jellyfin")) == "Approved."
    assert answers(await live.hear("It is off")) is None and answers(card) is None, "its own card stands not between"
    assert answers(await live.write("/cost", "today")) is None


async def test_whatever_was_said_meanwhile_parts_them(live: Live) -> None:
    gate = slowly(live, "the first answer")
    first = live.say_as("first question")
    await live.until(lambda: live.model.asked, "the model to be asked")
    assert answers(await live.write("/cost", "today")) is None
    live.model.script.append("the second answer")
    second = live.say_as("second question")
    await live.until(lambda: live.stores.database.one("SELECT 1 FROM runs WHERE message = ?", second.message_id), "it")
    gate.set()
    assert answers(await live.hear("the second answer")) == second.message_id
    assert answers(await live.hear("the first answer")) == first.message_id


async def test_a_command_between_is_enough(live: Live) -> None:
    gate = slowly(live, "the answer")
    question = live.say_as("question")
    await live.write("/cost", "today")
    gate.set()
    assert answers(await live.hear("the answer")) == question.message_id


async def test_so_does_time(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.telegram.delivery.LATE_SECONDS", -1.0)
    live.model.script.append([use("docker_stop_container", container="nas/jellyfin")])
    question = live.say_as("stop jellyfin")
    card = await live.hear("Stop jellyfin")
    assert answers(card) == question.message_id
    live.model.script.append(RuntimeError("it breaks"))
    broken = live.say_as("and now?")
    assert answers(await live.hear("Something broke")) == broken.message_id


async def test_of_a_long_answer_only_the_first_message_says_so(live: Live) -> None:
    gate = slowly(live, "\n\n".join(f"line {number} " + "word " * 40 for number in range(60)))
    question = live.say_as("question")
    await live.write("/cost", "today")
    gate.set()
    await live.hear("line 59")
    pieces = [message for message in live.lab.telegram.sent(ADMIN) if "word word" in message.text]
    assert [answers(piece) for piece in pieces] == [question.message_id, *[None] * (len(pieces) - 1)] and pieces[1:]


@pytest.mark.parametrize("how", ["deleted", "refused"])
async def test_it_arrives_though_its_question_is_gone(live: Live, how: str) -> None:
    gate = slowly(live, "the answer")
    question = live.say_as("question")
    await live.write("/cost", "today")
    if how == "deleted":
        question.deleted = True
    else:
        body = json.dumps(
            {"ok": False, "error_code": 400, "description": "Bad Request: message to be replied not found"}
        )
        live.lab.traffic.fault("telegram", path="/sendMessage$", status=400, body=body)
    gate.set()
    assert answers(await live.hear("the answer")) is None


async def test_in_a_group_others_may_have_spoken_unheard(live: Live) -> None:
    live.say_as("@rackhand_bot how is it?", chat=GROUP)
    question = live.lab.telegram.messages(GROUP)[-1]
    assert answers(await live.hear("Done", GROUP)) == question.message_id
    live.say_as("/cost", chat=GROUP)
    assert answers(await live.hear("today", GROUP)) is None


async def test_a_question_of_another_chat_is_never_answered_here(live: Live) -> None:
    gate = slowly(live, "the answer")
    live.say_as("question")
    await live.until(lambda: live.model.asked, "the model to be asked")
    live.say_as("/cost", chat=GROUP)
    await live.hear("today", GROUP)
    gate.set()
    assert answers(await live.hear("the answer")) is None, "what is said elsewhere stands not between"
