"""Registries: names, tags and tokens."""

from typing import Any

import pytest

from tools.kit import Refused
from tools.kit.registries.client import Pass
from tools.kit.registries.names import Reference
from tools.kit.registries.tags import is_pinned, newer


@pytest.mark.parametrize(
    ("tag", "offered", "found"),
    [
        ("1.2.3", "1.2.4 1.3.0-rc1 v1.9.9 1.2.10 1.2.4-alpine 1.2 latest", ["1.2.10", "1.2.4"]),
        ("v2.0.0", "v2.0.1 2.0.2 v10.0.0", ["v10.0.0", "v2.0.1"]),
        ("4.0.9", "2021.12.14 4.0.10 20240101", ["4.0.10"]),
        ("2024.9.3", "2024.10.1 2025.1.0", ["2025.1.0", "2024.10.1"]),
        ("1.0.0", "1.0.1 2.0.0 3.0.0 4.0.0 5.0.0 6.0.0", ["6.0.0", "5.0.0", "4.0.0", "3.0.0", "1.0.1"]),
        ("7-alpine", "8-alpine 7.4-alpine 8", ["8-alpine"]),
        ("latest", "1.0.0", []), ("1.2.3-beta.1", "1.2.3 1.2.4", []), ("", "1.0", []), ("9" * 12, "1", []),
    ],
)  # fmt: skip
def test_newer_releases_are_of_the_same_kind(tag: str, offered: str, found: list[str]) -> None:
    assert newer(tag, offered.split()) == found


def test_what_is_pinned_the_registry_shows() -> None:
    assert is_pinned("16.4", ["16.4", "16.9", "16"]) and not is_pinned("16", ["16.4"])
    assert is_pinned("1.2.3", []) and not is_pinned("1.2", []) and not is_pinned("latest", ["1.0"])


@pytest.mark.parametrize(
    ("image", "parts"),
    [
        ("redis", ("docker.io", "library/redis", "latest", "")),
        ("docker.io/library/redis:7", ("docker.io", "library/redis", "7", "")),
        ("me/app:1", ("docker.io", "me/app", "1", "")),
        ("nas:5000/a/b:2", ("nas:5000", "a/b", "2", "")),
        (f"ghcr.io/a/b@sha256:{'a' * 64}", ("ghcr.io", "a/b", "", f"sha256:{'a' * 64}")),
        (f"sha256:{'a' * 64}", None), ("a" * 12, None),
    ],
)  # fmt: skip
def test_a_name_in_its_parts(image: str, parts: Any) -> None:
    assert Reference.of(image) == (parts and Reference(*parts))


@pytest.mark.parametrize("realm", ["http://evil.example/token", "ftp://x/", "", "http://nas:5001/token"])
def test_a_password_goes_nowhere_in_the_clear(realm: str) -> None:
    with pytest.raises(Refused, match="not encrypted"):
        Pass("http://nas:5000", {"username": "me", "password": "x"})._ask({"realm": realm}, "a/b")
