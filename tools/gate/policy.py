"""Run, ask or refuse: a pure function of what is known. Its truth table is its test."""

from dataclasses import dataclass
from enum import StrEnum

from memory.models import Role
from tools.kit.service import Risk

POLICY_VERSION = 2
"""Raise it when a rule below changes: cards shown under older rules are asked again."""

NEEDED = {Risk.READ: Role.VIEWER, Risk.CHANGE: Role.OPERATOR, Risk.DESTROY: Role.ADMIN}
"""The least role that may read, approve a change, approve a destruction."""


class Autonomy(StrEnum):
    """How far the bot goes by itself."""

    OBSERVE = "observe"
    ASK = "ask"
    REVERSIBLE = "reversible"


class Verdict(StrEnum):
    """What the gate does with a call."""

    RUN = "run"
    ASK = "ask"
    REFUSE = "refuse"


@dataclass(frozen=True)
class Decision:
    """A verdict and, for a refusal, the sentence that explains it."""

    verdict: Verdict
    reason: str = ""


@dataclass(frozen=True)
class Circumstances:
    """All that a verdict may depend on."""

    risk: Risk
    """A read that leaves the house in a tainted run counts as a change."""
    role: Role
    """The highest role among the people who could approve here; for a read, the asker's own."""
    asker: Role
    """The role of whoever asks: nothing runs by itself for somebody who could not approve it."""
    own: bool = False
    tainted: bool = False
    unattended: bool = False
    forbidden: bool = False
    which: str = ""
    """What is forbidden, by its name, where a call is about several."""
    protected: bool = False
    undoable: bool = False
    autonomy: Autonomy = Autonomy.ASK


RUN, ASK = Decision(Verdict.RUN), Decision(Verdict.ASK)


def refuse(reason: str) -> Decision:
    """A refusal in words for the person."""
    return Decision(Verdict.REFUSE, reason)


ONLY_LOOKING = refuse("AUTONOMY=observe: I only look. This is what I would have done.")


def decide(now: Circumstances) -> Decision:
    """The verdict. The order of the rules is the policy: whatever forbids comes before whatever allows."""
    if now.role < NEEDED[now.risk]:
        return refuse(f"This needs {_article(NEEDED[now.risk])}, and nobody here is one: ask one of them.")
    if now.risk is Risk.READ:
        return RUN
    return _forbidden(now) or _allowed(now)


def _forbidden(now: Circumstances) -> Decision | None:
    if now.forbidden:
        return refuse(f"Its owner has marked {now.which or 'this target'} as never to be touched.")
    if now.unattended and now.risk is Risk.DESTROY:
        return refuse("Nobody is watching: destroying anything needs a person who asked for it.")
    if now.autonomy is Autonomy.OBSERVE and not now.own:
        return ONLY_LOOKING  # last, for it says that this is all that stands in the way
    return None


def _allowed(now: Circumstances) -> Decision:
    if now.risk is not Risk.CHANGE or now.asker < NEEDED[now.risk]:
        return ASK
    if now.own:
        return RUN  # a note from a tainted run is stored tainted: whatever it leads to asks
    by_itself = now.autonomy is Autonomy.REVERSIBLE and now.undoable
    return RUN if by_itself and not (now.tainted or now.protected) else ASK


def _article(role: Role) -> str:
    return ("an " if role in (Role.OPERATOR, Role.ADMIN) else "a ") + role.name.lower()
