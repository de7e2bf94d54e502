"""What twins are made of, judged over HTTP where it is HTTP."""

from collections.abc import AsyncIterator, Mapping

import httpx
import pytest
from starlette.types import ASGIApp

from lab.kit import Answer, Asked, Json, Refusal, Sessions, Store, Twin, api, etag
from lab.kit.twin import discover
from lab.lab import Lab
from lab.server import serve


class Lamps(Twin):
    """A service that keeps lamps."""

    name = "lamps"
    quiet = frozenset({"POST /login"})

    def __init__(self, seed: int = 1) -> None:
        super().__init__(seed, lambda: self.time)
        self.time = 100.0
        self.key = self.secret()
        self.lamps = Store(self, "id", [{"id": 1, "name": "desk", "on": True}], hidden=frozenset({"id"}))
        self.sessions = Sessions(self.now, seats=2, lifetime=60)

    def apps(self) -> Mapping[str, ASGIApp]:
        routes = {
            "GET /lamps": lambda asked: asked.page([row["name"] for row in self.lamps], size=2)[0],
            "POST /lamps": self.add,
            "PUT /lamps/{id}": self.change,
            "DELETE /lamps/{id}": self.remove,
        }
        return {"house": api(routes, error=lambda status, words: {"said": words}, guard=self.guard)}

    def environment(self, urls: Mapping[str, str]) -> Mapping[str, str]:
        return {"LAMPS_URL": urls["house"], "LAMPS_KEY": self.key}

    def guard(self, asked: Asked) -> None:
        if asked.headers.get("x-key") != self.key:
            raise Refusal(401, "who are you?")

    def add(self, asked: Asked) -> Answer:
        return Answer(self.lamps.put({"id": self.lamps.next_id(), "name": asked.body["name"], "on": False}), 201)

    def change(self, asked: Asked) -> Json:
        lamp = self.lamps.get(int(asked.path["id"]))
        if lamp is None:
            raise Refusal(404, "no such lamp")
        asked.matches(etag(lamp))
        return self.lamps.change(lamp["id"], **asked.body)

    def remove(self, asked: Asked) -> Answer:
        return Answer(status=204 if self.lamps.remove(int(asked.path["id"])) else 404)


@pytest.fixture
def lamps() -> Lamps:
    return Lamps()


@pytest.fixture
async def http(lamps: Lamps) -> AsyncIterator[httpx.AsyncClient]:
    server = await serve(lamps.apps()["house"])
    async with httpx.AsyncClient(base_url=server.url, headers={"X-Key": lamps.key}) as client:
        yield client
    await server.stop()


async def test_rows_are_added_changed_and_removed(lamps: Lamps, http: httpx.AsyncClient) -> None:
    before = lamps.dump()
    made = await http.post("/lamps", json={"name": "hall"})
    assert (made.status_code, made.json()["id"]) == (201, 2)
    assert (await http.put("/lamps/2", json={"on": True})).json()["on"] is True
    assert (await http.delete("/lamps/2")).status_code == 204 and (await http.delete("/lamps/2")).status_code == 404
    assert lamps.dump() == before == {"lamps": [{"name": "desk", "on": True}]}


async def test_what_lies_answers_as_if_and_changes_nothing(lamps: Lamps, http: httpx.AsyncClient) -> None:
    before, lamps.lying = lamps.dump(), True
    assert (await http.post("/lamps", json={"name": "hall"})).status_code == 201
    assert (await http.delete("/lamps/1")).status_code == 204 and lamps.dump() == before


async def test_refusals_have_the_services_own_shape(http: httpx.AsyncClient) -> None:
    assert (await http.get("/lamps", headers={"X-Key": "no"})).json() == {"said": "who are you?"}
    assert (await http.get("/nothing")).status_code == 404
    for content in ("{", "[]"):
        answer = await http.post("/lamps", content=content)
        assert answer.status_code == 400 and "the body" in answer.json()["said"]


async def test_pages_and_preconditions(lamps: Lamps, http: httpx.AsyncClient) -> None:
    for name in ("hall", "cellar"):
        await http.post("/lamps", json={"name": name})
    assert (await http.get("/lamps?page=2")).json() == ["cellar"]
    assert (await http.get("/lamps?page=x")).status_code == 400
    lamp = lamps.lamps.get(1)
    assert (await http.put("/lamps/1", json={"on": False}, headers={"If-Match": etag(lamp)})).status_code == 200
    assert (await http.put("/lamps/1", json={"on": True}, headers={"If-Match": etag(lamp)})).status_code == 412


def test_seats_are_limited_and_lapse(lamps: Lamps) -> None:
    sessions = lamps.sessions
    assert sessions.take("a") and sessions.take("b") and not sessions.take("c")
    lamps.time += 59
    assert sessions.holds("a")
    lamps.time += 2
    assert not sessions.holds("b") and sessions.take("c") and sessions.leave("a") and not sessions.leave("a")


def test_work_happens_when_its_time_has_come(lamps: Lamps) -> None:
    done: list[str] = []
    task = lamps.tasks.begin("t1", "paint", 10, lambda: done.append("paint"))
    lamps.tasks.begin("t2", "paint", 10, lambda: done.append("never"), fails="no paint left")
    lamps.time += 5
    assert lamps.tasks.look("t1") is task and task.share(lamps.now()) == 0.5 and not task.ended
    lamps.time += 5
    assert lamps.tasks.look("t1") is task and task.ended and done == ["paint"]
    lamps.tasks.lose("t1")
    assert lamps.tasks.look("t1") is None


def test_what_changes_something_is_told_from_what_does_not(lamps: Lamps) -> None:
    assert lamps.changes("DELETE", "/lamps/1") and not lamps.changes("GET", "/lamps")
    assert not lamps.changes("POST", "/login")


async def test_every_twin_is_found_served_and_told_to_the_bot() -> None:
    async with Lab() as lab:
        assert list(lab.twins) == [twin.name for twin in discover()]
        given = lab.environment()
        kept = [secret for twin in lab.twins.values() for secret in twin.secrets]
        for name in ("PIHOLE_PASSWORD", "PBS_TOKEN_SECRET", "PROXMOX_TOKEN_SECRET", "UPS_PASSWORD"):
            assert any(secret in given[name] for secret in kept), "what the bot is told must not leak either"
