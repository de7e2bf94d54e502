"""Where the Docker engines are, and how the docker command of this user would ask them."""

import ipaddress
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator, model_validator
from pydantic_settings import NoDecode

from tools.docker.contexts import current, endpoint
from tools.docker.versions import OLDEST, Version, parsed, written
from tools.kit import ServiceSettings
from tools.kit.registries.names import host_of
from tools.kit.settings import checked, named
from tools.kit.strict import unique
from tools.kit.types import IDENT

DEFAULT_SOCKET = Path("/var/run/docker.sock")
FORMS = "unix:///var/run/docker.sock, https://nas:2376, tcp://nas:2375 or ssh://user@host"


def at_home(name: str) -> Path:
    """The path with `~` spelled out; as it is where nobody is at home."""
    return Path(os.path.expanduser(name))  # noqa: PTH111 - a Path's own raises where nobody is


def there(path: Path) -> bool:
    """Whether something is there, as far as one may look."""
    return os.path.exists(path)  # noqa: PTH110 - a Path's own raises where one may not


@dataclass(frozen=True)
class Options:
    """What the docker command goes by besides the address."""

    folder: Path = Path(os.devnull)
    """Where its config.json is; nowhere, unless the settings say."""
    certificates: Path | None = None
    """Where ca.pem, cert.pem and key.pem are; in the same folder when nobody says."""
    newest: Version | None = None
    """The newest version of the API to speak."""
    auths: str = field(default="", repr=False)
    """Credentials for registries as JSON, ahead of those in config.json."""
    registries: Mapping[str, str] = field(default_factory=dict)
    """Registry → where it is asked instead of under its name."""
    only_signed: bool = False
    """Whether only images may be pulled whose signature has been checked."""

    def of(self, host: str) -> "Options":
        """The same for one host, which may have certificates of its own."""
        own = (self.certificates or self.folder) / host
        return replace(self, certificates=own) if there(own / "ca.pem") else self


class Settings(ServiceSettings):
    """Docker hosts. Without any setting the local socket is used when it exists.

    A setting of the docker command's that is about safety is obeyed or refused, never passed over.
    """

    docker_hosts: Annotated[dict[str, str], NoDecode] = {}
    """Docker hosts as a JSON object, name to address: {"nas": "ssh://admin@nas", "mini": "https://mini:2376"}."""
    docker_host: str = ""
    """A single Docker host, as the docker command knows it; used when DOCKER_HOSTS is empty."""
    docker_tls_verify: str = ""
    """Anything here makes a tcp:// host one for TLS, as with the docker command; https:// always is."""
    docker_tls: Annotated[str, Field(exclude=True)] = ""
    """As DOCKER_TLS_VERIFY: here a certificate is always checked."""
    docker_cert_path: str = ""
    """Folder with ca.pem, cert.pem and key.pem for TLS (~/.docker when empty); a folder in it that is named like a host
    is for that host alone."""
    docker_config: str = ""
    """Folder of the docker command's config.json, for registries' credentials (~/.docker when empty)."""
    docker_registries: Annotated[dict[str, str], NoDecode] = {}
    """Where registries are asked for updates instead of under their names, as a JSON object:
    {"docker.io": "https://mirror.lan", "nas:5000": "http://nas:5000"}."""
    docker_api_version: str = ""
    """Newest version of the Docker API to speak, such as 1.47; each engine is asked when empty."""
    docker_content_trust: Annotated[str, Field(exclude=True)] = ""
    """Anything but 0 or false: nothing is pulled, because signatures cannot be checked here."""
    docker_auth_config: Annotated[SecretStr, Field(exclude=True)] = SecretStr("")
    """Credentials for registries, ahead of those in config.json."""
    docker_context: Annotated[str, Field(exclude=True, validate_default=True)] = ""
    """The context to use; that of config.json when empty, and none where an address is set."""

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

    @field_validator("docker_registries", mode="before")
    @classmethod
    def _mirrors(cls, value: Any) -> Any:
        return named(value)

    @field_validator("docker_registries")
    @classmethod
    def _each_mirror(cls, value: dict[str, str]) -> dict[str, str]:
        for registry, address in value.items():
            if not registry:
                raise ValueError('must be a JSON object like {"docker.io": "https://mirror.lan"}')
            checked(address)
        return {host_of(registry): address for registry, address in value.items()}

    @field_validator("docker_host")
    @classmethod
    def _address(cls, value: str) -> str:
        if value:
            _check(value)
        return value

    @field_validator("docker_api_version")
    @classmethod
    def _version(cls, value: str) -> str:
        if value and (parsed(value) or (0, 0)) < OLDEST:
            raise ValueError(f"must be a version such as 1.47, and {written(OLDEST)} at least")
        return value

    @field_validator("docker_cert_path")
    @classmethod
    def _used(cls, value: str, info: ValidationInfo) -> str:
        hosts = info.data.get("docker_hosts") or {"": info.data.get("docker_host") or ""}
        schemes = {address.partition(":")[0] for address in hosts.values()}
        tls = "https" in schemes or info.data.get("docker_tls_verify") or info.data.get("docker_tls")
        if value and "tcp" in schemes and not tls:
            raise ValueError("is of no use without TLS; set DOCKER_TLS_VERIFY=1, or use https:// addresses")
        return value

    @field_validator("docker_context")
    @classmethod
    def _chosen(cls, value: str, info: ValidationInfo) -> str:
        if info.data.get("docker_hosts") or info.data.get("docker_host"):
            return ""
        folder = _folder(info.data.get("docker_config", ""))
        value = value or current(folder)
        if value not in ("", "default"):
            _check(endpoint(folder, value)[0], f"{value!a} in {folder} ")
        return value

    @model_validator(mode="after")
    def _as_docker_would(self) -> "Settings":
        if self.docker_context not in ("", "default"):
            self.docker_host, certificates = endpoint(_folder(self.docker_config), self.docker_context)
            if there(certificates):
                self.docker_tls, self.docker_cert_path = self.docker_tls or "1", str(certificates)
        return self

    @property
    def hosts(self) -> dict[str, str]:
        """Every host's address by its name; empty when there is none."""
        if not (self.docker_tls_verify or self.docker_tls):
            return self._named()
        return {name: re.sub("^tcp:", "https:", address) for name, address in self._named().items()}

    def _named(self) -> dict[str, str]:
        if self.docker_hosts:
            return self.docker_hosts
        address = self.docker_host or (f"unix://{DEFAULT_SOCKET}" if there(DEFAULT_SOCKET) else "")
        if not address:
            return {}
        name = urlsplit(address).hostname or "local"
        return {name if IDENT.fullmatch(name) else "local": address}

    @property
    def options(self) -> Options:
        """How to ask them."""
        return Options(
            folder=_folder(self.docker_config),
            auths=self.docker_auth_config.get_secret_value(),
            registries=self.docker_registries,
            certificates=at_home(self.docker_cert_path) if self.docker_cert_path else None,
            newest=parsed(self.docker_api_version),
            only_signed=self.docker_content_trust.strip().lower() not in ("", "0", "f", "false"),
        )

    @property
    def configured(self) -> bool:
        """Whether there is any host."""
        return bool(self.hosts)

    @property
    def absence(self) -> str:
        """Why there is none, and what to do."""
        return f"there is no {DEFAULT_SOCKET}: start Docker, or set DOCKER_HOSTS"


def _folder(docker_config: str) -> Path:
    """Where the docker command's files are."""
    return at_home(docker_config or "~/.docker")


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
    scheme = "tcp" if url.scheme == "https" else url.scheme
    return (scheme, host, str(port), url.username or "")


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
        case "tcp" | "https":
            fine = bool(url.hostname and port) and url.username is None and url.path in ("", "/")
        case "ssh":
            fine = bool(url.hostname) and url.path in ("", "/")
        case _:
            fine = False
    if not fine:
        raise wrong
