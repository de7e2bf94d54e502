"""The pictures in the documentation, taken from the running demo: `python -m tests.screenshots [FOLDER]`."""

import asyncio
import sys
from pathlib import Path

from playwright.async_api import Page

from tests.e2e.visitor import BROWSER, DESKTOP, PHONE, Visitor, browser_page, demo

FOLDER = Path("docs/screenshots")


async def _conversation(page: Page, address: str) -> Visitor:
    """Ask for the status and what is wrong, carry one change out, and leave a second card open."""
    visitor = Visitor(page)
    await visitor.opens(address)
    await visitor.takes("/status")
    await visitor.sees("need you")
    await visitor.writes("stop radarr")
    await visitor.taps(await visitor.sees("Stop radarr"), "Stop radarr")
    receipt = await visitor.sees("Stopped radarr")
    await receipt.get_by_test_id("button-↩ Undo").wait_for()
    await visitor.sees("1 change ✓")
    await visitor.takes("restart jellyfin")
    card = await visitor.sees("Restart jellyfin")
    await card.get_by_test_id("button-Restart jellyfin").wait_for()
    return visitor


async def _take(path: Path, size: tuple[int, int], scale: float) -> None:
    async with demo() as address, browser_page(size, scale=scale) as page:
        await _conversation(page, address)
        await page.mouse.move(0, 0)
        await page.wait_for_timeout(1500)  # rows that have just changed stop glowing
        await page.screenshot(path=path)
    print(path)


async def take_all(folder: Path) -> None:
    """Write every picture into the folder."""
    await _take(folder / "demo.png", DESKTOP, 1.0)
    await _take(folder / "phone.png", PHONE, 2.0)


def main() -> int:
    """The exit status; without Chromium one line that says what to install."""
    if not BROWSER:
        print("Chromium is missing: install it, or set RACKHAND_BROWSER to its path.", file=sys.stderr)
        return 1
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(take_all(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
