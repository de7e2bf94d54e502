"""Settings of services: one address or several, with what belongs to each."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BeforeValidator, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from tools.kit.strict import unique
from tools.kit.types import IDENT

ALL = ""
"""The name under which a value stands that holds for every address."""
SEVERAL = 'write one address, several with commas between them, or {"name": "https://host"}'


class ServiceSettings(BaseSettings):
    """Settings of one service; the docstring under a field is its line in `.env.example`."""

    model_config = SettingsConfigDict(
        extra="ignore", hide_input_in_errors=True, use_attribute_docstrings=True, env_ignore_empty=True
    )

    @property
    def configured(self) -> bool:
        """Whether the owner has switched this service on."""
        return bool(getattr(self, "url", ""))

    @property
    def absence(self) -> str:
        """What to do to have it, for the doctor."""
        return "see its lines in .env.example"


def _bare(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


def named(value: Any) -> dict[str, str]:
    """A JSON object of texts as it stands, any other text under the name `ALL`. Raises ValueError."""
    if isinstance(value, str) and value.startswith("{"):
        try:
            value = json.loads(value, object_pairs_hook=unique)
        except (ValueError, RecursionError):
            raise ValueError('is not a JSON object like {"name": "value"}') from None
    if isinstance(value, str):
        return {ALL: value} if value else {}
    if not isinstance(value, dict) or not all(isinstance(item, str) for pair in value.items() for item in pair):
        raise ValueError('is not a JSON object like {"name": "value"}')
    return {name: text.strip() for name, text in value.items() if text.strip()}


def _addresses(value: Any, schemes: tuple[str, ...] = ("http", "https")) -> dict[str, str]:
    """Addresses by name; those of a list are called by their hosts. Raises ValueError, which never quotes one."""
    found = named(_bare(value))
    if listed := found.pop(ALL, ""):
        found = {}
        for address in filter(None, map(str.strip, listed.split(","))):
            url = checked(address, schemes)
            host = url.hostname if url.hostname not in found else f"{url.hostname}-{url.port}"
            found[re.sub(r"[^\w.-]", "-", host or "", flags=re.ASCII)] = address
    places: set[tuple[Any, ...]] = set()
    for name, address in found.items():
        url = checked(address, schemes)
        if not IDENT.fullmatch(name):
            raise ValueError("has a name that is not letters, digits, '.', '_' or '-': rename it")
        place = url.scheme, url.hostname, url.port, url.path.rstrip("/")
        if place in places:
            raise ValueError("names one address twice: keep one of them")
        places.add(place)
    return found


def checked(address: str, schemes: tuple[str, ...] = ("http", "https")) -> Any:
    """The parts of an address that a client can be made of. Raises ValueError, which never quotes it."""
    wrong = ValueError(f"has an address that is not like {schemes[-1]}://host:port: {SEVERAL}")
    try:
        url = urlsplit(address)
        port = url.port
    except ValueError:
        raise wrong from None
    if url.scheme not in schemes or not url.hostname or not address.isprintable() or " " in address:
        raise wrong
    if url.username is not None or url.query or url.fragment or port == 0:
        raise ValueError("has an address with a credential, ? or # in it: credentials have a setting of their own")
    return url


Addresses = Annotated[dict[str, str], NoDecode, BeforeValidator(_addresses)]
"""`https://a`, `https://a,https://b` or `{"name": "https://a"}`, as addresses by name."""
NutAddresses = Annotated[dict[str, str], NoDecode, BeforeValidator(lambda value: _addresses(value, ("nut",)))]
"""The same of UPS servers: `nut://host`, or `nut://host:3493/ups` for one of its UPSes."""
Each = Annotated[dict[str, str], NoDecode, BeforeValidator(lambda value: named(_bare(value)))]
"""One text for every address, or a JSON object with one by each address's name."""
Secrets = Annotated[dict[str, SecretStr], NoDecode, BeforeValidator(lambda value: named(_bare(value)))]
"""The same for credentials."""


@dataclass(frozen=True)
class Place:
    """One address and how to be sure that it is the right one."""

    name: str
    url: str
    ca_file: str
    fingerprint: str


class AddressSettings(ServiceSettings):
    """Settings of a service that has addresses; a subclass adds its credential as `Secrets`."""

    url: Addresses = {}
    """Its address; several with commas, or as {"name": "https://host"}. Empty turns the service off."""

    def secret(self, field: str, name: str) -> str:
        """The credential in this field for the address of this name; empty when there is none."""
        value: SecretStr | str = self._of(getattr(self, field), name)
        return value.get_secret_value() if isinstance(value, SecretStr) else value

    @staticmethod
    def _of(values: dict[str, Any], name: str) -> Any:
        return values.get(name, values.get(ALL, ""))


class HttpSettings(AddressSettings):
    """Settings of a service that is reached over HTTP."""

    ca_file: Each = {}
    """PEM file of the authority behind its certificate, where that is not a public one."""
    fingerprint: Each = {}
    """SHA-256 fingerprint of its certificate, where that is self-signed: this one and no other."""

    def places(self) -> Iterator[Place]:
        """Every address with what belongs to it."""
        for name, url in self.url.items():
            yield Place(name, url, self._of(self.ca_file, name), self._of(self.fingerprint, name))
