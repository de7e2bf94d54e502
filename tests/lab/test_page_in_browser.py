"""The chat page under somebody's hands: keyboard alone, and what it says to each role, in Chromium."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import expect

from lab.telegram import ADMIN, BOT
from tests.e2e.visitor import BROWSER, Visitor, browser_page
from tests.lab.test_page import Page, page

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not BROWSER, reason="no Chromium: install it, or set RACKHAND_BROWSER to its path"),
]


@pytest.fixture
async def opened() -> AsyncIterator[tuple[Page, Visitor]]:
    """The page in a browser, with two commands in its menu and nobody to answer."""
    async with page() as lab, browser_page() as tab:
        menu = [{"command": "stop", "description": "Halt"}, {"command": "status", "description": "Look"}]
        lab.view.telegram.commands["default", ""] = menu
        await tab.goto(str(lab.http.base_url))
        await tab.get_by_test_id("composer").wait_for()
        await expect(tab.get_by_test_id("role-admin")).to_be_visible()
        yield lab, Visitor(tab)


def said(lab: Page) -> list[str]:
    return [message.text or "" for message in lab.view.telegram.messages(ADMIN)]


async def test_enter_takes_the_command_that_is_marked(opened: tuple[Page, Visitor]) -> None:
    lab, visitor = opened
    composer = visitor.page.get_by_test_id("composer")
    for typed, keys in (("/st", ["ArrowDown", "Enter"]), ("/sto", ["Enter"]), ("/nothing", ["Enter"])):
        await composer.press_sequentially(typed)
        for key in keys:
            await composer.press(key)
        await expect(composer).to_have_value("")
    await lab.view.telegram.wait_for(lambda: len(said(lab)) == 3)
    assert said(lab) == ["/status", "/stop", "/nothing"]


async def test_roles_are_changed_with_the_arrow_keys_and_keep_the_focus(opened: tuple[Page, Visitor]) -> None:
    _, visitor = opened
    role = visitor.page.get_by_test_id
    await role("role-admin").focus()
    for key, name in (("ArrowRight", "operator"), ("ArrowRight", "viewer"), ("ArrowLeft", "operator")):
        await visitor.page.keyboard.press(key)
        await expect(role(f"role-{name}")).to_have_attribute("aria-checked", "true")
        await expect(role(f"role-{name}")).to_be_focused()
    await expect(role("role-admin")).to_have_attribute("tabindex", "-1")


async def test_a_stranger_is_told_that_nothing_comes_back(opened: tuple[Page, Visitor]) -> None:
    _, visitor = opened
    await visitor.page.get_by_test_id("role-stranger").click()
    await expect(visitor.page.locator(".empty")).to_contain_text("answers nobody it does not know")


async def test_a_message_is_answered_or_what_is_marked_of_it(opened: tuple[Page, Visitor]) -> None:
    lab, visitor = opened
    telegram, tab = lab.view.telegram, visitor.page
    telegram.send(ADMIN, "hi")
    answer = telegram.post(telegram.chats[ADMIN], BOT, {"text": "paperless is down"})
    telegram.touch(answer)
    bubble = tab.get_by_test_id(f"message-{answer.message_id}")
    for quote in ("", "is down"):
        await bubble.hover()
        if quote:
            await bubble.locator(".said").evaluate(
                "(node) => document.getSelection().setBaseAndExtent(node.firstChild, 10, node.firstChild, 17)"
            )
        await bubble.get_by_role("button", name="Reply").click()
        await expect(tab.get_by_test_id("replying")).to_contain_text(quote or "paperless is down")
        await tab.get_by_test_id("composer").fill("why?")
        await tab.get_by_test_id("composer").press("Enter")
        await expect(tab.get_by_test_id("replying")).to_be_hidden()
    await telegram.wait_for(lambda: len(said(lab)) == 4)
    plain, marked = telegram.messages(ADMIN)[-2:]
    assert plain.content["reply_to"] == marked.content["reply_to"] == answer.message_id
    assert "quote" not in plain.content and marked.content["quote"]["text"] == "is down"
