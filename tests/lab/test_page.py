"""The chat page's server: what it shows, what it does, and what it refuses."""

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from lab.page import WEB, page_app
from lab.server import serve
from lab.supervisor import Supervisor
from lab.telegram import ADMIN, BOT, OPERATOR, TelegramWorld, telegram_app
from lab.traffic import Traffic, never
from lab.view import View
from tests.lab.telegram import PIXEL


class Engine:
    """A homelab of one container."""

    def __init__(self) -> None:
        self.state = "running"

    def summary(self) -> list[dict[str, Any]]:
        return [{"host": "nas", "id": "3f2a9c", "name": "jellyfin", "state": self.state}]

    def suggestions(self) -> list[str]:
        return ["/status"]

    def change_behind_back(self) -> str:
        self.state = "exited"
        return "jellyfin was stopped"


class Claude:
    """A stand-in that can be cut off."""

    cut = False


class Page:
    """A running page with everything behind it."""

    def __init__(self, view: View, http: httpx.AsyncClient) -> None:
        self.view = view
        self.http = http

    async def post(self, action: str, /, **fields: Any) -> dict[str, Any]:
        """The answer to an action; any refusal fails the test."""
        answer = await self.http.post(f"/lab/{action}", json=fields)
        assert answer.status_code == 200, answer.text
        decoded: dict[str, Any] = answer.json()
        return decoded

    async def parts(self, chat: int = ADMIN, since: int = 0) -> dict[str, Any]:
        """Everything on the page."""
        decoded: dict[str, Any] = (await self.http.get(f"/lab/state?chat={chat}&since={since}")).json()
        return decoded


@asynccontextmanager
async def page(supervisor: Supervisor | None = None) -> AsyncIterator[Page]:
    view = View(TelegramWorld(), Traffic(), Engine(), Claude(), supervisor)
    server = await serve(page_app(view))
    try:
        async with httpx.AsyncClient(base_url=server.url, timeout=5) as http:
            yield Page(view, http)
    finally:
        await server.stop()


async def test_the_page_loads_nothing_from_outside() -> None:
    async with page() as lab:
        for name in ["", *(path.name for path in WEB.iterdir())]:
            answer = await lab.http.get(f"/{name}")
            assert answer.status_code == 200
            assert answer.headers["content-security-policy"].startswith("default-src 'none'")
            loaded = answer.text.replace("http://www.w3.org/2000/svg", "")
            assert "http://" not in loaded and "https://" not in loaded
        assert (await lab.http.get("/missing.js")).status_code == 404
        assert (await lab.http.get("/..%2fpage.py")).status_code == 404


async def test_writing_and_tapping_reach_the_bot() -> None:
    async with page() as lab:
        shown = await lab.post("send", user=ADMIN, text="/status")
        telegram = lab.view.telegram
        card = telegram.post(telegram.chats[ADMIN], BOT, {"text": "Restart?"})
        tapped = await lab.post("tap", user=ADMIN, message_id=card.message_id, data="ap:1")
        await lab.post("edit", user=ADMIN, message_id=shown["message_id"], text="/help")
        await lab.post("inject", message="broken")
        message, tap, edited, broken = telegram.updates.pending
        assert message["message"]["text"] == "/status"
        assert (tap["callback_query"]["id"], tap["callback_query"]["data"]) == (tapped["query_id"], "ap:1")
        assert edited["edited_message"]["text"] == "/help"
        assert broken["message"] == "broken"
        listed = (await lab.http.get(f"/lab/messages?chat={ADMIN}")).json()
        assert [(m["out"], m["edits"]) for m in listed] == [(True, 1), (False, 0)]


async def test_a_photo_is_sent_and_shown() -> None:
    async with page() as lab:
        answer = await lab.http.post(f"/lab/photo?user={ADMIN}&caption=rack", content=PIXEL)
        file_id = answer.json()["photo"][0]["file_id"]
        shown = await lab.http.get(f"/lab/file/{file_id}")
        assert (shown.headers["content-type"], shown.content) == ("image/png", PIXEL)
        assert (await lab.http.get("/lab/file/none")).status_code == 404


async def test_a_visitor_pastes_replies_and_sends_albums() -> None:
    async with page() as lab:
        telegram = lab.view.telegram
        mine = await lab.post("send", user=ADMIN, text="x" * 9700)
        await lab.post("send", user=ADMIN, text="and this?", reply_to=mine["message_id"], quote="xxx")
        for caption in ("rack", ""):
            await lab.http.post(f"/lab/photo?user={ADMIN}&caption={caption}&album=7", content=PIXEL)
        *parts, reply, first, second = telegram.messages(ADMIN)
        assert [len(part.text) for part in parts] == [4096, 4096, 1508]
        assert reply.to_dict()["reply_to_message"]["message_id"] == parts[0].message_id
        assert reply.content["quote"]["text"] == "xxx"
        assert first.content["media_group_id"] == second.content["media_group_id"] == "7"


async def test_parts_carry_only_newer_messages_and_mark_deleted_ones() -> None:
    async with page() as lab:
        telegram = lab.view.telegram
        telegram.send(ADMIN, "first")
        telegram.send(OPERATOR, "not for this chat")
        parts = await lab.parts()
        assert [m["text"] for m in parts["messages"]] == ["first"]
        assert parts["chat"]["unread"][0] == parts["messages"][0]["message_id"]
        second = telegram.post(telegram.chats[ADMIN], BOT, {"text": "second"}, silent=True)
        newer = await lab.parts(since=parts["version"])
        assert [(m["text"], m["silent"]) for m in newer["messages"]] == [("second", True)]
        second.deleted = True
        telegram.touch(second)
        gone = await lab.parts(since=newer["version"])
        assert gone["messages"] == [{"message_id": second.message_id, "deleted": True}]


async def test_events_stream_what_changes() -> None:
    async with page() as lab, lab.http.stream("GET", f"/lab/events?chat={ADMIN}") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.aiter_lines()
        first = await event(lines)
        assert first["suggestions"] == ["/status"] and first["bot"] is None
        lab.view.telegram.send(ADMIN, "hello")
        second = await event(lines)
        assert [m["text"] for m in second["messages"]] == ["hello"]
        assert "engine" not in second
        await lab.post("drift")
        assert (await event(lines))["engine"][0]["state"] == "exited"


async def event(lines: AsyncIterator[str]) -> dict[str, Any]:
    async for line in lines:
        if line.startswith("data: "):
            decoded: dict[str, Any] = json.loads(line.removeprefix("data: "))
            return decoded
    raise AssertionError("the stream ended")


async def test_answers_to_taps_reach_who_tapped() -> None:
    async with page() as lab:
        telegram = lab.view.telegram
        message = telegram.send(ADMIN, "hi")
        query = telegram.tap(ADMIN, message.message_id, "x")
        before = telegram.version
        query.answer = {"text": "Too late", "show_alert": True}
        telegram.touch(query)
        (answer,) = (await lab.parts(ADMIN, before))["answers"]
        assert (answer["query_id"], answer["text"], answer["show_alert"]) == (query.id, "Too late", True)
        assert (await lab.parts(OPERATOR, before))["answers"] == []


async def test_trouble_on_request() -> None:
    async with page() as lab:
        assert await lab.post("cut") == {"cut": True}
        assert (await lab.parts())["claude"] == {"real": False, "cut": True}
        assert await lab.post("cut", cut=False) == {"cut": False}
        assert await lab.post("drift") == {"said": "jellyfin was stopped"}
        assert await lab.post("kill") == {"killed": False}
        lab.view.claude = None
        assert (await lab.parts())["claude"] == {"real": True, "cut": False}


async def test_the_bot_is_killed_and_comes_back(tmp_path: Path) -> None:
    command = [sys.executable, "-S", "-c", "import time; time.sleep(60)"]
    supervisor = Supervisor(command, {}, tmp_path / "bot.log", backoff=(0.01,))
    await supervisor.start()
    try:
        async with page(supervisor) as lab:
            before = (await lab.parts())["bot"]
            assert before["state"] == "running"
            assert await lab.post("kill") == {"killed": True}
            await lab.view.telegram.wait_for(lambda: supervisor.starts == 2)
            assert (await lab.parts())["bot"]["pid"] not in (before["pid"], None)
    finally:
        await supervisor.stop()


async def test_requests_are_listed_without_the_token_and_changes_marked() -> None:
    async with page() as lab:
        traffic, token = lab.view.traffic, lab.view.telegram.token
        telegram = await serve(traffic.wrap("telegram", telegram_app(lab.view.telegram), never))
        docker = await serve(traffic.wrap("docker:nas", telegram_app(lab.view.telegram)))
        await lab.http.post(f"{telegram.url}/bot{token}/getMe")
        await lab.http.post(f"{docker.url}/containers/{'3f' * 32}/restart?t=10")
        await lab.http.get(f"{docker.url}/containers/json")
        await telegram.stop()
        await docker.stop()
        requests = (await lab.http.get("/lab/requests")).json()
        assert [(r["service"], r["path"], r["status"], r["changes"]) for r in requests] == [
            ("telegram", "/getMe", 200, False),
            ("docker:nas", "/containers/3f3f3f3f3f3f/restart?t=10", 404, True),
            ("docker:nas", "/containers/json", 404, False),
        ]


async def test_faults_can_be_ordered_over_http() -> None:
    async with page() as lab:
        await lab.post("fault", service="telegram", path="getMe", status=502, times=None)
        telegram = await serve(lab.view.traffic.wrap("telegram", telegram_app(lab.view.telegram)))
        url = f"{telegram.url}/bot{lab.view.telegram.token}/getMe"
        assert (await lab.http.get(url)).status_code == 502
        await lab.post("clear", service="telegram")
        assert (await lab.http.get(url)).status_code == 200
        await telegram.stop()


@pytest.mark.parametrize("body", [b"[]", b"not json", b'{"user": 1001}', b'{"user": 5, "text": "x"}'])
async def test_senseless_actions_are_refused(body: bytes) -> None:
    async with page() as lab:
        answer = await lab.http.post("/lab/send", content=body)
        assert answer.status_code == 400 and answer.json()["error"]


async def test_scripts_of_other_websites_are_refused() -> None:
    async with page() as lab:
        own = str(lab.http.base_url).rstrip("/")
        fields = {"user": ADMIN, "text": "/status"}
        foreign = await lab.http.post("/lab/send", json=fields, headers={"Origin": "http://elsewhere.test"})
        assert foreign.status_code == 403
        assert lab.view.telegram.messages(ADMIN) == []
        same = await lab.http.post("/lab/send", json=fields, headers={"Origin": own})
        assert same.status_code == 200
