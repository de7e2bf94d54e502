"""Several of one kind: who answers, who does not and why; a change of all that reaches only some is not called done."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext

import pytest

from tests.tools.kit.conftest import failure
from tools.gate.taint import taints
from tools.kit import CircuitOpen, OutcomeUnknown, Refused, ToolFailed, Unreachable
from tools.kit.instances import Instances


class Lamp:
    """One of several."""

    def __init__(self, name: str) -> None:
        self.name, self.on, self.closed = name, False, False
        self.service = f"The {name}"
        self.fails: ToolFailed | None = None

    async def ask(self) -> str:
        if self.fails is not None:
            raise self.fails
        return self.name

    async def switch(self) -> None:
        await self.ask()
        self.on = True

    def asking(self) -> AbstractAsyncContextManager[None]:
        return nullcontext()

    async def close(self) -> None:
        self.closed = True


@pytest.fixture
def lamps() -> dict[str, Lamp]:
    return {name: Lamp(name) for name in ("hall", "cellar", "attic")}


@pytest.fixture
def several(lamps: dict[str, Lamp]) -> Instances[Lamp]:
    return Instances("lamp", lamps)


async def test_one_is_named_or_the_only_one(several: Instances[Lamp], lamps: dict[str, Lamp]) -> None:
    assert several.one("hall") is lamps["hall"] and several.at("cellar/7") == (lamps["cellar"], "7")
    assert Instances("lamp", {"hall": lamps["hall"]}).one(None) is lamps["hall"]
    for name, words in (("bath", "use one of hall, cellar, attic"), (None, "say which one of hall")):
        with pytest.raises(ToolFailed, match=words):
            several.one(name)


async def test_who_does_not_answer_is_said_with_the_reason(several: Instances[Lamp], lamps: dict[str, Lamp]) -> None:
    lamps["cellar"].fails = Unreachable("The cellar cannot be reached: check its cable.")
    found, [down] = await several.each(Lamp.ask)
    assert found == {"hall": "hall", "attic": "attic"}
    assert (down.name, down.reason) == ("cellar", "cannot be reached: check its cable.") and not taints(down)
    lamps["cellar"].fails.outside = True
    _, [down] = await several.each(Lamp.ask)
    assert taints(down) and down.trouble("lamps").outside, "what quotes somebody else is not ours"
    paused = lamps["cellar"].fails = CircuitOpen("The cellar was not asked: it has blown its fuse, wait 5 s.")
    paused.why = "It has blown its fuse."
    _, [down] = await several.each(Lamp.ask)
    assert down.reason == paused.why, "what ails it, rather than that it was left alone"


async def test_what_rests_on_all_does_not_rest_on_some(several: Instances[Lamp], lamps: dict[str, Lamp]) -> None:
    assert await several.every(Lamp.ask) == {name: name for name in lamps}
    lamps["attic"].fails = Unreachable("gone")
    assert await failure(several.every(Lamp.ask)) is lamps["attic"].fails
    assert await several.every(Lamp.ask, "hall") == {"hall": "hall"}


UNKNOWN: Callable[[], ToolFailed] = lambda: OutcomeUnknown("no answer")  # noqa: E731


async def test_a_change_that_reaches_only_some_is_unknown_and_says_which(
    several: Instances[Lamp], lamps: dict[str, Lamp]
) -> None:
    await several.change(Lamp.switch)
    assert all(lamp.on for lamp in lamps.values())
    lamps["cellar"].fails = Refused("The cellar said no.")
    found = await failure(several.change(Lamp.switch))
    assert isinstance(found, OutcomeUnknown)
    assert str(found) == "Done on hall, attic. Not on cellar. The cellar said no."
    lamps["cellar"].fails = UNKNOWN()
    assert "Done on hall, attic. Perhaps on cellar." in str(await failure(several.change(Lamp.switch)))


async def test_a_change_that_reaches_none_is_a_failure_unless_an_answer_was_lost(
    several: Instances[Lamp], lamps: dict[str, Lamp]
) -> None:
    for lamp in lamps.values():
        lamp.fails = Refused("no")
    assert isinstance(await failure(several.change(Lamp.switch)), Refused)
    lamps["attic"].fails = UNKNOWN()
    assert isinstance(await failure(several.change(Lamp.switch)), OutcomeUnknown)


async def test_all_are_closed(several: Instances[Lamp], lamps: dict[str, Lamp]) -> None:
    await several.close()
    assert all(lamp.closed for lamp in lamps.values())
