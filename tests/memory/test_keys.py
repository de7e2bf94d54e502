"""The key beside the database."""

import stat
from pathlib import Path

import pytest

from memory.database import DatabaseBroken
from memory.keys import Keys, digest


def test_it_is_made_once_and_for_the_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "key"
    first, second = Keys.open(path), Keys.open(path)
    assert first.derive("x") == second.derive("x")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and len(path.read_bytes()) == 32
    assert Keys.open(tmp_path / "other").derive("x") != first.derive("x")


def test_a_half_made_key_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "key.new").write_bytes(b"half")
    Keys.open(tmp_path / "key")
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 33])
def test_what_is_no_key_is_not_used(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(DatabaseBroken, match="not a key"):
        Keys.open(tmp_path / "key")


def test_purposes_have_keys_of_their_own() -> None:
    keys = Keys(b"m" * 32)
    derived = {keys.derive("audit"), keys.derive("nets"), keys.derive("button:card:1"), keys.derive("button:undo:1")}
    assert len(derived) == 4 and all(len(key) == 32 for key in derived)


def test_a_buttons_secret_fits_and_tells_nothing_of_another() -> None:
    keys = Keys(b"m" * 32)
    secrets = {keys.button(kind, ident) for kind in ("card", "undo", "known") for ident in ("1", "2")}
    assert len(secrets) == 6 and {len(secret) for secret in secrets} == {22}
    assert all(len(f"a1:{secret}:y".encode()) <= 64 and ":" not in secret for secret in secrets)
    assert digest("a") != digest("b") and len(digest("a")) == 64
