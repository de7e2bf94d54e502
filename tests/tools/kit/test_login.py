"""Logins: one session for all clients of a service, taken again once it has lapsed, given back at the end."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from lab.server import serve
from lab.traffic import Traffic
from memory.secrets import Redactor
from tests.tools.kit.conftest import failure
from tools.kit import Access, BadAnswer, HttpSettings, Link, Login, NoAnswer, OutcomeUnknown, Secrets, Unauthorised

LOGIN = Login("/auth", lambda secret: {"password": secret}, lambda body: {"X-Sid": body["sid"]}, logout="/auth")


class Settings(HttpSettings, env_prefix="LAMP_"):
    """A service with a login."""

    password: Secrets = {}
    """What opens it."""


class Door:
    """A service that lets in who has a session, and counts the sessions it has given out."""

    def __init__(self) -> None:
        self.sessions: set[str] = set()
        self.given = 0
        self.answer: bytes | None = None
        self.changed = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = (await receive()).get("body", b"")
        sid = dict(scope["headers"]).get(b"x-sid", b"").decode()
        status, answer = 200, b"{}"
        if (scope["method"], scope["path"]) == ("POST", "/auth"):
            if body == b'{"password":"open sesame"}':
                self.given += 1
                self.sessions.add(f"session-{self.given:04d}")
                answer = self.answer or b'{"sid":"session-%04d"}' % self.given
            else:
                status = 401
        elif sid not in self.sessions:
            status = 401
        elif (scope["method"], scope["path"]) == ("DELETE", "/auth"):
            self.sessions.discard(sid)
            status, answer = 204, b""
        elif scope["method"] == "POST":
            self.changed += 1
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": answer})


class Lamp:
    """The door, served; the reading and the writing client of one service."""

    def __init__(self, url: str, traffic: Traffic, door: Door, password: str = "open sesame") -> None:
        self.traffic, self.door, self.redact = traffic, door, Redactor()
        seats: dict[str, Any] = {}
        settings = Settings(_env_file=None, url=url, password=password)
        links = [Link(settings, access, seats=seats, learn=self.redact.learn) for access in Access]
        apis = [link.apis("Lamp", credential="password", login=LOGIN) for link in links]
        [self.reader], [self.writer] = (list(found.values()) for found in apis)

    def asked(self) -> list[str]:
        return [f"{request.method} {request.path}" for request in self.traffic.requests]


@pytest.fixture
async def lamp() -> AsyncIterator[Lamp]:
    traffic, door = Traffic(), Door()
    server = await serve(traffic.wrap("lamp", door))
    lamp = Lamp(server.url, traffic, door)
    yield lamp
    await lamp.reader.close()
    await lamp.writer.close()
    await server.stop()


async def test_one_session_serves_many_calls_of_both_clients(lamp: Lamp) -> None:
    await asyncio.gather(*(lamp.reader.get_json("/x") for _ in range(5)))
    await lamp.writer.send("POST", "/x")
    assert lamp.door.given == 1 and lamp.asked().count("POST /auth") == 1


async def test_a_session_that_lapsed_is_taken_again_once_and_the_call_goes_on(lamp: Lamp) -> None:
    await lamp.reader.get_json("/x")
    lamp.door.sessions.clear()
    await asyncio.gather(*(lamp.reader.get_json("/x") for _ in range(5)))
    assert lamp.door.given == 2
    lamp.door.sessions.clear()
    await lamp.writer.send("POST", "/x")
    assert (lamp.door.given, lamp.door.changed) == (3, 1), "what was refused was not done, and is done once"


async def test_a_session_that_no_login_brings_is_a_rejected_credential(lamp: Lamp) -> None:
    lamp.traffic.fault("lamp", path="^/x", status=401, times=None)
    assert isinstance(await failure(lamp.reader.get_json("/x")), Unauthorised)
    assert lamp.asked() == ["POST /auth", "GET /x", "POST /auth", "GET /x"]


async def test_a_wrong_password_is_said_and_nothing_else_is_asked(lamp: Lamp) -> None:
    other = Lamp(str(lamp.reader._client.base_url), lamp.traffic, lamp.door, "wrong password")
    found = await failure(other.writer.send("POST", "/x"))
    assert isinstance(found, Unauthorised) and "rejected the credential" in str(found)
    assert lamp.asked() == ["POST /auth"]


async def test_a_login_that_breaks_on_the_way_to_a_change_has_changed_nothing(lamp: Lamp) -> None:
    lamp.traffic.fault("lamp", path="/auth", drop_after=True)
    found = await failure(lamp.writer.send("POST", "/x"))
    assert isinstance(found, NoAnswer) and not found.sent
    lamp.traffic.fault("lamp", path="/x", drop_after=True)
    assert isinstance(await failure(lamp.writer.send("POST", "/x")), OutcomeUnknown)


@pytest.mark.parametrize("answer", [b"[]", b"null", b"<html>", b'{"id": 1}'])
async def test_a_login_without_a_session_in_its_answer_is_a_bad_answer(lamp: Lamp, answer: bytes) -> None:
    lamp.door.answer = answer
    assert isinstance(await failure(lamp.reader.get_json("/x")), BadAnswer)


async def test_the_last_client_gives_the_seat_back(lamp: Lamp) -> None:
    await lamp.reader.get_json("/x")
    await lamp.reader.close()
    assert lamp.door.sessions, "the other one still sits"
    await lamp.writer.close()
    assert not lamp.door.sessions and lamp.asked()[-1] == "DELETE /auth"
    lamp.reader._seat = lamp.writer._seat = None  # nothing is left for the fixture to give back


async def test_the_end_does_not_wait_for_a_service_that_is_gone(lamp: Lamp) -> None:
    await lamp.reader.get_json("/x")
    lamp.traffic.fault("lamp", path="/auth", drop=True, times=None)
    await lamp.writer.close()
    await lamp.reader.close()
    lamp.reader._seat = lamp.writer._seat = None


async def test_sessions_are_known_to_the_redactor(lamp: Lamp) -> None:
    await lamp.reader.get_json("/x")
    assert "session-0001" not in lamp.redact("it said session-0001 twice")
