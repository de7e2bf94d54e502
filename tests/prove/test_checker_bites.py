"""The checker sees what it is there to see: true evidence passes, and each way of doctoring it is found."""

import asyncio
import copy
import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.prove.checker import RULES, violations
from tests.prove.evidence import Effect, Evidence, Said
from tests.prove.ordeal import stage
from tests.prove.scenarios import SCENARIOS

Doctor = Callable[[Evidence, sqlite3.Connection], object]


async def perform(folder: Path, *options: str) -> Evidence:
    """The evidence of one approved stop by the real bot."""
    async with stage(folder, list(options), []) as made:
        await made.begin()
        await SCENARIOS["one change approved"].script(made)
        await made.quiet()
        evidence = made.evidence()
        await made.end()
    return evidence


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """A change that was done."""
    return asyncio.run(perform(tmp_path_factory.mktemp("done")))


@pytest.fixture(scope="module")
def unknown(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """A change that was cut off."""
    return asyncio.run(perform(tmp_path_factory.mktemp("unknown"), "--kill", "answered:1"))


def found(evidence: Evidence, doctor: Doctor, folder: Path) -> set[str]:
    """The rules that complain once the evidence has been doctored."""
    doctored = copy.deepcopy(evidence)
    doctored.database = folder / "doctored.db"
    with closing(sqlite3.connect(evidence.database)) as original:
        original.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copyfile(evidence.database, doctored.database)
    with closing(sqlite3.connect(doctored.database)) as database, database:
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f"DROP TRIGGER {name}")
        doctor(doctored, database)
    return {sentence.partition(":")[0] for sentence in violations(doctored)}


def nothing(evidence: Evidence, database: sqlite3.Connection) -> None:
    """Leave it as it is."""


def sql(*statements: str) -> Doctor:
    """Change the books."""
    return lambda evidence, database: [database.execute(statement) for statement in statements]


def seen(change: Callable[[Evidence], object]) -> Doctor:
    """Change what was seen outside."""
    return lambda evidence, database: change(evidence)


def again(evidence: Evidence) -> None:
    """The engine got the request twice."""
    evidence.effects.append(copy.copy(evidence.effects[0]))


def elsewhere(evidence: Evidence) -> None:
    """An engine got a request for a container that no call is about."""
    first = evidence.effects[0]
    evidence.effects.append(Effect(first.host, "POST", "/containers/other/stop", "other", first.at, 204))


def later(evidence: Evidence) -> None:
    """The request came when the call was over."""
    evidence.effects[0].at += 5


def denied(evidence: Evidence) -> None:
    """The person tapped Deny."""
    for touch in evidence.touches:
        touch.data = touch.data.replace(":y", ":n")


def another_card(evidence: Evidence) -> None:
    """The person tapped another card."""
    for touch in evidence.touches:
        touch.data = "a1:AAAAAAAAAAAAAAAAAAAAAA:y"


def twice(evidence: Evidence) -> None:
    """A message was sent before, and that was forgotten."""
    last = evidence.said[-1]
    evidence.said.insert(0, Said(last.chat, 1, last.versions, last.buttons))


def embellished(evidence: Evidence) -> None:
    """A change that nobody knows of is shown as done."""
    evidence.said.append(Said(1001, 99_999, ["✓ Stopped sonarr · 0.1 s"], []))


def silent(evidence: Evidence) -> None:
    """The unknown outcome never reached Telegram."""
    evidence.calls = [call for call in evidence.calls if "outcome unknown" not in call.body]


def late(evidence: Evidence) -> None:
    """It reached Telegram too late."""
    for call in evidence.calls:
        call.at += 11 * ("outcome unknown" in call.body)


def without_buttons(evidence: Evidence) -> None:
    """It cannot be settled."""
    for said in evidence.said:
        said.buttons = []


def without_answers(evidence: Evidence) -> None:
    """The model's last words never reached Telegram."""
    evidence.said = [said for said in evidence.said if " now" not in said.text]


def without_result(evidence: Evidence, database: sqlite3.Connection) -> None:
    """A tool_use has no tool_result."""
    replace_results(database, [{"type": "text", "text": "never mind"}])


def with_two_results(evidence: Evidence, database: sqlite3.Connection) -> None:
    """A tool_use has two."""
    body = json.loads(database.execute("SELECT body FROM messages WHERE seq = 2").fetchone()[0])
    replace_results(database, body["content"] * 2)


def replace_results(database: sqlite3.Connection, content: list[dict[str, str]]) -> None:
    """Put other blocks in the place of the tool's results."""
    body = json.dumps({"role": "user", "content": content})
    assert database.execute("UPDATE messages SET body = ? WHERE seq = 2", (body,)).rowcount == 1


DONE: dict[str, tuple[Doctor, str]] = {
    "an effect twice": (seen(again), "every_effect_has_its_row"),
    "an effect of nobody": (seen(elsewhere), "every_effect_has_its_row"),
    "an effect out of time": (seen(later), "every_effect_has_its_row"),
    "an effect before `started`": (sql("UPDATE calls SET started = started + 5"), "every_effect_has_its_row"),
    "an effect of a call that never started": (
        sql("UPDATE calls SET started = NULL, state = 'denied'"),
        "every_effect_has_its_row",
    ),
    "done without an effect": (seen(lambda e: e.effects.clear()), "every_row_has_its_effect"),
    "failed with an effect": (sql("UPDATE calls SET state = 'failed'"), "every_row_has_its_effect"),
    "no approval": (sql("DELETE FROM approvals"), "every_start_was_approved"),
    "an approval that was denied": (sql("UPDATE approvals SET state = 'denied'"), "every_start_was_approved"),
    "approved after the start": (sql("UPDATE approvals SET decided = decided + 9"), "every_start_was_approved"),
    "approved after the expiry": (sql("UPDATE cards SET expires = created"), "every_start_was_approved"),
    "approved by a stranger": (sql("UPDATE approvals SET decided_by = 'tg:6666'"), "every_start_was_approved"),
    "approved for other arguments": (
        sql("""UPDATE calls SET args = replace(args, 'nas/', 'nas/0')"""),
        "every_start_was_approved",
    ),
    "a fingerprint of other arguments": (sql("UPDATE approvals SET args_hash = 'x'"), "every_start_was_approved"),
    "no tap": (seen(lambda e: e.touches.clear()), "every_start_was_approved"),
    "a tap on Deny": (seen(denied), "every_start_was_approved"),
    "a tap on another card": (seen(another_card), "every_start_was_approved"),
    "a change without a card": (sql("UPDATE calls SET needs_tap = 0"), "every_start_was_approved"),
    "a tick too many": (seen(embellished), "no_outcome_is_embellished"),
    "a tick for what was not verified": (sql("UPDATE calls SET verified = 0"), "no_outcome_is_embellished"),
    "an answer that is not in the chat": (seen(without_answers), "no_answer_is_lost"),
    "an empty chat": (seen(lambda e: e.said.clear()), "no_answer_is_lost"),
    "an update that was lost": (sql("DELETE FROM inbox"), "no_answer_is_lost"),
    "an update that was set aside": (sql("UPDATE inbox SET state = 'quarantined'"), "no_answer_is_lost"),
    "a run that is stuck": (sql("UPDATE runs SET state = 'working'"), "no_answer_is_lost"),
    "a run that waits for nobody": (sql("UPDATE runs SET state = 'waiting'"), "no_answer_is_lost"),
    "something unsaid": (sql("UPDATE outbox SET state = 'new' WHERE id = 1"), "the_outbox_is_empty"),
    "something dropped": (sql("UPDATE outbox SET state = 'dropped' WHERE id = 1"), "the_outbox_is_empty"),
    "a repeat that is not marked": (seen(twice), "every_repeat_is_marked"),
    "a tool_use without a result": (without_result, "every_use_has_one_result"),
    "a tool_use with two results": (with_two_results, "every_use_has_one_result"),
    "a hole in the history": (sql("DELETE FROM messages WHERE seq = 1"), "every_use_has_one_result"),
    "an audit record gone": (sql("DELETE FROM audit WHERE seq = 2"), "the_audit_chain_holds"),
    "an audit record edited": (sql("UPDATE audit SET actor = 'tg:1' WHERE seq = 2"), "the_audit_chain_holds"),
    "the end of the audit log gone": (
        sql("DELETE FROM audit WHERE seq >= (SELECT seq FROM audit WHERE kind = 'done')"),
        "the_audit_chain_holds",
    ),
    "a row without its parent": (sql("INSERT INTO held VALUES ('x', 'no run', '{}')"), "the_file_is_sound"),
}
UNKNOWN: dict[str, tuple[Doctor, str]] = {
    "executed again": (seen(again), "every_effect_has_its_row"),
    "nobody told": (seen(silent), "every_unknown_is_shown"),
    "told too late": (seen(late), "every_unknown_is_shown"),
    "no buttons": (seen(without_buttons), "every_unknown_is_shown"),
}


def test_true_evidence_passes(done: Evidence, unknown: Evidence, tmp_path: Path) -> None:
    assert found(done, nothing, tmp_path) == set()
    assert found(unknown, nothing, tmp_path) == set()
    assert len(done.effects) == len(unknown.effects) == 1


@pytest.mark.parametrize("lie", DONE)
def test_a_lie_about_what_was_done_is_found(lie: str, done: Evidence, tmp_path: Path) -> None:
    doctor, rule = DONE[lie]
    assert rule in found(done, doctor, tmp_path)


@pytest.mark.parametrize("lie", UNKNOWN)
def test_a_lie_about_what_is_unknown_is_found(lie: str, unknown: Evidence, tmp_path: Path) -> None:
    doctor, rule = UNKNOWN[lie]
    assert rule in found(unknown, doctor, tmp_path)


def test_every_rule_is_bitten_by_something() -> None:
    assert {rule for _, rule in (*DONE.values(), *UNKNOWN.values())} == {rule.__name__ for rule in RULES}
