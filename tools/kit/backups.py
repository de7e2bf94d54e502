"""Backups across services: what there is to be backed up, what has been, and whether that is enough.

A hypervisor tells of its `Guest`s, whatever keeps backups of its `Backup`s; the judgement is the same for all.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any, Literal

from tools.kit.contributions import Contributed
from tools.kit.instances import Down
from tools.kit.types import Ident, Own, Result
from tools.kit.words import counted, so_far

Kind = Literal["vm", "ct", "host"]
Proof = Literal["whole", "broken", "never verified", "not finished"]
"""What is known of one backup: verified and found so, verified and found damaged, not looked at, or broken off."""
WRONG: dict[Proof, Literal["was not finished", "failed its verification"]] = {
    "broken": "failed its verification",
    "not finished": "was not finished",
}
RHYTHM = 5
"""Newest backups whose distances say how often one is made."""
Thing = tuple[Kind, str]
State = Literal["unprotected", "attention", "unknown", "protected"]
"""No good backup; a good one with something wrong; nobody can tell; fresh, and proved to be whole."""
STATES: dict[State, str] = {
    "unprotected": "without a good backup",
    "attention": "in need of attention",
    "unknown": "unknown",
    "protected": "protected",
}
WORST_FIRST = tuple(STATES)
Fine = Literal["yes", "no", "unknown"]
DAILY = 36.0
"""Hours after which a backup is late, where nothing says that it is made less often."""
PROVED_WITHIN = timedelta(days=35)
"""How old the newest backup that was verified may be: who verifies does so once a month at least."""


class Guest(Result):
    """One virtual machine or container that somebody may want backed up."""

    kind: Literal["vm", "ct"]
    id: Ident
    name: Ident | None = None
    node: Ident | None = None
    template: bool = False


class Backup(Result):
    """The backups of one thing in one place."""

    kind: Kind
    id: Ident
    """What the thing is called where it runs: a guest's number, a host's name."""
    name: Ident | None = None
    where: Ident
    """The place, as its service calls it: `pbs/main`."""
    target: Ident
    """What its service's tools take for them."""
    count: int
    newest: datetime | None = None
    good: datetime | None = None
    """The newest that is whole as far as anybody knows: finished, and not failed in its verification."""
    wrong: Literal["was not finished", "failed its verification"] | None = None
    """What is wrong with the newest."""
    verified: datetime | None = None
    """The newest that was verified and found whole."""
    every_h: float | None = None
    """Hours that usually lie between two."""
    offsite: bool | None = None
    """Whether copies are kept elsewhere, by the last run of whatever takes them there; absent where nobody can tell."""

    @staticmethod
    def of(copies: Sequence[tuple[datetime, Proof]], **what: Any) -> "Backup":
        """From every backup of one thing in one place: when it was made, and what is known of it."""
        rows = sorted(copies, reverse=True)
        times, whole = [time for time, _ in rows], [time for time, proof in rows if proof == "whole"]
        good, newest = [time for time, proof in rows if proof not in WRONG], rows[0] if rows else None
        pairs = zip(times[:RHYTHM], times[1:RHYTHM], strict=False)
        gaps = [(later - earlier).total_seconds() / 3600 for later, earlier in pairs]
        return Backup(
            count=len(rows),
            newest=newest[0] if newest else None,
            wrong=WRONG.get(newest[1]) if newest else None,
            good=next(iter(good), None),
            verified=next(iter(whole), None),
            every_h=round(median(gaps), 1) if gaps else None,
            **what,
        )

    @property
    def late(self) -> bool:
        """Whether the next one should have been made by now."""
        patience = timedelta(hours=max(DAILY, 1.5 * (self.every_h or 0.0)))
        return self.good is None or datetime.now(UTC) - self.good > patience


class Verdict(Result):
    """How one thing stands."""

    kind: Kind
    id: Ident
    name: Ident | None = None
    state: State
    why: Own
    last_good: datetime | None = None
    verified: bool | None = None
    """Whether a recent backup was verified and found whole."""
    offsite: bool | None = None
    where: list[Ident] = []
    """Its backups, as the tools of their services take them."""


class Judged(Result):
    """Whether the backups are fine: yes or no first, then why, the worst first."""

    fine: Fine
    conclusion: Own
    verdicts: list[Verdict]
    left_over: list[Ident] = []
    """Backups of guests that are no longer there."""
    guests_known: bool
    """Whether anybody tells which guests there are; without, one that was never backed up goes unseen."""
    down: list[Down] = []


def judged(guests: Contributed[Guest], backups: Contributed[Backup]) -> Judged:
    """What all that was told comes to."""
    known, blind = bool(guests.found) and not guests.down, bool(backups.down) or not backups.found
    there: dict[Thing, str | None] = {(one.kind, one.id): one.name for _, one in guests.things if not one.template}
    kept: dict[Thing, list[Backup]] = {}
    for _, backup in backups.things:
        kept.setdefault((backup.kind, backup.id), []).append(backup)
    gone = [key for key in kept if known and key[0] != "host" and key not in there]
    things = [key for key in dict.fromkeys([*there, *kept]) if key not in gone]
    verdicts = [_verdict(key, there.get(key), kept.get(key, []), blind) for key in things]
    verdicts.sort(key=lambda one: (WORST_FIRST.index(one.state), one.id))
    fine, conclusion = _conclusion(verdicts, known, blind)
    return Judged(
        fine=fine,
        conclusion=conclusion,
        verdicts=verdicts,
        left_over=["/".join(key) for key in gone],
        guests_known=known,
        down=list({one.name: one for one in (*guests.down, *backups.down)}.values()),
    )


def _verdict(key: Thing, name: str | None, kept: list[Backup], blind: bool) -> Verdict:
    best = min(kept, key=lambda one: (WORST_FIRST.index(_state(one)[0]) * -1, _age(one)), default=None)
    state, why = _state(best) if best else ("unprotected", "no backup")
    if state == "unprotected" and blind:
        state, why = "unknown", "no good backup where I could look, and not every place answered"
    offsite = {one.offsite for one in kept}
    return Verdict(
        kind=key[0],
        id=key[1],
        name=next(filter(None, [name, *(one.name for one in kept)]), None),
        state=state,
        why=why,
        last_good=best.good if best else None,
        verified=_proved(best) if best else None,
        offsite=True if True in offsite else None if None in offsite or not kept else False,
        where=[one.target for one in kept],
    )


def _state(backup: Backup) -> tuple[State, str]:
    """How its thing stands by these backups alone, and why."""
    if backup.good is None:
        return "unprotected", f"{counted(backup.count, 'backup')}, none of them good: the newest {backup.wrong}"
    faults = ["it is late"] if backup.late else []
    faults += [f"the newest {backup.wrong}"] if backup.wrong else []
    if not _proved(backup):
        faults.append("none was verified lately" if backup.verified else "none was ever verified")
    ago = f"last good backup {so_far(backup.good)} ago"
    return ("attention", f"{ago}: {', '.join(faults)}") if faults else ("protected", f"{ago}, verified")


def _age(backup: Backup) -> float:
    return (datetime.now(UTC) - backup.good).total_seconds() if backup.good else float("inf")


def _proved(backup: Backup) -> bool:
    return backup.verified is not None and datetime.now(UTC) - backup.verified < PROVED_WITHIN


def _conclusion(verdicts: list[Verdict], known: bool, blind: bool) -> tuple[Fine, str]:
    count = Counter(one.state for one in verdicts)
    told = ", ".join(f"{count[state]} {STATES[state]}" for state in STATES if count[state])
    unseen = "" if known else " Nobody tells which guests there are: one that was never backed up goes unseen."
    if count["unprotected"] or count["attention"]:
        return "no", f"No: {told}.{unseen}"
    if blind or count["unknown"] or not verdicts:
        return "unknown", f"Unknown: {told or 'nobody tells of any backup'}.{unseen}"
    return "yes", f"Yes: all {len(verdicts)} protected.{unseen}"
