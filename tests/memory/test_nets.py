"""Undo nets: sealed, and gone with their Undo."""

from pathlib import Path

import pytest

from memory.keys import Keys
from memory.nets import KEEP_SECONDS, Nets
from memory.stores import Stores
from tests.fakes import Clock

CONTENT = {"env": ["PASSWORD=hunter2-hunter2"], "name": "é"}


def on_disk(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())


async def seal(stores: Stores) -> str:
    async with stores.database.transaction() as tx:
        return await stores.nets.seal(tx, "c1", CONTENT)


async def test_what_was_sealed_can_be_opened(stores: Stores) -> None:
    net = await seal(stores)
    assert await stores.nets.open(net) == CONTENT and await stores.nets.open("net-other") is None
    assert await seal(stores) != net


async def test_no_secret_lies_on_the_disk(stores: Stores, tmp_path: Path) -> None:
    await seal(stores)
    assert b"hunter2" not in on_disk(tmp_path)


async def test_it_lapses_and_is_deleted(stores: Stores, clock: Clock) -> None:
    net = await seal(stores)
    clock.move(KEEP_SECONDS - 1)
    assert await stores.nets.prune() == 0 and await stores.nets.open(net) == CONTENT
    clock.move(1)
    assert await stores.nets.open(net) is None
    assert await stores.nets.prune() == 1 and await stores.database.all("SELECT * FROM nets") == []


async def test_without_the_key_it_is_worthless(stores: Stores) -> None:
    from cryptography.fernet import InvalidToken

    net = await seal(stores)
    with pytest.raises(InvalidToken):
        await Nets(stores.database, Keys(b"other" * 8)).open(net)
