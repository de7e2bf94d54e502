"""Where the Docker engines are."""

import ipaddress
import json
import os
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import field_validator
from pydantic_settings import NoDecode

from tools.kit import ServiceSettings
from tools.kit.strict import unique
from tools.kit.types import IDENT

DEFAULT_SOCKET = Path("/var/run/docker.sock")
FORMS = "unix:///var/run/docker.sock, tcp://nas:2375 or ssh://user@host"


class Settings(ServiceSettings):
    """Docker hosts. Without any setting the local socket is used when it exists."""

    docker_hosts: Annotated[dict[str, str], NoDecode] = {}
    """Docker hosts as a JSON object, name to address: {"nas": "ssh://admin@nas", "mini": "tcp://mini:2375"}."""
    docker_host: str = ""
    """A single Docker host, as the docker command knows it; used when DOCKER_HOSTS is empty."""

    @field_validator("docker_hosts", mode="before")
    @classmethod
    def _named_addresses(cls, value: Any) -> Any:
        if isinstance(value, str):
            try:
                value = json.loads(value or "{}", object_pairs_hook=unique)
            except (ValueError, RecursionError):
                raise ValueError('must be a JSON object like {"nas": "tcp://nas:2375"}') from None
        if not isinstance(value, dict):
            raise ValueError('must be a JSON object like {"nas": "tcp://nas:2375"}')
        for name, address in value.items():
            if not (isinstance(name, str) and IDENT.fullmatch(name)):
                raise ValueError("has a host name that is not letters, digits, '.', '_' or '-': rename it")
            _check(address, f"{name} ")
        names: dict[tuple[str, ...], str] = {}
        for name, address in value.items():
            if (first := names.setdefault(_place(address), name)) != name:
                # A rule such as FORBIDDEN_TARGETS=nas/db would bind under one of the names only.
                raise ValueError(f"has two names for one address, {first} and {name}: keep one of them")
        return value

    @field_validator("docker_host")
    @classmethod
    def _address(cls, value: str) -> str:
        if value:
            _check(value)
        return value

    @property
    def hosts(self) -> dict[str, str]:
        """Every host's address by its name; empty when there is none."""
        if self.docker_hosts:
            return self.docker_hosts
        address = self.docker_host or (f"unix://{DEFAULT_SOCKET}" if DEFAULT_SOCKET.exists() else "")
        if not address:
            return {}
        name = urlsplit(address).hostname or "local"
        return {name if IDENT.fullmatch(name) else "local": address}

    @property
    def configured(self) -> bool:
        """Whether there is any host."""
        return bool(self.hosts)


def _place(address: str) -> tuple[str, ...]:
    """Where an address leads, however it is spelled."""
    url = urlsplit(address)
    if url.scheme == "unix":
        return "unix", os.path.realpath(url.path)  # /var/run is /run
    host = (url.hostname or "").rstrip(".")
    try:
        ip = ipaddress.ip_address(host)
        host = "localhost" if ip.is_loopback else str(ip)
    except ValueError:
        pass
    port = url.port or 22
    return (url.scheme, host, str(port), url.username or "")


def _check(address: Any, whose: str = "") -> None:
    """Raise ValueError unless the address is one we can use; the message never contains it."""
    wrong = ValueError(f"{whose}has an address that is not like {FORMS}: correct it")
    if not isinstance(address, str) or not address.isprintable() or " " in address:
        raise wrong
    try:
        url = urlsplit(address)
        port = url.port
    except ValueError:
        raise wrong from None
    if url.password is not None or url.query or url.fragment:
        raise ValueError(f"{whose}has an address with a password or query in it: use an SSH key or no credential")
    match url.scheme:
        case "unix":
            fine = not url.netloc and url.path.startswith("/") and len(url.path) > 1
        case "tcp":
            fine = bool(url.hostname and port) and url.username is None and url.path in ("", "/")
        case "ssh":
            fine = bool(url.hostname) and url.path in ("", "/")
        case _:
            fine = False
    if not fine:
        raise wrong
