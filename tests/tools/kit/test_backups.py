"""Whether the backups are fine: four answers that are never taken for one another."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tools.kit import Backup, Contributed, Down, Guest, judged

NAS = Guest(kind="vm", id="100", name="nas", node="pve1")
NOBODY: Any = Contributed({}, [])
GONE = Down(name="pbs", reason="It does not answer.")


def ago(hours: float) -> datetime:
    return datetime.now(UTC) - timedelta(hours=hours)


def backup(**but: Any) -> Backup:
    usual = {"kind": "vm", "id": "100", "where": "pbs/main", "target": "pbs/main/vm/100", "count": 9, "newest": ago(5)}
    return Backup(**{**usual, "good": ago(5), "verified": ago(30), "every_h": 24.0, "offsite": True, **but})


def asked(*backups: Backup, guests: Any = None, down: tuple[Down, ...] = ()) -> Any:
    return judged(guests or Contributed({"proxmox": [NAS]}, []), Contributed({"pbs": list(backups)}, list(down)))


@pytest.mark.parametrize(
    ("but", "state", "why"),
    [
        ({}, "protected", "last good backup 5 h ago, verified"),
        ({"good": ago(60)}, "attention", "it is late"),
        ({"good": ago(60), "every_h": 168.0}, "protected", "3 d ago"),
        ({"good": ago(300), "every_h": 168.0}, "attention", "it is late"),
        ({"verified": None}, "attention", "none was ever verified"),
        ({"verified": ago(24 * 40)}, "attention", "none was verified lately"),
        ({"wrong": "failed its verification"}, "attention", "the newest failed its verification"),
        ({"good": None, "wrong": "was not finished"}, "unprotected", "none of them good: the newest was not finished"),
    ],
)
def test_each_fault_is_named(but: dict[str, Any], state: str, why: str) -> None:
    found = asked(backup(**but))
    [one] = found.verdicts
    assert (one.state, one.name) == (state, "nas") and why in one.why
    assert found.fine == ("yes" if state == "protected" else "no") and found.conclusion.startswith(found.fine.title())


def test_a_guest_with_none_is_unprotected_and_unknown_when_a_place_did_not_answer() -> None:
    assert [(one.state, one.offsite) for one in asked().verdicts] == [("unprotected", None)]
    blind = asked(down=(GONE,))
    assert (blind.fine, blind.verdicts[0].state, blind.down) == ("unknown", "unknown", [GONE])
    assert asked(backup(), down=(GONE,)).fine == "unknown", "what it has found so far is fine, and that is not all"
    assert judged(NOBODY, NOBODY).fine == "unknown"


def test_the_better_of_two_places_counts() -> None:
    [one] = asked(backup(good=ago(99), offsite=False), backup(target="nas/dump", offsite=None, good=ago(7))).verdicts
    assert (one.state, one.where, one.offsite) == ("protected", ["pbs/main/vm/100", "nas/dump"], None)
    [one] = asked(backup(good=None, wrong="was not finished"), backup(good=ago(99))).verdicts
    assert one.state == "attention"


def test_without_the_guests_nobody_says_that_all_are_there() -> None:
    found = asked(backup(), guests=NOBODY)
    assert found.fine == "yes" and not found.guests_known and "never backed up goes unseen" in found.conclusion
    assert not asked(backup(), guests=Contributed({"proxmox": [NAS]}, [GONE])).guests_known


def test_templates_need_none_and_what_is_gone_is_no_trouble() -> None:
    template = Guest(kind="vm", id="900", template=True)
    found = asked(backup(), backup(id="999"), guests=Contributed({"proxmox": [NAS, template]}, []))
    assert found.fine == "yes" and found.left_over == ["vm/999"] and len(found.verdicts) == 1
