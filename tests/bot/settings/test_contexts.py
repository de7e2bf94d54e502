"""Where no address is set, the docker command's context decides, here as there; one of no use is refused."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from bot.settings.settings import BadConfiguration, load
from tests.place import environment
from tools.kit.registry import discover

DOCKER = [service for service in discover() if service.name == "docker"]


def loaded(folder: Path, **values: str) -> Any:
    """Docker's settings where the docker command's files are in this folder."""
    with environment({"DOCKER_CONFIG": str(folder), **values}):
        return load(DOCKER, None)[1]["docker"]


def context(folder: Path, host: Any, *, chosen: bool = True, tls: bool = False) -> None:
    its = sha256(b"home").hexdigest()
    for kind in ("meta", "tls") if tls else ("meta",):
        (folder / "contexts" / kind / its / "docker").mkdir(parents=True)
    meta = {"Name": "home", "Endpoints": {"docker": {"Host": host}}}
    (folder / "contexts" / "meta" / its / "meta.json").write_text(json.dumps(meta))
    (folder / "config.json").write_text(json.dumps({"currentContext": "home"} if chosen else {}))


@pytest.mark.parametrize("chosen", [True, False])
def test_the_chosen_context_says_where_to_ask(tmp_path: Path, chosen: bool) -> None:
    context(tmp_path, "tcp://nas:2376", chosen=chosen, tls=True)
    named = {} if chosen else {"DOCKER_CONTEXT": "home"}
    found = loaded(tmp_path, **named)
    assert found.hosts == {"nas": "https://nas:2376"}
    assert found.options.certificates.relative_to(tmp_path).parts[:2] == ("contexts", "tls")
    for name, address in (("DOCKER_HOST", "ssh://pi"), ("DOCKER_HOSTS", '{"pi": "ssh://pi"}')):
        assert loaded(tmp_path, **named, **{name: address}).hosts == {"pi": "ssh://pi"}, "an address goes ahead"
    default = loaded(tmp_path, DOCKER_CONTEXT="default")
    assert default.hosts == loaded(tmp_path / "nowhere").hosts and not default.docker_tls


def test_without_certificates_it_is_asked_as_it_is_written(tmp_path: Path) -> None:
    context(tmp_path, "ssh://me@nas")
    assert loaded(tmp_path).hosts == {"nas": "ssh://me@nas"}


@pytest.mark.parametrize("host", ["npipe:////./pipe/docker", "tcp://nas", "", None, 7, ["x"], "ssh://me:secret@nas"])
def test_a_context_that_cannot_be_used_is_refused_once_and_the_local_socket_is_not_asked(
    tmp_path: Path, host: Any
) -> None:
    context(tmp_path, host)
    with pytest.raises(BadConfiguration, match="DOCKER_CONTEXT: 'home' in .* has an address") as refused:
        loaded(tmp_path)
    assert str(refused.value).count("DOCKER_CONTEXT") == 1 and "secret" not in str(refused.value)


@pytest.mark.parametrize("name", ["gone", "../..", "\udc80"])
def test_a_context_that_is_gone_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"currentContext": name}))
    with pytest.raises(BadConfiguration, match="no usable context"):
        loaded(tmp_path)
