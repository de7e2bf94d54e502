"""The version of the API: the newest that both sides know, asked for again when the engine has become another one."""

import re
from typing import Any

import pytest
from pydantic import ValidationError

from lab.services.docker import system
from tests.tools.conftest import Rack
from tools.docker.hosts import DockerHosts
from tools.docker.settings import Options, Settings
from tools.docker.versions import agreed
from tools.kit import Access, BadAnswer, Refused, ToolFailed

TOO_NEW = '{"message": "client version 1.47 is too new. Maximum supported API version is 1.40"}'
TOO_OLD = '{"message": "client version 1.43 is too old. Minimum supported API version is 1.44, please upgrade"}'


def told(newest: Any, oldest: Any = "1.24") -> dict[str, Any]:
    return {"ApiVersion": newest, "MinAPIVersion": oldest}


@pytest.mark.parametrize(
    ("answer", "wanted", "spoken"),
    [
        (told("1.41"), None, (1, 41)), (told("1.52", "1.44"), None, (1, 52)), (told("1.99", "1.44"), None, (1, 55)),
        (told("1.47"), (1, 44), (1, 44)), (told("1.44"), (1, 47), (1, 44)), ({"ApiVersion": "1.47"}, None, (1, 47)),
        (told("1.47", "nonsense"), None, (1, 47)),
    ],
)  # fmt: skip
def test_the_newest_that_both_know_is_spoken(answer: Any, wanted: Any, spoken: tuple[int, int]) -> None:
    assert agreed("Docker on nas", answer, wanted) == spoken


@pytest.mark.parametrize(
    ("answer", "wanted", "why"),
    [
        (told("1.40"), None, r"too old: .*1\.40.*1\.41.*update Docker there"),
        (told("1.99", "1.60"), None, r"too new: .*1\.60.*1\.55.*update the bot"),
        (told("1.52", "1.44"), (1, 43), r"wants API 1\.44.*DOCKER_API_VERSION"),
    ],
)
def test_where_there_is_none_it_is_said_who_must_move(answer: Any, wanted: Any, why: str) -> None:
    with pytest.raises(Refused, match=why):
        agreed("Docker on nas", answer, wanted)


@pytest.mark.parametrize("answer", [None, [], {}, told(1.47), told("1.47.2"), told("v1"), told("9" * 999)])
def test_what_says_no_version_is_no_engine(answer: Any) -> None:
    with pytest.raises(BadAnswer, match="which API it speaks"):
        agreed("Docker on nas", answer, None)


def spoken_to(rack: Rack) -> list[str]:
    """The versions of all requests so far, in order, without the question for it."""
    found = [re.match(r"/v([\d.]+)/", request.path) for request in rack.traffic.requests]
    return list(dict.fromkeys(match[1] for match in found if match))


async def test_an_engine_replaced_under_the_running_bot_is_spoken_to_in_its_version(
    rack: Rack, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = await rack.read("restart_container", container=await rack.id("redis"))
    await change.do(rack.writer)
    for newest, oldest in ((44, 24), (52, 48), (41, 24)):
        monkeypatch.setattr(system, "API", newest)
        monkeypatch.setattr(system, "OLDEST_API", oldest)
        assert (await rack.read("list_containers", host="nas")).down == []
        await change.do(rack.writer)
    assert spoken_to(rack) == ["1.47", "1.44", "1.52", "1.41"] and len(rack.writes()) == 4


@pytest.mark.parametrize("body", [TOO_NEW, TOO_OLD])
async def test_a_refusal_repeats_a_read_once(rack: Rack, body: str) -> None:
    engine = rack.reader["nas"]
    await engine.ask(lambda api: api.networks())
    rack.traffic.fault("docker:nas", path="/networks", status=400, body=body)
    assert await engine.ask(lambda api: api.networks())
    begun = len(rack.traffic.requests)
    rack.traffic.fault("docker:nas", path="/networks", status=400, body=body, times=None)
    with pytest.raises(Refused, match="another version"):
        await engine.ask(lambda api: api.networks())
    paths = [request.path for request in rack.traffic.requests[begun:]]
    assert [path.rpartition("/")[2] for path in paths] == ["networks", "version", "networks"]


async def test_a_refused_change_is_not_sent_again_and_has_not_happened(rack: Rack) -> None:
    change = await rack.read("restart_container", container=await rack.id("redis"))
    rack.traffic.fault("docker:nas", method="POST", status=400, body=TOO_NEW)
    with pytest.raises(Refused, match="did nothing: try again") as caught:
        await change.do(rack.writer)
    assert not caught.value.sent and len(rack.writes()) == 1
    await change.do(rack.writer)
    assert len(rack.writes()) == 2


async def test_another_400_is_not_taken_for_one(rack: Rack) -> None:
    rack.traffic.fault("docker:nas", path="/networks", status=400, body='{"message": "invalid filter"}')
    with pytest.raises(Refused, match="invalid filter"):
        await rack.reader["nas"].ask(lambda api: api.networks())


async def test_an_engine_below_our_minimum_is_said_as_such(rack: Rack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "API", 38)
    result = await rack.read("list_containers")
    assert [down.name for down in result.down] == ["nas", "mini"]
    assert all(down.reason.startswith("is too old: it speaks API 1.38 at most") for down in result.down)


async def test_what_docker_is_told_by_its_setting_holds_here(rack: Rack) -> None:
    address = rack.reader["nas"].address
    limited = DockerHosts({"nas": address}, Access.READ, options=Settings(docker_api_version="1.42").options)
    await limited["nas"].ask(lambda api: api.networks())
    await limited.close()
    assert spoken_to(rack) == ["1.42"] and Settings().options.newest is None and Options().newest is None
    for wrong in ("1.40", "2", "newest", "1.47.1"):
        with pytest.raises(ValidationError, match="docker_api_version"):
            Settings(docker_api_version=wrong)


async def test_something_else_at_the_address_is_no_engine(rack: Rack) -> None:
    rack.traffic.fault("docker:nas", path="^/version$", status=404, body="<html>no</html>", times=None)
    with pytest.raises(ToolFailed, match="which API it speaks: check that its address is right"):
        await rack.reader["nas"].ask(lambda api: api.networks())
