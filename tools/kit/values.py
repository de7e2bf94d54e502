"""Values that many services take, in all their usual spellings; each is stored in one."""

import ipaddress
import re
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from tools.kit.types import Trust

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_MAC = re.compile(r"[0-9a-f]{12}")
_UNITS = {"": 1, "m": 1, "min": 1, "mins": 1, "minute": 1, "minutes": 1}
_UNITS |= {"h": 60, "hour": 60, "hours": 60, "d": 1440, "day": 1440, "days": 1440}
IDENT = Trust("ident")
"""Of these forms nothing can be made that reads like an order."""


def _text(read: Callable[[str], str], otherwise: str) -> BeforeValidator:
    """A validator of texts; ValueError says what to write instead."""

    def checked(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return read(value.strip())
        except ValueError:
            raise ValueError(otherwise) from None

    return BeforeValidator(checked)


def _domain(text: str) -> str:
    """`https://Ads.Example.com/x` and `ads.example.com.` are ads.example.com; letters beyond ASCII become `xn--…`."""
    host = re.sub(r"(?i)^[a-z][a-z0-9+.-]*://", "", text)
    host = re.split(r"[/?#:\s]", host, maxsplit=1)[0].rpartition("@")[2].rstrip(".")
    labels = host.lower().encode("idna").decode().split(".")
    if len(labels) < 2 or not all(map(_LABEL.fullmatch, labels)) or labels[-1].isdigit():
        raise ValueError
    return ".".join(labels)


def _mac(text: str) -> str:
    digits = re.sub(r"[:.\s-]", "", text).lower()
    if not _MAC.fullmatch(digits):
        raise ValueError
    return ":".join(digits[at : at + 2] for at in range(0, 12, 2))


def _minutes(value: Any) -> Any:
    """`5`, `5 min` and `2h` as minutes."""
    if not isinstance(value, str):
        return value
    found = re.fullmatch(r"(\d{1,5})\s*([a-z]*)", value.strip().lower())
    if found is None or found[2] not in _UNITS:
        raise ValueError("write minutes as a number, such as 5")
    return int(found[1]) * _UNITS[found[2]]


Domain = Annotated[
    str,
    IDENT,
    _text(_domain, "write a domain such as ads.example.com"),
    Field(max_length=253, description="A domain, such as ads.example.com."),
]
IPv4 = Annotated[
    str,
    IDENT,
    _text(lambda text: str(ipaddress.IPv4Address(text)), "write an IPv4 address such as 192.0.2.7"),
    Field(max_length=15, description="An IPv4 address."),
]
IPv6 = Annotated[
    str,
    IDENT,
    _text(lambda text: str(ipaddress.IPv6Address(text.strip("[]"))), "write an IPv6 address such as 2001:db8::7"),
    Field(max_length=39, description="An IPv6 address."),
]
Ip = Annotated[
    str,
    IDENT,
    _text(lambda text: str(ipaddress.ip_address(text.strip("[]"))), "write an IP address such as 192.0.2.7"),
    Field(max_length=39, description="An IPv4 or IPv6 address."),
]
Cidr = Annotated[
    str,
    IDENT,
    _text(lambda text: str(ipaddress.ip_network(text, strict=False)), "write a network such as 192.0.2.0/24"),
    Field(max_length=43, description="A network, such as 192.0.2.0/24."),
]
Mac = Annotated[
    str,
    IDENT,
    _text(_mac, "write a MAC address such as 00:00:5e:00:53:01"),
    Field(max_length=17, description="A MAC address, such as 00:00:5e:00:53:01."),
]
NetId = Annotated[str, IDENT, Field(max_length=64, description="What was kept for this Undo.")]
Minutes = Annotated[int, Field(ge=1, le=1440, description="Minutes, at most a day."), BeforeValidator(_minutes)]
Count = Annotated[int, Field(ge=1, le=100, description="How many, at most 100.")]
Percent = Annotated[float, Field(ge=0, le=100, description="From 0 to 100.")]
Port = Annotated[int, Field(ge=1, le=65535, description="A TCP or UDP port.")]


def gigabytes(size: int | None) -> float | None:
    """Bytes as people say them; nothing where they are not known."""
    return round(size / 10**9, 2) if size is not None else None
