"""What a button carries."""

import pytest

from bot.screen.press import CARD, LONGEST_DATA, PAGE, Press


@pytest.mark.parametrize(
    "press", [Press(CARD, "k" * 22, "y"), Press(PAGE, "status"), Press(PAGE, "guests", "2@pve:stop:a/1")]
)
def test_what_is_packed_is_read_back(press: Press) -> None:
    assert Press.read(press.data) == press


def test_telegrams_room_is_held() -> None:
    full = Press(PAGE, "p", "é" * 30)
    assert len(full.data.encode()) == LONGEST_DATA and full.fits
    with pytest.raises(ValueError, match="no room"):
        Press(PAGE, "p", "é" * 30 + "x").data  # noqa: B018


@pytest.mark.parametrize("data", ["", ":", "a1", "::::", "🚀" * 16, "\ud800", "a1:" + "x" * 62])
def test_whatever_somebody_sends_is_read(data: str) -> None:
    assert Press.read(data).kind != CARD or not Press.read(data).key
