"""Typed answers, listings in pages, preconditions, forms, and refusals that the status does not show."""

import json
from typing import Annotated, Any

import pytest

from tests.tools.kit.conftest import Bench, failure
from tools.kit import Access, BadAnswer, CircuitOpen, Conflict, Gone, Ident, Refused, Result, ToolFailed, at
from tools.kit.breaker import Breaker, asking


class Row(Result):
    """One thing."""

    name: Ident
    size: Annotated[int, at("stat", "size")] = 0


def says(bench: Bench, path: str, body: Any) -> None:
    bench.service.bodies[f"/api{path}"] = [json.dumps(body).encode()]


async def test_an_answer_is_read_as_what_it_should_be(bench: Bench) -> None:
    says(bench, "/rows", {"rows": [{"name": "one", "stat": {"size": 7}}]})
    assert await bench.api().read(list[Row], "/rows", at=("rows",)) == [Row(name="one", size=7)]


@pytest.mark.parametrize(
    ("body", "words"),
    [({"rows": [{"name": 1}]}, "a proper rows[0].name"), ({}, "a proper rows"), ([], "a proper rows")],
)
async def test_an_answer_of_another_kind_names_what_is_wrong(bench: Bench, body: Any, words: str) -> None:
    says(bench, "/rows", body)
    found = await failure(bench.api().read(list[Row], "/rows", at=("rows",)))
    assert isinstance(found, BadAnswer) and words in str(found) and not found.outside


async def test_a_listing_is_read_page_by_page(bench: Bench) -> None:
    says(bench, "/rows", {"rows": [{"name": "one"}], "next": 2})

    def turn(body: Any, headers: Any) -> Any:
        if bench.asked()[1:]:
            return None
        return {"page": body["next"]}

    rows, more = await bench.api().pages(Row, "/rows", at=("rows",), turn=turn, params={"per_page": 1})
    assert [row.name for row in rows] == ["one", "one"] and not more
    assert [request.query for request in bench.traffic.requests] == ["per_page=1", "per_page=1&page=2"]


async def test_a_listing_without_end_is_cut_and_said_so(bench: Bench) -> None:
    says(bench, "/rows", {"rows": [{"name": "one"}]})
    rows, more = await bench.api().pages(Row, "/rows", at=("rows",), turn=lambda body, headers: {"page": 1})
    assert more and len(rows) == len(bench.asked()) == 25


async def test_a_change_can_be_bound_to_what_was_read(bench: Bench) -> None:
    says(bench, "/acl", {"name": "one"})
    bench.service.headers = {"ETag": '"a1"'}
    api = bench.api(Access.WRITE)
    row, tag = await api.tagged(Row, "/acl")
    await api.send("POST", "/acl", json={}, match=tag)
    assert row.name == "one" and bench.traffic.requests[-1].headers["if-match"] == '"a1"'
    bench.fault(status=412)
    assert isinstance(await failure(api.send("POST", "/acl", json={}, match=tag)), Conflict)


async def test_a_form_is_sent_as_a_form(bench: Bench) -> None:
    await bench.api(Access.WRITE).send("POST", "/nodes/{}/start", "pve", form={"timeout": 30, "name": "a&b"})
    request = bench.traffic.requests[-1]
    assert request.body == b"timeout=30&name=a%26b"
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"


def judge(status: int, body: Any) -> ToolFailed | None:
    if isinstance(body, dict) and body.get("success") is False:
        return Refused("It said no: change the request.")
    return Gone("It is not there.") if status == 500 and "does not exist" in str(body) else None


async def test_a_refusal_is_one_whatever_its_status_says(bench: Bench) -> None:
    api = bench.api(Access.WRITE, judge=judge)
    bench.fault(status=200, body='{"success": false}')
    found = await failure(api.send("POST", "/x"))
    assert isinstance(found, Refused) and not found.sent, "it was refused: nothing is unknown"
    bench.fault(status=500, body='{"message": "vm 7 does not exist"}')
    assert isinstance(await failure(api.get_json("/x")), Gone)
    says(bench, "/x", {"success": True})
    assert await api.get_json("/x") == {"success": True}


async def test_what_is_down_is_left_alone(bench: Bench) -> None:
    api = bench.api(breaker=Breaker("Pi-hole"))
    bench.fault(status=503, times=None)
    async with asking(insist=False):
        for _ in range(3):
            await failure(api.get_json("/x"))
        before = len(bench.asked())
        assert isinstance(await failure(api.get_json("/x")), CircuitOpen) and len(bench.asked()) == before
