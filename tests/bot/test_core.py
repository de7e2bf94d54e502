"""The core: opened and closed, and the owner's lists, in which whatever Docker prints of a thing names it."""

import threading
from pathlib import Path

import pytest

from bot.core import opened, rules
from bot.runs.runner import NoScreen
from bot.settings.settings import Configuration, Settings
from memory.secrets import Redactor
from tools.kit.registry import BrokenService
from tools.kit.types import Target

ID = "cea31b993d935d7e5bf890dd0c4d2a4a1d1a5b8f9e0c7d6b5a4938271605f4e3"
WEB = Target(f"nas/{ID}", "web", "nas · web:1", aliases=("web", "nas/web", ID[:12]))


@pytest.mark.parametrize(
    "spelled",
    ["web", "WEB", "/web", "nas/web", "NAS/Web", ID, ID.upper(), ID[:12], ID[:6], ID[:20]]
    + [f"nas/{ID}", f"nas/{ID[:12]}", f"nas/{ID[:6]}"],
)  # fmt: skip
def test_every_spelling_of_a_container(spelled: str) -> None:
    owners = rules(Settings(_env_file=None, forbidden_targets=f"other, {spelled}", protected_targets=spelled))
    assert owners.forbidden(WEB) and owners.protected(WEB) == "protected: always asks"
    shortened = Target(ID[:12], ID[:12])  # as the facts of a clean-up name it
    assert owners.forbidden(shortened) is (spelled.lower().rpartition("/")[2] in ID and "nas/" not in spelled)


@pytest.mark.parametrize("spelled", ["we", "web2", "mini/web", f"mini/{ID}", ID[:5], ID[1:20], "nas/we", "*", "."])
def test_nothing_else_is_meant(spelled: str) -> None:
    owners = rules(Settings(_env_file=None, forbidden_targets=spelled, protected_targets=spelled))
    assert not owners.forbidden(WEB) and owners.protected(WEB) == ""


async def test_what_cannot_be_put_together_keeps_no_process_alive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(services: object) -> None:
        raise BrokenService("two tools have one name")

    monkeypatch.setattr("bot.core.take_lock", lambda folder: None)
    monkeypatch.setattr("bot.core.catalogue", broken)
    before = threading.enumerate()
    configuration = Configuration([], Settings(_env_file=None, data_dir=tmp_path), {})
    with pytest.raises(BrokenService):
        async with opened(configuration, Redactor(), lambda stores: NoScreen()):
            pass
    left = [thread for thread in threading.enumerate() if thread not in before and "asyncio" not in thread.name]
    for thread in left:
        thread.join(5.0)  # a moment after the connection that it served
    assert not any(thread.is_alive() for thread in left)
