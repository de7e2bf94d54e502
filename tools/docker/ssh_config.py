"""How this user's own ssh would go about a host: its configuration and known hosts, obeyed or refused."""

import base64
import shlex
from binascii import Error as NotBase64
from dataclasses import dataclass
from fnmatch import fnmatchcase
from glob import glob
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from paramiko import Agent, HostKeys, ProxyCommand, SSHConfig, SSHException, Transport  # type: ignore[import-untyped]
from paramiko.hostkeys import HostKeyEntry, InvalidHostKey  # type: ignore[import-untyped]

from tools.docker.settings import at_home, there
from tools.kit import Refused

CONFIGS = ("~/.ssh/config", "/etc/ssh/ssh_config")
KNOWN = {
    "userknownhostsfile": "~/.ssh/known_hosts ~/.ssh/known_hosts2",
    "globalknownhostsfile": "/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2",
}
ALGORITHMS = {
    "ciphers": "ciphers", "macs": "macs", "kexalgorithms": "kex", "hostkeyalgorithms": "keys",
    "pubkeyacceptedalgorithms": "pubkeys", "pubkeyacceptedkeytypes": "pubkeys",
}  # fmt: skip
"""Option that lists algorithms → what paramiko calls them."""
BEYOND_US = {
    "proxyjump": "use ProxyCommand ssh -W %h:%p HOST instead",
    "include": "move it above the first Host",
    **dict.fromkeys(("hostkeyalias", "revokedhostkeys", "knownhostscommand"), "keep known_hosts itself right instead"),
    **dict.fromkeys(("certificatefile", "identityagent", "pkcs11provider"), "name a key with IdentityFile instead"),
    **dict.fromkeys(("bindaddress", "bindinterface"), "take it out for this host"),
}
"""Options that decide whom we trust and how we get there, and that cannot be followed → what to do."""
DEEPEST = 16


@dataclass(frozen=True)
class Way:
    """How to get to a host."""

    params: dict[str, Any]
    """What paramiko's `connect` takes."""
    known: HostKeys
    """Whose keys are known."""
    agent: Agent | None
    """The one whose keys may be offered; None: whichever there is, with all of its keys."""


def way_to(service: str, address: str) -> Way:
    """The way to an ssh:// address. Raises ToolFailed when an option stands in it."""
    url = urlsplit(address)
    assert url.hostname is not None, "the settings check it"
    found = _options(service, url.hostname)
    for name, instead in BEYOND_US.items():
        if found.get(name, "none").lower() not in ("none", "ssh_auth_sock"):
            raise Refused(
                f"{service} was not asked: the ssh configuration has {name} for {url.hostname}, which the bot cannot"
                f" follow: {instead}."
            )
    files = [file for file in found.get("identityfile", ()) if there(Path(file))]
    params: dict[str, Any] = {
        "hostname": found["hostname"],
        "port": url.port or found["port"],
        "username": url.username or found.get("user"),
        "key_filename": files,
        "allow_agent": found.get("identityagent", "").lower() != "none",
        "disabled_algorithms": _disabled(service, found),
    }
    agent = None
    if found.get("identitiesonly", "no").lower() == "yes" and "identityfile" in found:
        params["look_for_keys"], agent = False, _Named(files)
    if command := found.get("proxycommand"):
        params["sock"] = ProxyCommand(command)
    return Way(params, _known_hosts(found), agent)


class _Named(Agent):  # type: ignore[misc]
    """An agent that offers only keys whose public halves lie beside the named files."""

    def __init__(self, files: list[str]) -> None:
        super().__init__()
        public = {part for file in files for line in _lines(f"{file}.pub") for part in line.split()[1:2]}
        self._keys: tuple[Any, ...] = tuple(
            key for key in self._keys if base64.b64encode(key.asbytes()).decode() in public
        )


def _options(service: str, host: str) -> Any:
    config = _Config()
    try:
        for file in CONFIGS:
            _read(config, at_home(file), DEEPEST)
        found = config.lookup(host)
        return {**found, "port": int(found.get("port", 22))}
    except _MatchExec:
        why, then = "a Match exec, which the bot does not run", "match by host instead"
    except (OSError, SSHException, ValueError, KeyError) as error:
        why, then = f"something that cannot be read ({type(error).__name__})", "mend it"
    raise Refused(f"{service} was not asked: the ssh configuration has {why}: {then}.")


class _MatchExec(Exception):
    """Whether a part of the configuration is about a host is for a command to say."""


class _Config(SSHConfig):  # type: ignore[misc]
    """A configuration that runs no command to find out."""

    def _tokenize(self, config: Any, target_hostname: str, key: str, value: str) -> Any:
        if key == "match-exec":
            raise _MatchExec
        return super()._tokenize(config, target_hostname, key, value)


def _read(config: SSHConfig, file: Path, depth: int) -> None:
    """Take in a file and what it includes. Below a Host, an Include stays an option of that host."""
    try:
        rest = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return
    before: list[str] = []
    for number, line in enumerate(rest):
        word, _, value = line.strip().replace("=", " ", 1).partition(" ")
        if word.lower() in ("host", "match"):
            config.parse([*before, *rest[number:]])
            return
        if word.lower() != "include":
            before.append(line)
            continue
        config.parse(before)
        before = []
        for pattern in shlex.split(value) if depth else ():
            for included in sorted(glob(str(file.parent / at_home(pattern)))):  # noqa: PTH207 - it may be absolute
                _read(config, Path(included), depth - 1)
    config.parse(before)


def _disabled(service: str, found: Any) -> dict[str, list[str]]:
    """The algorithms that the configuration does not permit."""
    disabled: dict[str, list[str]] = {}
    for option, kind in ALGORITHMS.items():
        if (value := found.get(option)) is None:
            continue
        known = getattr(Transport, f"_preferred_{kind}")
        disabled[kind] = [name for name in known if not _permits(value, name)]
        if len(disabled[kind]) == len(known):
            raise Refused(f"{service} was not asked: of the {option} in the ssh configuration the bot knows none.")
    return disabled


def _permits(value: str, name: str) -> bool:
    """Whether a list of algorithms has this one; `+` adds to the usual ones, `^` prefers, `-` takes away."""
    named = any(fnmatchcase(name, pattern) for pattern in value.lstrip("+^-").split(","))
    return value[:1] in "+^" or (not named if value.startswith("-") else named)


def _known_hosts(found: Any) -> HostKeys:
    """Whoever is in known_hosts, without the keys that it revokes. Authorities vouch for nobody here."""
    known, revoked, entries = HostKeys(), set(), []
    for option, usual in KNOWN.items():
        for line in (line for file in shlex.split(found.get(option, usual)) for line in _lines(file)):
            if line.startswith("@revoked"):
                revoked.update(line.split()[1:4])
            elif not line.startswith(("@", "#")) and (entry := _entry(line)):
                entries.append(entry)
    for entry in entries:
        if base64.b64encode(entry.key.asbytes()).decode() not in revoked:
            known._entries.append(entry)  # `add` would keep one key of a kind for each name
    return known


def _entry(line: str) -> HostKeyEntry | None:
    try:
        return HostKeyEntry.from_line(line)
    except (InvalidHostKey, SSHException, NotBase64, ValueError):
        return None  # a damaged line lets nobody in


def _lines(file: str) -> list[str]:
    try:
        lines = at_home(file).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []  # as ssh does
    return [line for line in map(str.strip, lines) if line]
