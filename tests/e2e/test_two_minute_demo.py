"""The first two minutes of a visitor: everything the page invites to press, pressed, in Chromium."""

import re
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page, expect

from tests.e2e.visitor import BROWSER, PATIENCE_MS, PHONE, Visitor, browser_page, demo

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not BROWSER, reason="no Chromium: install it, or set RACKHAND_BROWSER to its path"),
]


@pytest.fixture
async def visitor() -> AsyncIterator[Visitor]:
    """Somebody who has just opened the demo."""
    async with demo() as address, browser_page() as page:
        visitor = Visitor(page)
        await visitor.opens(address)
        yield visitor


async def _has_state(visitor: Visitor, container: str, state: str) -> None:
    await expect(visitor.state(container)).to_have_attribute("data-state", state, timeout=PATIENCE_MS)


async def test_two_minute_demo(visitor: Visitor) -> None:
    page = visitor.page
    await expect(page.get_by_test_id("label")).to_contain_text("simulated homelab")
    await expect(page.get_by_test_id("label")).to_contain_text("scripted stand-in")

    # Asks
    await visitor.takes("/status")
    await visitor.sees(re.compile("need you"))
    await page.get_by_test_id("chips").get_by_role("button", name=re.compile("why is")).click()
    answer = await visitor.sees("Evidence")
    await expect(answer).to_contain_text("nothing was changed")

    # Approves and undoes
    await visitor.writes("stop radarr")
    card = await visitor.sees("Stop radarr")
    await visitor.taps(card, "Stop radarr")
    receipt = await visitor.sees("Stopped radarr")
    await expect(receipt).to_contain_text("state: running → exited")
    await _has_state(visitor, "radarr", "exited")
    await visitor.taps(receipt, "↩ Undo")
    await visitor.sees("Started radarr")
    await _has_state(visitor, "radarr", "running")

    # Changes it behind the bot's back: drift is shown, nothing ran
    await visitor.takes("restart jellyfin")
    card = await visitor.sees("Restart jellyfin")
    await visitor.presses("drift")
    await _has_state(visitor, "jellyfin", "paused")
    await visitor.taps(card, "Restart jellyfin")
    moved = await visitor.sees(re.compile("nothing ran"))
    await expect(moved).to_contain_text("state: running → paused")
    await _has_state(visitor, "jellyfin", "paused")

    # Kills it with that card open: the button survives
    await visitor.presses("kill")
    await expect(page.get_by_test_id("bot")).to_contain_text("start 2", timeout=PATIENCE_MS)
    await visitor.taps(moved, "Approve new")
    await visitor.sees("Restarted jellyfin")
    await _has_state(visitor, "jellyfin", "running")

    # Cuts Claude: commands live on
    await visitor.presses("cut")
    await visitor.writes("what is wrong?")
    # The restart above may still have been asking Claude, and say so too.
    await visitor.sees(re.compile("can't think.*/status", re.DOTALL))
    statuses = await page.locator(".row:not(.out)", has_text="need you").count()
    await visitor.writes("/status")
    await expect(page.locator(".row:not(.out)", has_text="need you")).to_have_count(statuses + 1, timeout=PATIENCE_MS)


async def test_a_stranger_sees_nothing(visitor: Visitor) -> None:
    page = visitor.page
    await page.get_by_test_id("role-stranger").click()
    await visitor.writes("/start")
    await page.get_by_test_id("role-viewer").click()
    await visitor.writes("/start")
    await visitor.sees("at your service, Viewer")
    await page.get_by_test_id("role-stranger").click()
    await expect(page.locator(".row.out")).to_have_count(1)
    await expect(page.locator(".row:not(.out)")).to_have_count(0)


async def test_a_phone_shows_the_whole_card() -> None:
    async with demo() as address, browser_page(PHONE) as page:
        visitor = Visitor(page)
        await visitor.opens(address)
        await visitor.writes("restart jellyfin")
        card = await visitor.sees("Restart jellyfin")
        button = card.get_by_test_id("button-Restart jellyfin")
        await expect(button).to_be_in_viewport()
        assert await _overflow(page) == 0
        await button.click()
        await visitor.sees("Restarted jellyfin")


async def _overflow(page: Page) -> int:
    """Pixels by which the page is wider than the screen."""
    wide: int = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return wide
