"""Registries' credentials: whatever the docker command keeps and can be used; without, it is asked without."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tests.tools.conftest import TOOLS, Rack
from tests.tools.kit.test_keyring import HUB, basic, kept
from tools.docker import service
from tools.docker.hosts import DockerHosts
from tools.docker.settings import Settings
from tools.kit import Access, Context, OutcomeUnknown, Refused, ToolFailed

IMAGE = "redis:7.4-alpine"


@pytest.fixture
async def asking(rack: Rack, tmp_path: Path) -> Any:
    """The rack asked by one who has this config.json; gives the headers with which the registry's part was asked."""
    opened: list[DockerHosts] = []

    async def ask(config: Any) -> list[str | None]:
        kept(tmp_path, config)
        hosts = {name: engine.address for name, engine in rack.reader.items()}
        settings = Settings(docker_hosts=hosts, docker_config=str(tmp_path))
        reader, writer = await service.open(settings, Access.READ), await service.open(settings, Access.WRITE)
        opened.extend((reader, writer))
        begun = len(rack.traffic.requests)
        change = await TOOLS["pull_image"].run(Context(reader), image=IMAGE, host="nas")
        await change.do(writer)
        assert change.expect(change.facts, await change.facts.again(reader))
        asked = [r for r in rack.traffic.requests[begun:] if "/distribution/" in r.path or r.path.endswith("/create")]
        assert {r.method for r in asked} == {"GET", "POST"}
        return list({r.headers.get("x-registry-auth") for r in asked})

    yield ask
    for hosts in opened:
        await hosts.close()


async def test_the_engine_gets_the_credentials_with_the_request(asking: Any) -> None:
    [header] = await asking({"auths": {HUB: {"auth": basic("me", "secret")}}})
    assert json.loads(base64.urlsafe_b64decode(header))["password"] == "secret"


@pytest.mark.parametrize(
    "config",
    [
        {}, {"credsStore": "desktop"}, {"credHelpers": {HUB: "nobody"}}, {"credsStore": 7}, {"credHelpers": []},
        {"auths": {HUB: {"auth": "not base64"}}}, {"auths": {HUB: "x"}}, {"auths": {HUB: None}}, {"auths": 1},
        {"HttpHeaders": 1}, {"HttpHeaders": {"X-Bad\n": "x", "X-Worse": "a\r\nb", "X-Odd": 1}}, {"proxies": 1},
        {"auths": {HUB: {"auth": basic("", "x")}}}, "", "{", "[]", "null", "\0", "[" * 100_000, "x" * (2**20 + 1),
    ],
)  # fmt: skip
async def test_nothing_in_the_docker_commands_file_keeps_an_image_from_being_pulled(asking: Any, config: Any) -> None:
    assert await asking(config) == [None]


async def test_a_pull_that_fails_says_what_was_wrong_with_the_credentials(
    rack: Rack, asking: Any, tmp_path: Path
) -> None:
    body = json.dumps({"error": "pull access denied for redis"})
    rack.traffic.fault("docker:nas", method="POST", path="/images/create", status=200, body=body)
    with pytest.raises(Refused, match=r"access denied.*without credentials, for .*docker-credential-desktop is not"):
        await asking({"credsStore": "desktop"})


async def test_no_credential_is_quoted(rack: Rack, asking: Any) -> None:
    body = json.dumps({"message": "login with me and hunter-2-hunter failed"})
    rack.traffic.fault("docker:nas", method="POST", path="/images/create", status=400, body=body)
    with pytest.raises(ToolFailed, match="login with me and ••• failed"):
        await asking({"auths": {HUB: {"auth": basic("me", "hunter-2-hunter")}}})


async def test_headers_that_the_file_asks_for_go_with_every_request(rack: Rack, asking: Any) -> None:
    begun = len(rack.traffic.requests)
    await asking({"HttpHeaders": {"X-Meta": "nas", "User-Agent": "mine"}})
    sent_along = {(r.headers.get("x-meta"), r.headers["user-agent"][:10]) for r in rack.traffic.requests[begun:]}
    assert sent_along == {("nas", "docker-sdk")}


async def test_the_sdks_own_refusals_are_ours_to_translate(rack: Rack) -> None:
    for hosts, error in ((rack.reader, ToolFailed), (rack.writer, OutcomeUnknown)):
        with pytest.raises(ToolFailed, match=r"asked this.*\(Resource ID was not provided\)") as caught:
            await hosts["nas"].ask(lambda api: api.start(""))
        assert type(caught.value) is error


async def test_where_only_signed_images_may_be_pulled_none_is(rack: Rack) -> None:
    rack.reader.options = Settings(docker_content_trust="1").options
    with pytest.raises(Refused, match="DOCKER_CONTENT_TRUST is set"):
        await rack.read("pull_image", image=IMAGE, host="nas")
    removal = await rack.read("remove_image", image="alpine:3.19", host="nas")
    assert removal.way_back("") is None and any("DOCKER_CONTENT_TRUST" in note for note in removal.notes)
    assert not Settings(docker_content_trust="0").options.only_signed
