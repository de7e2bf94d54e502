"""Facts: what is shown, and how they are read again."""

from datetime import UTC, datetime
from typing import Any, Literal

import pytest
from pydantic import ValidationError

from tools.kit import Context, Facts, Ident, Shown


class Lamp(Facts):
    """A lamp."""

    state: Shown[Literal["on", "off"]]
    since: Shown[datetime | None] = None
    host: Ident = "nas"


async def read(client: dict[str, Any], name: str) -> Lamp:
    return Lamp(state=client[name])


def test_only_what_is_shown_is_shown_as_json() -> None:
    assert Lamp(state="on", since=datetime(2026, 1, 1, tzinfo=UTC)).shown() == {
        "state": "on", "since": "2026-01-01T00:00:00Z",
    }  # fmt: skip


async def test_facts_read_themselves_again_with_any_client() -> None:
    facts = await Context({"a": "on"}).read(read, "a")
    assert facts.state == "on"
    assert (await facts.again({"a": "off"})).state == "off"


async def test_facts_made_by_hand_cannot_be_verified() -> None:
    with pytest.raises(AssertionError, match=r"ctx\.read"):
        await Lamp(state="on").again({})


def test_facts_are_frozen_and_hold_nothing_else() -> None:
    with pytest.raises(ValidationError):
        Lamp(state="on").state = "off"  # type: ignore[misc]
    with pytest.raises(ValidationError):
        Lamp(state="on", other=1)  # type: ignore[call-arg]
