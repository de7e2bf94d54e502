"""What goes over the wire, held against the services' official descriptions: our requests, and the twins' answers."""

import importlib.util
import json
import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import parse_qs

import pytest
from jsonschema import Draft202012Validator

from lab.traffic import Request
from tests.fakes import use
from tests.generated.stages import read_args, set_up, stage_of
from tests.place import Place
from tools.kit.registry import catalogue, discover
from tools.kit.service import Risk, Tool

SPECS = Path(os.environ.get("SPECS_DIR") or Path(__file__).parents[3] / "shared" / "specs")
NO_HTTP = frozenset({"ups"})
"""Services that speak lines: nothing of the kind describes them."""
TOOLS = [tool for tool in catalogue(discover()).values() if not tool.service.own and tool.service.name not in NO_HTTP]
NOT_DESCRIBED = re.compile(r"/(v[\d.]+|api/endpoints/\d+/docker)/distribution/")
"""What the descriptions leave out although the service has it."""
GO = frozenset({"docker", "portainer"})
"""Written in Go, where null and an empty list or object are the same."""

pytestmark = [
    pytest.mark.specs,
    pytest.mark.skipif(not (SPECS / "validate_server.py").exists(), reason="needs the services' API descriptions"),
]


@cache
def validator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("validate_server", SPECS / "validate_server.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def described(service: str) -> Any:
    return validator().Spec(service, SPECS / f"{service}.json")


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
async def test_every_request_and_answer_is_as_described(place: Place, tool: Tool) -> None:
    if not (SPECS / f"{tool.service.name}.json").exists():
        pytest.skip(f"{tool.service.name} has no description")
    place.lab.traffic.keeps_answers = True
    if tool.risk is Risk.READ:
        await place.read(tool.name, **await set_up(place, read_args(tool.name, tool.input_schema)))
    else:
        await place.ask(use(tool.name, **await set_up(place, stage_of(tool.name).args)))
        await place.approve()
        row = await place.call()
        assert row.verified, row.detail
        if row.undo:
            await place.undo(row)
            if await place.has_card():
                await place.approve()
    sent = [r for r in place.lab.traffic.requests if r.service.partition(":")[0] == tool.service.name]
    assert sent
    found = [line for request in sent for line in faults(tool.service.name, request)]
    assert not found, "\n".join(found)


def faults(service: str, request: Request) -> Iterator[str]:
    """What is wrong with a request and its answer, a line each."""
    spec = described(service)
    line = f"{request.method} {request.path}"
    hit = next((hit for hit in spec.find(request.path) if request.method.lower() in hit[1]), None)
    if hit is None:
        if not NOT_DESCRIBED.match(request.path):
            yield f"{line}: unknown"
        return
    template, item, values = hit
    operation = item[request.method.lower()]
    query = parse_qs(request.query, keep_blank_values=True)
    errors, _ = (
        validator()
        .Checker(spec, False)
        .check(request.method, template, operation, values, query, request.headers, {}, request.body)
    )
    for error in errors:
        if not (service in GO and error["detail"].startswith("None is not of type")):
            yield f"{line}: {error['kind']} in {error['in']} {error['name']}: {error['detail']}"
    answer = operation["responses"].get(str(request.status))
    schema = (answer or {}).get("content", {}).get("application/json", {}).get("schema")
    if answer is None and (request.status or 0) < 400:  # most leave out how they refuse
        yield f"{line}: answered {request.status}, which is not described"
    elif schema and request.answer:
        for error in Draft202012Validator(schema).iter_errors(json.loads(request.answer)):
            if error.instance is None and service in GO:
                continue
            yield f"{line}: its answer at {'.'.join(map(str, error.absolute_path))}: {error.message[:120]}"


def test_a_request_and_an_answer_that_are_not_as_described_are_found() -> None:
    bad = Request("pihole:attic", "POST", "/api/dns/blocking", "x=1", {}, b'{"blocking": "no"}', 0.0, True, 200)
    bad.answer = b'{"blocking": 5}'
    found = "\n".join(faults("pihole", bad))
    assert all(word in found for word in ("missing_auth", "unknown_param in query x", "its answer at blocking"))
    assert list(faults("pihole", Request("pihole:attic", "GET", "/api/nothing", "", {}, b"", 0.0, False))) != []
