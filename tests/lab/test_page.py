"""The chat page's server: what it shows, what it does, and what it refuses."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from lab.page import WEB, page_app
from lab.server import serve
from lab.supervisor import Supervisor
from lab.telegram import ADMIN, BOT, OPERATOR, TelegramWorld, telegram_app
from lab.traffic import Traffic, never
from lab.view import View


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
