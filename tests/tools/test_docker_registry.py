"""Registries' credentials: whatever the docker command keeps and can be used; without, it is asked without."""

import base64
import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.tools.conftest import TOOLS, Rack
from tools.docker import credentials, service
from tools.docker.credentials import Keyring, registry_of
from tools.docker.hosts import DockerHosts
from tools.docker.settings import Settings
from tools.kit import Access, Context, OutcomeUnknown, Refused, ToolFailed

HUB = "https://index.docker.io/v1/"
IMAGE = "redis:7.4-alpine"


def kept(folder: Path, config: Any) -> Keyring:
    (folder / "config.json").write_text(config if isinstance(config, str) else json.dumps(config))
    return Keyring(folder)


def basic(username: str, password: str) -> str:
    return base64.b64encode(f"{username}:{password}".encode()).decode()


def sent(keyring: Keyring, image: str) -> dict[str, str]:
    """The credentials that go to the engine for an image."""
    header, wrong = keyring.header_for(image)
    assert not wrong
    return json.loads(base64.urlsafe_b64decode(header["X-Registry-Auth"])) if header else {}


def helper(folder: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    """A credential helper called `test`, before everything else in the PATH."""
    program = folder / "docker-credential-test"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


@pytest.mark.parametrize(
    ("image", "registry"),
    [
        ("redis", "docker.io"), ("redis:7", "docker.io"), ("me/app", "docker.io"), ("docker.io/me/app", "docker.io"),
        ("index.docker.io/me/app", "docker.io"), ("ghcr.io/me/app:1", "ghcr.io"), ("nas:5000/app", "nas:5000"),
        ("localhost/app", "localhost"), ("nas/app", "docker.io"),
    ],
)  # fmt: skip
def test_each_image_has_its_registry(image: str, registry: str) -> None:
    assert registry_of(image) == registry


def test_what_is_kept_in_the_file_goes_to_its_registry_alone(tmp_path: Path) -> None:
    auths = {
        HUB: {"auth": basic("me", "hub:secret")}, "ghcr.io": {"username": "you", "password": "ghcr-secret"},
        "https://nas:5000/v2/": {"identitytoken": "a-token"}, "quay.io": {}, "empty.io": {"auth": ""},
    }  # fmt: skip
    keyring = kept(tmp_path, {"auths": auths})
    assert sent(keyring, "redis") == {"username": "me", "password": "hub:secret", "serveraddress": HUB}
    assert sent(keyring, "ghcr.io/x/y")["password"] == "ghcr-secret"
    assert sent(keyring, "nas:5000/x") == {"identitytoken": "a-token", "serveraddress": "nas:5000"}
    assert sent(keyring, "quay.io/x") == sent(keyring, "empty.io/x") == sent(keyring, "other.io/x") == {}
    ahead = Keyring(tmp_path, json.dumps({"auths": {"https://ghcr.io": {"auth": basic("new", "env-secret")}}}))
    assert [sent(ahead, image)["username"] for image in ("ghcr.io/x", "redis")] == ["new", "me"]
    assert keyring.trouble() == ahead.trouble() == ""


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ('read key; echo "{\\"Username\\": \\"me\\", \\"Secret\\": \\"of $key\\"}"',
         {"username": "me", "password": f"of {HUB}", "serveraddress": HUB}),
        ("""echo '{"Username": "<token>", "Secret": "t"}'""", {"identitytoken": "t", "serveraddress": HUB}),
        ("""echo '{"Username": "", "Secret": ""}'""", {}),
        ("echo credentials not found in native keychain; exit 1", {}),
    ],
)  # fmt: skip
def test_a_helper_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, found: dict[str, str]) -> None:
    helper(tmp_path, monkeypatch, body)
    for config in ({"credsStore": "test"}, {"credHelpers": {HUB: "test"}}):
        assert sent(kept(tmp_path, config), "redis") == found
    assert sent(kept(tmp_path, {"credHelpers": {"ghcr.io": "test"}}), "redis") == {}, "it keeps another registry's"


@pytest.mark.parametrize("body", ["echo no; exit 1", "echo '{'", "echo 1", "sleep 30", "exit 1", "kill -9 $$"])
def test_a_helper_that_does_not_work_is_said_and_does_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    monkeypatch.setattr(credentials, "HELPER_SECONDS", 0.5)
    helper(tmp_path, monkeypatch, body)
    began = time.monotonic()
    header, wrong = kept(tmp_path, {"credsStore": "test"}).header_for("redis")
    assert header == {} and time.monotonic() - began < 5
    assert body == "echo 1" or "docker-credential-test" in wrong


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
