"""What comes in several updates and is one message: pastes and albums, joined once, whatever happens in between."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.runs.opener import LONGEST_LINE
from bot.telegram.dispatch import MOST_QUEUED, TEXT_ONLY, TOO_MANY
from bot.telegram.parts import LONGEST_HOLD, MOST_PARTS, NEAR_LIMIT, QUIET_SECONDS, Parts
from lab.telegram.client import parts_of
from lab.telegram.state import ADMIN, OPERATOR
from memory.stores import Stores
from tests.fakes import Held
from tests.lab.telegram import PIXEL
from tests.live import Live

LOG = "\n".join(f"{number:04d} worker {number % 7} restarted the queue and went on" for number in range(210))
"""Three messages."""
assert 9000 < len(LOG) < 10_000 and len(parts_of(LOG)) == 3

# -- which belong together -------------------------------------------------------------------------------------------


def an_update(text: Any, **fields: Any) -> dict[str, Any]:
    chat, person = {"id": 7, "type": "private"}, {"id": 7, "is_bot": False, "first_name": "A"}
    return {"message": {"message_id": 1, "date": 100, "chat": chat, "from": person, "text": text, **fields}}


class Sorted:
    """Parts with a clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 50.0
        self.hearing: float | None = 1.0
        self.parts = Parts({"stop"}, lambda: self.hearing, lambda: self.now)

    def __call__(self, *updates: dict[str, Any]) -> list[tuple[int, ...]]:
        """The numbers of the updates that are ready, together with what they belong to."""
        ready, self.again = self.parts.sort([(n, json.dumps(u)) for n, u in enumerate(updates)])
        self.ready = ready
        return [parcel.updates for parcel in ready]


LONG, END = "x" * 4096, "and this is the end"


def test_only_what_is_near_the_limit_waits_for_more() -> None:
    parts = Sorted()
    assert parts(an_update("hello"), an_update("x" * (NEAR_LIMIT - 1))) == [(0,), (1,)]
    assert parts(an_update(LONG)) == [] and parts.again == QUIET_SECONDS
    parts.now += QUIET_SECONDS / 2
    assert parts(an_update(LONG), an_update(LONG)) == []
    parts.now += QUIET_SECONDS / 2
    assert parts(an_update(LONG), an_update(LONG)) == [] and parts.again == QUIET_SECONDS / 2, "the last one counts"
    assert parts(an_update(LONG), an_update(LONG), an_update(END), an_update("next")) == [(0, 1, 2), (3,)]
    assert json.loads(parts.ready[0].raw)["message"]["text"] == LONG + LONG + END


def test_what_may_have_been_sent_and_not_arrived_is_waited_for_longer() -> None:
    parts, parts_sent = Sorted(), an_update(LONG)
    parts.hearing = None
    assert parts(parts_sent) == []
    parts.now += LONGEST_HOLD - 1.0
    assert parts(parts_sent) == []
    parts.hearing = parts.now
    assert parts(parts_sent) == [] and parts.again == 1.0
    parts.now += 1.0
    assert parts(parts_sent) == [(0,)], "but not for ever"


@pytest.mark.parametrize(
    "other",
    [
        {"text": END, "date": 106},
        {"text": END, "date": 99},
        {"text": END, "forward_origin": {"type": "hidden_user"}},
        {"text": END, "via_bot": {"id": 1}},
        {"text": "/stop now", "entities": [{"type": "bot_command", "offset": 0, "length": 5}]},
        {"text": END, "reply_to_message": {"message_id": 5}},
        {"text": END, "chat": {"id": -8, "type": "supergroup"}},
        {"text": END, "from": {"id": 8}},
        {"text": END, "message_thread_id": 4, "is_topic_message": True},
        {"text": 7},
        {"caption": END, "text": None},
        {"text": END, "media_group_id": "1"},
    ],
)
def test_what_is_no_rest_of_it(other: dict[str, Any]) -> None:
    parts = Sorted()
    [*_, last] = parts(an_update(LONG), an_update(**{"text": "", **other}), {"message": []}, {"callback_query": {}})
    assert last == (3,)
    parts.now += 2 * QUIET_SECONDS
    assert parts(an_update(LONG), an_update(**{"text": "", **other}))[0] == (0,)


def test_an_unknown_command_is_how_a_path_may_begin() -> None:
    path = {"entities": [{"type": "bot_command", "offset": 0, "length": 4}]}
    assert Sorted()(an_update(LONG), an_update("/etc is full", **path)) == [(0, 1)]


def test_a_command_may_begin_it_and_marks_move_along() -> None:
    begins, names = {"type": "bot_command", "offset": 0, "length": 5}, {"type": "mention", "offset": 3, "length": 4}
    parts = Sorted()
    first = an_update("/stop " + "🙂" * 2000, entities=[begins])
    [parcel], _ = parts.parts.sort([(0, json.dumps(first)), (1, json.dumps(an_update("hi @bot", entities=[names])))])
    message = json.loads(parcel.raw)["message"]
    moved = message["entities"][1]
    units = message["text"].encode("utf-16-le")[2 * moved["offset"] :][: 2 * moved["length"]]
    assert message["entities"][0] == begins and units.decode("utf-16-le") == "@bot"


def test_nothing_grows_without_end() -> None:
    parts = Sorted()
    found = parts(*(an_update(LONG) for _ in range(2 * MOST_PARTS + 1)))
    assert found == [tuple(range(MOST_PARTS)), tuple(range(MOST_PARTS, 2 * MOST_PARTS))]


# -- with the whole bot ----------------------------------------------------------------------------------------------


@pytest.fixture
async def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Live]:
    monkeypatch.setattr("bot.telegram.parts.ALBUM_SECONDS", 0.2)
    async with Live(tmp_path) as live:
        await live.alive()
        yield live


async def objectives(live: Live) -> list[str]:
    """The lines that were not refused."""
    rows = await live.stores.database.all("SELECT objective FROM runs WHERE error IS NOT ? ORDER BY rowid", TOO_MANY)
    return [row["objective"] for row in rows]


async def restarted(live: Live) -> None:
    """The bot ends and comes back over what it has stored."""
    live.app.stop()
    await asyncio.gather(live._bot, return_exceptions=True)  # type: ignore[arg-type]
    await live.core.close(1.0)
    await live.open()


async def test_a_long_paste_is_one_message(live: Live) -> None:
    live.lab.telegram.paste(ADMIN, LOG)
    await live.hear("Done")
    assert await objectives(live) == [LOG]
    states = await live.stores.database.all("SELECT state FROM inbox WHERE state <> 'done'")
    assert states == []


async def test_two_people_paste_at_once(live: Live) -> None:
    mine, others = parts_of(LOG), parts_of(LOG.replace("queue", "stack"))
    live.lab.telegram.send(OPERATOR, "/cost")
    for one, other in zip(mine, others, strict=True):
        live.lab.telegram.send(ADMIN, one)
        live.lab.telegram.send(OPERATOR, other)
    await live.until(lambda: len(live.model.asked) == 2, "both to be read")
    assert sorted(await objectives(live)) == sorted([LOG, LOG.replace("queue", "stack")])


async def test_a_single_long_message_waits_a_little_and_a_stop_behind_it_comes_through(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.telegram.parts.QUIET_SECONDS", 0.2)
    live.say_as("x" * 4000)
    await live.hear("Done")
    gate = Held("read")
    live.model.script.append(gate)
    live.say_as("y" * 4000)
    await live.write("/stop", "Stopped")
    assert await objectives(live) == ["x" * 4000, "y" * 4000]


@pytest.mark.parametrize("before", [1, 2])
async def test_a_restart_between_the_parts_loses_none_and_joins_each_once(live: Live, before: int) -> None:
    parts = parts_of(LOG)
    for part in parts[:before]:
        live.say_as(part)
    await live.until(lambda: len(live.lab.telegram.updates.pending) == 0, "the first ones to be acknowledged")
    assert await objectives(live) == [] and len(await live.stores.inbox.pending()) == before
    for part in parts[before:]:
        live.say_as(part)
    await restarted(live)
    await live.until(lambda: live.model.asked, "the whole to be read")
    await restarted(live)
    await live.alive()
    assert await objectives(live) == [LOG]


async def test_what_does_not_fit_is_left_out_aloud(live: Live) -> None:
    long = "why does it stop?\n" + 3 * f"{LOG}\n" + "that was the log"
    live.lab.telegram.paste(ADMIN, long)
    await live.hear(f"of {len(long):,} characters I left [0-9,]+ out")
    await live.until(lambda: live.model.asked, "the rest to be read")
    [objective] = await objectives(live)
    assert len(objective) <= LONGEST_LINE and "characters left out" in objective
    assert objective.startswith("why does it stop?") and objective.endswith("that was the log")


async def test_a_paste_is_refused_whole_or_not_at_all(live: Live) -> None:
    gate = Held("read")
    live.model.script.append(gate)
    for number in range(MOST_QUEUED - 1):
        live.say_as(f"question {number}")
    live.lab.telegram.paste(ADMIN, LOG)
    await live.until(lambda: live.stores.database.one("SELECT 1 FROM runs WHERE objective = ?", LOG), "the paste")
    live.lab.telegram.paste(ADMIN, LOG)
    await live.hear("still busy")
    gate.set()
    await live.quiet()
    assert [message.text for message in live.lab.telegram.sent(ADMIN)].count(
        next(m.text for m in live.lab.telegram.sent(ADMIN) if "still busy" in m.text)
    ) == 1
    assert (await objectives(live)).count(LOG) == 1


async def test_a_fresh_beginning_with_a_paste_behind_it(live: Live) -> None:
    live.lab.telegram.paste(ADMIN, f"/new\n{LOG}")
    await live.hear("Done")
    assert await objectives(live) == [LOG] and await live.stores.inbox.pending() == []


# -- albums ----------------------------------------------------------------------------------------------------------


def said(live: Live) -> list[str]:
    return [message.text for message in live.lab.telegram.sent(ADMIN)]


@pytest.mark.parametrize("captions", [["why does it blink?", "", ""], ["", "why does it blink?", ""]])
async def test_an_album_is_answered_once(live: Live, captions: list[str]) -> None:
    live.lab.telegram.album(ADMIN, [PIXEL] * 3, captions)
    await live.hear("Done")
    await live.quiet()
    assert await objectives(live) == ["why does it blink?"] and TEXT_ONLY not in said(live)
    live.lab.telegram.album(ADMIN, [PIXEL] * 3, ["", "", ""])
    await live.hear("text only")
    live.lab.telegram.album(ADMIN, [PIXEL] * 2, ["one", "two"])
    await live.until(lambda: len(live.model.asked) == 2, "both captions")
    await live.quiet()
    assert said(live).count(TEXT_ONLY) == 1 and (await objectives(live))[1:] == ["one\ntwo"]


async def test_a_forwarded_album_is_refused_once(live: Live) -> None:
    origin = {"type": "hidden_user", "date": 1, "sender_user_name": "X"}
    for _ in range(3):
        live.lab.telegram.photo(ADMIN, PIXEL, media_group_id="9", forward_origin=origin)
    await live.hear("forwarded")
    await live.quiet()
    assert len([text for text in said(live) if "forwarded" in text]) == 1


async def test_pictures_that_come_after_their_album_was_answered_say_nothing(live: Live) -> None:
    photo = [{"file_id": "F", "file_unique_id": "U", "width": 9, "height": 9}]
    for number, more in enumerate(({"caption": "why?"}, {}, {}, {"media_group_id": "other"}), start=100):
        update = live.a_message("", number, photo=photo, **{"media_group_id": "album", **more})
        del update["message"]["text"]
        await live.receives(update)
        await live.dealt_with(number)
    await live.quiet()
    assert await objectives(live) == ["why?"] and said(live).count(TEXT_ONLY) == 1


async def test_an_album_of_another_chat_is_another_one(stores: Stores) -> None:
    message = {"media_group_id": "7", "chat": {"id": 1}}
    await stores.inbox.store([{"update_id": 1, "message": message}, {"update_id": 2, "x": float("nan")}])
    await stores.inbox.handled(2)
    assert not await stores.inbox.album_handled(1, "7"), "it waits"
    await stores.inbox.handled(1)
    assert await stores.inbox.album_handled(1, "7")
    assert not await stores.inbox.album_handled(2, "7") and not await stores.inbox.album_handled(1, "8")
