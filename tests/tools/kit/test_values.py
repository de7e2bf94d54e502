"""Values in all their usual spellings, and what is none of them."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from tools.kit.types import outside_text
from tools.kit.values import Cidr, Count, Domain, Ip, IPv4, IPv6, Mac, Minutes, Percent, Port


@pytest.mark.parametrize(
    ("kind", "written", "stored"),
    [
        (Domain, "Ads.Example.COM.", "ads.example.com"),
        (Domain, " https://me@ads.example.com:8443/x?y#z ", "ads.example.com"),
        (Domain, "bücher.example", "xn--bcher-kva.example"),
        (Domain, "_dmarc.example.com", "_dmarc.example.com"),
        (IPv4, " 192.0.2.7", "192.0.2.7"),
        (IPv6, "[2001:DB8:0:0::7]", "2001:db8::7"),
        (Ip, "2001:db8::7", "2001:db8::7"),
        (Cidr, "192.0.2.7/24", "192.0.2.0/24"),
        (Mac, "00-00-5E-00-53-01", "00:00:5e:00:53:01"),
        (Mac, "0000.5e00.5301", "00:00:5e:00:53:01"),
        (Mac, "00005E005301", "00:00:5e:00:53:01"),
        (Minutes, 5, 5),
        (Minutes, "5 min", 5),
        (Minutes, "2h", 120),
        (Percent, 99.5, 99.5),
        (Port, 53, 53),
        (Count, 1, 1),
    ],
)
def test_each_spelling_is_stored_in_one(kind: Any, written: Any, stored: Any) -> None:
    found = TypeAdapter(kind).validate_python(written, strict=True)
    assert found == stored
    assert not isinstance(found, str) or found[0] == "_" or not list(outside_text(found, kind)), "it holds no order"


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        (Domain, "localhost"), (Domain, "192.0.2.7"), (Domain, "-a.example"), (Domain, "a..example"), (Domain, ""),
        (Domain, "two words.example"), (Domain, 5), (Domain, f"{'a' * 64}.example"), (Domain, "a.example\u202e"),
        (IPv4, "192.0.2"), (IPv4, "2001:db8::7"), (IPv6, "192.0.2.7"), (Ip, "one"), (Cidr, "192.0.2.0/33"),
        (Mac, "00:00:5e:00:53"), (Mac, "zz:00:5e:00:53:01"), (Minutes, 0), (Minutes, "1 fortnight"), (Minutes, "2d"),
        (Minutes, 1.5), (Percent, 101.0), (Port, 0), (Port, 65536), (Count, 101), (Minutes, True),
    ],
)  # fmt: skip
def test_anything_else_is_refused_in_words(kind: Any, written: Any) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(written, strict=True)
