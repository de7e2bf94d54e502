"""What services answer may lack fields, hold null or another type: a read then says so, and never breaks."""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from random import Random
from typing import Any

import pytest

from tests.generated.stages import Place, read_args, set_up
from tools.kit.registry import catalogue, discover
from tools.kit.service import Risk

TOOLS = catalogue(discover())
READING = [name for name, tool in TOOLS.items() if tool.risk == Risk.READ and not tool.service.own]
SPOILED = 12
"""Answers a tool, each with one place spoiled."""
OTHERS: tuple[Any, ...] = (None, True, 0, -1, 10**20, 0.5, "", "x", [], {}, [None], {"x": 1})


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container in a value with each of its keys."""
    for key, inner in list(value.items() if isinstance(value, dict) else enumerate(value)):
        yield value, key
        if isinstance(inner, dict | list):
            yield from places(inner)


def spoiled(body: bytes, random: Random) -> str:
    """The answer with one field left out, or with something else in it."""
    value = json.loads(body)
    container, key = random.choice(
        list(places({"whole": value})) if isinstance(value, dict | list) else [({}, "whole")]
    )
    if random.random() < 0.3 and key != "whole":
        del container[key]
    else:
        container[key] = random.choice(OTHERS)
    return json.dumps(container["whole"] if key == "whole" else value)


def is_json(body: bytes) -> bool:
    """Whether it is one value; a stream of events is many."""
    with suppress(ValueError):
        return isinstance(json.loads(body), dict | list)
    return False


@pytest.mark.parametrize("name", READING)
async def test_no_answer_breaks_a_read(place: Place, name: str) -> None:
    args = await set_up(place, read_args(name, TOOLS[name].input_schema))
    place.lab.traffic.keeps_answers, random = True, Random(name)
    assert " broke (" not in await place.read(name, **args)
    answers = [r for r in place.requests() if r.method == "GET" and r.status == 200 and is_json(r.answer)]
    place.lab.traffic.keeps_answers = False
    for request in random.choices(answers, k=SPOILED) if answers else []:
        body = spoiled(request.answer, random)
        path = f"^{re.escape(request.path)}$"
        place.lab.traffic.fault(request.service, path=path, status=200, body=body, times=None)
        told = await place.read(name, **args)
        assert " broke (" not in told, f"{request.path} answered {body}"
        place.lab.traffic.clear()
