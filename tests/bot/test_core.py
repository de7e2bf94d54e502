"""The owner's lists: whatever a person may copy from Docker's own output names the thing."""

import pytest

from bot.core import rules
from bot.settings import Settings
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
