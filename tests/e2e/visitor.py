"""A visitor of the demo: `python main.py demo` as a process, and Chromium on its page."""

import asyncio
import os
import re
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from playwright.async_api import Locator, Page, async_playwright, expect

from tests.e2e.harness import MAIN, ROOT

BROWSER = os.environ.get("RACKHAND_BROWSER") or shutil.which("chromium") or ""
"""Chromium's path; empty when there is none."""
PATIENCE_MS = 30_000
DESKTOP, PHONE = (1280, 860), (390, 844)
ADDRESS = re.compile(r"http://\S+")


@asynccontextmanager
async def demo(port: int = 0, seed: int = 1) -> AsyncIterator[str]:
    """The address of a running demo; everything it started ends with the block."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("ANTHROPIC")}
    process = await asyncio.create_subprocess_exec(
        *MAIN, "demo", "--port", str(port), "--seed", str(seed), cwd=ROOT, env=env, stdout=asyncio.subprocess.PIPE
    )
    try:
        line = (await asyncio.wait_for(process.stdout.readline(), 60)).decode()
        found = ADDRESS.search(line)
        assert found, f"the demo prints its address, not {line!r}"
        yield found[0]
    finally:
        process.send_signal(signal.SIGINT)
        await asyncio.wait_for(process.wait(), 60)


@asynccontextmanager
async def browser_page(size: tuple[int, int] = DESKTOP, *, scale: float = 1.0) -> AsyncIterator[Page]:
    """A fresh page of a headless Chromium; an error on the page's console fails at the end."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        context = await browser.new_context(
            viewport={"width": size[0], "height": size[1]}, device_scale_factor=scale, reduced_motion="reduce"
        )
        page = await context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        try:
            yield page
        finally:
            await browser.close()
        assert not errors, errors


@dataclass
class Visitor:
    """What somebody does with the page in front of them."""

    page: Page

    async def opens(self, address: str) -> None:
        """Open the page and wait until the bot runs; on a phone the lab stands behind a tab."""
        await self.page.goto(address)
        await expect(self.page.get_by_test_id("bot")).to_contain_text("running", timeout=PATIENCE_MS)

    def bubble(self, text: str | re.Pattern[str]) -> Locator:
        """The newest message of the bot that contains this."""
        return self.page.locator(".row:not(.out)", has_text=text).last

    async def sees(self, text: str | re.Pattern[str]) -> Locator:
        """Wait for such a message."""
        bubble = self.bubble(text)
        await expect(bubble).to_be_visible(timeout=PATIENCE_MS)
        return bubble

    async def writes(self, text: str) -> None:
        """Write a message and send it."""
        await self.page.get_by_test_id("composer").fill(text)
        await self.page.get_by_test_id("send").click()

    async def takes(self, suggestion: str) -> None:
        """Press a suggested line."""
        await self.page.get_by_test_id("chips").get_by_role("button", name=suggestion).click()

    async def taps(self, message: Locator, label: str) -> None:
        """Press an inline button."""
        await message.get_by_test_id(f"button-{label}").click()

    async def presses(self, name: str) -> None:
        """Press one of the buttons that make trouble."""
        await self.page.get_by_test_id(name).click()

    def state(self, container: str) -> Locator:
        """A container's row in the lab's panel."""
        return self.page.get_by_test_id(f"container-{container}").first
