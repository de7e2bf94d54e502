"""What the docker command of this user keeps for registries: `config.json` and the helpers that it names."""

import base64
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tools.kit.failures import quote
from tools.kit.masking import seen
from tools.kit.raw import Raw, record, text
from tools.kit.registries.names import HUB, Credentials, host_of, registry_of
from tools.kit.strict import strict_json
from tools.kit.threads import term

HUB_KEY = "https://index.docker.io/v1/"
"""What Docker Hub is called where credentials are kept."""
PUBLIC = frozenset({"username", "serveraddress"})
HELPER_SECONDS = 10.0
LARGEST_FILE = 2**20
_SHAPES: dict[str, type] = {"auths": dict, "credHelpers": dict, "HttpHeaders": dict, "credsStore": str}
_HELPER = re.compile(r"[A-Za-z0-9][\w.-]{0,60}")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class Keyring:
    """The credentials in one folder of the docker command. What cannot be used is as good as not there."""

    def __init__(self, folder: Path, auths: str = "") -> None:
        """`auths` is what DOCKER_AUTH_CONFIG holds; it goes ahead of the folder."""
        self._file, self._auths = folder / "config.json", auths

    def headers(self) -> dict[str, str]:
        """What is to be sent along with every request, as some proxies in front of an engine demand."""
        given = record(self._read()[0].get("HttpHeaders"))
        fine = {name: text(value) for name, value in given.items() if _HEADER.fullmatch(name)}
        return {name: value for name, value in fine.items() if value.isascii() and value.isprintable()}

    def header_for(self, image: str) -> tuple[dict[str, str], str]:
        """The header that gets the engine into the image's registry, none without usable credentials; what is wrong."""
        found, wrong = self.find(registry_of(image))
        if not found:
            return {}, wrong
        return {"X-Registry-Auth": base64.urlsafe_b64encode(json.dumps(found).encode()).decode()}, wrong

    def find(self, registry: str) -> tuple[Credentials, str]:
        """What is kept for a registry, and what is wrong with it; no message quotes any of it later."""
        found, wrong = self._find(registry)
        seen.learn(f"{name}_SECRET={value}" for name, value in found.items() if name not in PUBLIC)
        return found, wrong

    def trouble(self) -> str:
        """What is wrong with what is kept, and what to do; empty when nothing is."""
        if self._auths and self._given() is None:
            return "DOCKER_AUTH_CONFIG is damaged: mend it, or remove it; registries are asked without what is in it"
        config, wrong = self._read()
        helpers = [text(config.get("credsStore")), *map(text, record(config.get("credHelpers")).values())]
        missing = sorted({name for name in helpers if name and not _program(name)})
        entries = record(config.get("auths")).items()
        damaged = [registry for registry, entry in entries if _credentials(registry, entry) is None]
        if odd := next((name for name, kind in _SHAPES.items() if not isinstance(config.get(name, kind()), kind)), ""):
            wrong = f"{self._file} has a damaged {odd}: mend it, or remove it"
        if not wrong and missing:
            wrong = f"docker-credential-{quote(missing[0])}, which {self._file} names, is not installed"
        if not wrong and damaged:
            wrong = f"{self._file} has an unusable entry for {quote(damaged[0])}: docker login mends it"
        return f"{wrong}; registries are asked without credentials" if wrong else ""

    def _read(self) -> tuple[Raw, str]:
        try:
            with self._file.open("rb") as file:
                found = strict_json(file.read(LARGEST_FILE))
        except (FileNotFoundError, NotADirectoryError):
            return {}, ""
        except OSError as error:
            return {}, f"{self._file} cannot be read ({error.strerror})"
        except ValueError:
            found = None
        if not isinstance(found, dict):
            return {}, f"{self._file} is damaged: mend it, or remove it and log in again with docker login"
        return found, ""

    def _given(self) -> dict[str, Any] | None:
        """The entries of DOCKER_AUTH_CONFIG; None when any of it cannot be used, and then docker uses none of it."""
        try:
            found = strict_json(self._auths.encode()) if self._auths else {"auths": {}}
        except ValueError:
            return None
        auths = found.get("auths") if isinstance(found, dict) and found.keys() == {"auths"} else None
        usable = isinstance(auths, dict) and all(_credentials(name, entry) for name, entry in auths.items())
        return auths if usable else None

    def _find(self, registry: str) -> tuple[Credentials, str]:
        key = HUB_KEY if registry == HUB else registry
        for name, entry in (self._given() or {}).items():
            if host_of(name) == registry and (kept := _credentials(key, entry)):
                return kept, ""
        config, wrong = self._read()
        helper = text(record(config.get("credHelpers")).get(key)) or text(config.get("credsStore"))
        if helper:
            found, failed = _ask(helper, key)
            if found:
                return found, wrong
            wrong = wrong or failed
        for name, entry in record(config.get("auths")).items():
            if host_of(name) == registry:
                kept = _credentials(key, entry)
                if kept is None:
                    return {}, wrong or f"{self._file} has an unusable entry for {registry}"
                if kept:
                    return kept, wrong
        return {}, wrong


def _credentials(registry: str, entry: Any) -> Credentials | None:
    """What an entry of `auths` holds: nothing when a helper keeps it, None when it cannot be used."""
    if not isinstance(entry, dict):
        return None
    for name in ("identitytoken", "registrytoken"):
        if token := text(entry.get(name)):
            return {name: token, "serveraddress": registry}
    username, password = text(entry.get("username")), text(entry.get("password"))
    if kept := entry.get("auth"):
        try:
            username, colon, password = base64.b64decode(kept, validate=True).decode().strip("\0").partition(":")
        except (ValueError, TypeError):
            return None
        if not (username and colon):
            return None
    return {"username": username, "password": password, "serveraddress": registry} if username else {}


def _program(helper: str) -> str | None:
    return shutil.which(f"docker-credential-{helper}") if _HELPER.fullmatch(helper) else None


def _ask(helper: str, key: str) -> tuple[Credentials, str]:
    """What a helper keeps for a registry, and what kept it from answering."""
    program = _program(helper)
    if program is None:
        return {}, f"the credential helper docker-credential-{quote(helper)} is not installed"
    try:
        done = subprocess.run(
            [program, "get"], input=key.encode(), capture_output=True, timeout=term().left(HELPER_SECONDS), check=False
        )
        kept = strict_json(done.stdout) if done.returncode == 0 else None
    except (OSError, ValueError, subprocess.SubprocessError):
        return {}, f"the credential helper docker-credential-{quote(helper)} does not work"
    if done.returncode != 0:
        unknown = b"not found" in done.stdout
        return {}, "" if unknown else f"the credential helper docker-credential-{quote(helper)} refuses"
    username, secret = text(record(kept).get("Username")), text(record(kept).get("Secret"))
    if username == "<token>":
        return {"identitytoken": secret, "serveraddress": key}, ""
    return ({"username": username, "password": secret, "serveraddress": key} if secret else {}), ""
