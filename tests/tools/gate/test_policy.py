"""The policy: every combination against rules written down a second time, and the rows that matter by name."""

from itertools import product

from memory.models import Role
from tools.gate.policy import Autonomy, Circumstances, Verdict, decide
from tools.kit.service import Risk

FLAGS = ("own", "tainted", "unattended", "forbidden", "protected", "undoable")
EVERYTHING = [
    Circumstances(risk, role, asker, **dict(zip(FLAGS, flags, strict=True)), autonomy=autonomy)
    for risk, role, asker, autonomy, flags in product(Risk, Role, Role, Autonomy, product((False, True), repeat=6))
]


def may_run_by_itself(now: Circumstances) -> bool:
    """In words: a read; for somebody who may, a note of ours; and untainted, what can be undone if the owner likes."""
    ours = now.own and now.risk == 1
    reversible = now.risk == 1 and now.autonomy == "reversible" and now.undoable and not now.protected
    asker_may = int(now.asker) >= {0: 0, 1: 2, 2: 3}[int(now.risk)]
    return now.risk == 0 or (asker_may and (ours or (reversible and not now.tainted)))


def must_be_refused(now: Circumstances) -> bool:
    """In words: nobody there who may; forbidden; only looking; destroying unwatched."""
    too_low = int(now.role) < {0: 1, 1: 2, 2: 3}[int(now.risk)]
    if now.risk == 0:
        return too_low
    return any(
        (too_low, now.forbidden, now.autonomy == "observe" and not now.own, now.unattended and now.risk == 2)
    )  # fmt: skip


def expected(now: Circumstances) -> Verdict:
    if must_be_refused(now):
        return Verdict.REFUSE
    return Verdict.RUN if may_run_by_itself(now) else Verdict.ASK


def test_every_combination() -> None:
    assert len({*EVERYTHING}) == 3 * 4 * 4 * 2**6 * 3
    wrong = [now for now in EVERYTHING if decide(now).verdict is not expected(now)]
    assert wrong == []


def test_a_refusal_always_says_why_and_nothing_else_does() -> None:
    for now in EVERYTHING:
        decision = decide(now)
        assert bool(decision.reason) is (decision.verdict is Verdict.REFUSE)
        assert not decision.reason or decision.reason.endswith(".")


def test_taint_and_protection_never_loosen_anything() -> None:
    order = [Verdict.RUN, Verdict.ASK, Verdict.REFUSE]
    for now in EVERYTHING:
        for flag in ("tainted", "protected", "forbidden", "unattended"):
            if not getattr(now, flag):
                stricter = decide(Circumstances(**{**vars(now), flag: True})).verdict
                assert order.index(stricter) >= order.index(decide(now).verdict), (now, flag)
