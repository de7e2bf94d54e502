"""The stand-in understands what the twins' rows say, in any order of politeness, and two things in one line."""

import pytest

from lab.kit.intents import SLOT, understood
from lab.kit.twin import intents
from tests.lab.chat import Chat

KNOWN = intents()
VALUES = {"domain": "ads.example.com", "minutes": "10 min", "address": "192.0.2.9", "url": "https://x.example/l.txt"}


def lines() -> list[tuple[str, str]]:
    found = []
    for intent in KNOWN:
        for example in intent.examples:
            values = VALUES | {name: words[0] for name, words in intent.words.items()}
            line = SLOT.sub(lambda slot, values=values: values[slot[2] or slot[1]], example)  # type: ignore[misc]
            found.append((intent.tool, line))
    return found


@pytest.mark.parametrize(("tool", "line"), lines(), ids=lambda value: value)
async def test_every_example_reaches_its_tool_through_the_gate(chat: Chat, tool: str, line: str) -> None:
    text = await chat.told(f"Could you please {line}?")
    assert [name for name, _ in chat.used] == [tool], text
    assert text and "stand-in" not in text


async def test_what_was_spoken_of_is_it(chat: Chat) -> None:
    await chat.told("why is ads.example.com blocked?")
    assert "that is how it is now" in await chat.told("so allow it please")
    assert chat.used == [("pihole_allow_domain", {"domain": "ads.example.com"})]


async def test_what_was_offered_is_done_when_somebody_says_fix_it(chat: Chat) -> None:
    assert "not alike" in await chat.told("is my DNS redundant?")
    await chat.told("so fix it")
    assert chat.used == [("pihole_sync_piholes", {"source": "attic"})]


@pytest.mark.parametrize(
    "line", ["pause blocking for 10 min and restart jellyfin", "Restart Jellyfin, then pause dns 10 min"]
)
async def test_two_things_in_one_line(chat: Chat, line: str) -> None:
    await chat.told(line)
    [card] = chat.batches
    assert {name for name, _ in card} == {"pihole_disable_blocking", "docker_restart_container"}


@pytest.mark.parametrize(
    "line", ["what is the best colour for a fence", "block", "why is it", "pause the music for me"]
)
def test_what_no_example_covers_is_left_to_others(line: str) -> None:
    assert understood(line, KNOWN) is None


async def test_somebody_else_changes_what_the_card_is_about(chat: Chat) -> None:
    chat.lab.telegram.card = lambda: "Pause DNS blocking for 5 min\nblocking attic, cellar"  # type: ignore[method-assign]
    assert chat.lab._view.drift({}) == {"said": "Somebody else paused blocking on attic."}
    rows = chat.lab._view.parts(1, 0)["services"]
    assert [(row["name"], row["state"], row["dot"]) for each in rows for row in each["rows"]] == [
        ("attic", "paused", "odd"), ("cellar", "blocks", "good"),
    ]  # fmt: skip
