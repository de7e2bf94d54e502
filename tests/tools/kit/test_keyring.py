"""The docker command's credentials: whatever it keeps and can be used."""

import base64
import json
import time
from pathlib import Path
from typing import Any

import pytest

from tools.kit.registries import keyring as rings
from tools.kit.registries.keyring import Keyring
from tools.kit.registries.names import registry_of

HUB = "https://index.docker.io/v1/"


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
    monkeypatch.setattr(rings, "HELPER_SECONDS", 0.5)
    helper(tmp_path, monkeypatch, body)
    began = time.monotonic()
    header, wrong = kept(tmp_path, {"credsStore": "test"}).header_for("redis")
    assert header == {} and time.monotonic() - began < 5
    assert body == "echo 1" or "docker-credential-test" in wrong
