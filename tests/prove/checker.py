"""The judge. It imports nothing of the program: it reads the request log, Telegram's messages and the database.

Each rule returns sentences about what is wrong; no sentence, no violation.
"""

import hashlib
import hmac
import json
import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from tests.prove.evidence import Effect, Evidence, Said

STEPS = {
    "docker_stop_container": ("POST stop",),
    "docker_start_container": ("POST start",),
    "docker_restart_container": ("POST restart",),
    "docker_remove_container": ("POST stop", "DELETE"),
}
"""The requests that each change may send, each at most once."""
DECISIVE = {tool: steps[-1] for tool, steps in STEPS.items()}
"""The request without which the change has not happened."""
ENDED = ("done", "failed", "unknown")
SURFACE_SECONDS = 10.0
"""Within this after a restart every unknown outcome is on the screen."""
SLACK = 0.25
"""Seconds between two clocks of one machine, and between a commit and a recorded request."""

Row = dict[str, Any]
Rule = Callable[[Evidence, "Books"], Iterator[str]]


@dataclass
class Books:
    """The database, read by plain SQL."""

    tables: dict[str, list[Row]]
    integrity: list[str]

    def __getattr__(self, table: str) -> list[Row]:
        try:
            return self.tables[table]
        except KeyError:
            raise AttributeError(table) from None

    def run(self, ident: str) -> Row:
        """One run."""
        return next(row for row in self.tables["runs"] if row["id"] == ident)

    def kinds(self, call: str) -> list[str]:
        """What the audit log says about a call, oldest first."""
        return [row["kind"] for row in self.tables["audit"] if json.loads(row["data"]).get("call") == call]


TABLES = ("inbox", "outbox", "runs", "messages", "calls", "cards", "approvals", "audit")


def open_books(evidence: Evidence) -> Books:
    """Every row of every table that a rule needs."""
    with closing(sqlite3.connect(f"file:{evidence.database}?mode=ro", uri=True, timeout=5)) as connection:
        connection.row_factory = sqlite3.Row
        tables = {table: [dict(row) for row in connection.execute(f"SELECT * FROM {table}")] for table in TABLES}
        integrity = [row[0] for row in connection.execute("PRAGMA integrity_check")]
        integrity += [f"foreign key {tuple(row)}" for row in connection.execute("PRAGMA foreign_key_check")]
    return Books(tables, [line for line in integrity if line != "ok"])


def violations(evidence: Evidence) -> list[str]:
    """Everything that is wrong, in sentences."""
    books = open_books(evidence)
    return [f"{rule.__name__}: {sentence}" for rule in RULES for sentence in rule(evidence, books)]


# -- effects ----------------------------------------------------------------------------------------------------------


def step_of(effect: Effect) -> str:
    """`POST stop`, `DELETE`."""
    action = effect.path.rpartition("/")[2]
    return f"{effect.method} {action}" if effect.method == "POST" else effect.method


def rows_behind(effect: Effect, evidence: Evidence, books: Books) -> list[Row]:
    """Journal rows that had begun when this request came, and ask for exactly it."""
    return [
        row
        for row in books.calls
        if row["started"] is not None
        and step_of(effect) in STEPS.get(row["tool"], ())
        and json.loads(row["args"]).get("container") == f"{effect.host}/{effect.container}"
        and (not evidence.timed or row["started"] <= effect.at <= (row["ended"] or float("inf")) + SLACK)
    ]


def every_effect_has_its_row(evidence: Evidence, books: Books) -> Iterator[str]:
    """A mutating request that reached an engine belongs to one journal row, and is sent at most once for it."""
    seen: Counter[tuple[str, str]] = Counter()
    for effect in evidence.effects:
        rows = rows_behind(effect, evidence, books)
        if len(rows) != 1:
            yield f"{effect.method} {effect.path} has {len(rows)} journal rows that were under way"
        for row in rows:
            seen[row["id"], step_of(effect)] += 1
    yield from (f"{step} was sent {count} times for call {call}" for (call, step), count in seen.items() if count > 1)


def every_row_has_its_effect(evidence: Evidence, books: Books) -> Iterator[str]:
    """What is called done was sent and accepted; what is called failed was not sent, or refused."""
    for row in books.calls:
        mine = [e for e in evidence.effects if row in rows_behind(e, evidence, books)]
        decisive = [e for e in mine if step_of(e) == DECISIVE.get(row["tool"])]
        said_by_person = "settled by a person" in books.kinds(row["id"])
        if row["state"] == "done" and not said_by_person and not any(_accepted(e) for e in decisive):
            yield f"{row['id']} is done, but no engine has done it"
        if row["state"] == "failed" and not said_by_person and any(_accepted(e) for e in decisive):
            yield f"{row['id']} is called failed, but an engine has done it"
        if row["started"] is None and row["state"] in ENDED and row["state"] != "failed":
            yield f"{row['id']} is {row['state']} but never started"


def _accepted(effect: Effect) -> bool:
    return effect.status is not None and effect.status < 400


# -- approvals --------------------------------------------------------------------------------------------------------


def every_start_was_approved(evidence: Evidence, books: Books) -> Iterator[str]:
    """Before a change began, somebody allowed had tapped the button of a card with exactly these arguments."""
    for row in books.calls:
        if row["started"] is None:
            continue
        if not row["needs_tap"]:
            yield f"{row['id']} began without needing a tap"
            continue
        found = [a for a in books.approvals if a["call"] == row["id"] and a["state"] == "approved"]
        if len(found) != 1:
            yield f"{row['id']} began with {len(found)} approvals"
        for approval in found:
            yield from _faults_of(approval, row, evidence, books)


def _faults_of(approval: Row, row: Row, evidence: Evidence, books: Books) -> Iterator[str]:
    card = next(card for card in books.cards if card["id"] == approval["card"])
    if approval["args_hash"] != row["args_hash"] or row["args_hash"] != _args_hash(row):
        yield f"the approval of {row['id']} is for other arguments"
    if approval["decided_by"] not in json.loads(card["allowed"]):
        yield f"{approval['decided_by']} was not allowed to approve {row['id']}"
    if not card["created"] <= approval["decided"] <= min(row["started"], card["expires"]):
        yield f"{row['id']} was not approved between its card and its start"
    if not _tapped(approval, card, row, evidence, books):
        yield f"nobody tapped what {row['id']} claims as its approval"


def _tapped(approval: Row, card: Row, row: Row, evidence: Evidence, books: Books) -> bool:
    """Whether a person pressed that card's button, or the Undo that stands for it."""
    if str(approval["decided_by"]).startswith("console:"):
        return evidence.console
    undone = next((r["undo_key"] for r in books.calls if r["id"] == books.run(row["run"])["undo_of"]), None)
    for touch in evidence.touches:
        kind, _, rest = touch.data.partition(":")
        key, _, verb = rest.partition(":")
        wanted = (kind == "a1" and verb == "y" and _sha(key) == card["key_hash"]) or (
            kind == "u1" and undone is not None and _sha(key) == undone
        )
        early = not evidence.timed or touch.at <= approval["decided"] + SLACK
        if wanted and early and f"tg:{touch.user}" == approval["decided_by"]:
            return True
    return False


def _args_hash(row: Row) -> str:
    return _sha(_canonical({"tool": row["tool"], "args": json.loads(row["args"])}))


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


# -- what people see --------------------------------------------------------------------------------------------------


def every_unknown_is_shown(evidence: Evidence, books: Books) -> Iterator[str]:
    """An unknown outcome is said within ten seconds, with the buttons that settle it."""
    for row in books.calls:
        if "unknown" not in books.kinds(row["id"]):
            continue
        title = json.loads(row["card"])["title"]
        told = [c.at for c in evidence.calls if title in c.body and "outcome unknown" in c.body]
        if not told:
            yield f"nobody was told that the outcome of {row['id']} is unknown"
        elif evidence.timed and min(told) - _restarted(row, evidence) > SURFACE_SECONDS:
            yield f"the unknown outcome of {row['id']} came {min(told) - _restarted(row, evidence):.0f} s late"
        if row["state"] == "unknown" and told and not any(_asks(said, title) for said in evidence.said):
            yield f"the unknown outcome of {row['id']} has no buttons"


def _restarted(row: Row, evidence: Evidence) -> float:
    """When the bot came back after this call was cut off; without a crash, when the call ended."""
    after = [start for start in evidence.starts if start > row["started"]]
    return float(min(after) if after else row["ended"])


def _asks(said: Said, title: str) -> bool:
    known = [data for data in said.buttons if data.startswith("k1:")]
    return title in said.text and "outcome unknown" in said.text and len(known) == 3


def no_outcome_is_embellished(evidence: Evidence, books: Books) -> Iterator[str]:
    """A tick in front of a change means that the journal holds it as done and verified."""
    verified = sum(1 for row in books.calls if row["state"] == "done" and row["verified"])
    ticks = Counter(line for said in evidence.said for line in said.text.splitlines() if line.startswith("✓ "))
    shown = sum(1 for _ in ticks)
    if shown > verified:
        yield f"{shown} changes are shown as done, {verified} are"


def no_answer_is_lost(evidence: Evidence, books: Books) -> Iterator[str]:
    """Every update was taken in and dealt with, every run ended or waits for a person, every answer is in the chat."""
    inbox = {row["update_id"]: row["state"] for row in books.inbox}
    for update in evidence.updates:
        if inbox.get(update) != "done":
            yield f"update {update} is {inbox.get(update, 'lost')}"
    for run in books.runs:
        if run["state"] == "working":
            yield f"run {run['id']} is stuck"
        if run["state"] == "waiting" and not _asked(run, books):
            yield f"run {run['id']} waits for nobody"
        if run["state"] in ("done", "failed") and not _answered(run, evidence, books):
            yield f"run {run['id']} ended without a word: {run['objective']!r}"


def _asked(run: Row, books: Books) -> bool:
    calls = {row["id"] for row in books.calls if row["run"] == run["id"] and row["state"] == "waiting"}
    return any(a["call"] in calls and a["state"] == "pending" for a in books.approvals)


def _answered(run: Row, evidence: Evidence, books: Books) -> bool:
    """Whether the chat shows the run's last words, what went wrong, or the outcome of its changes."""
    chat = int(run["conversation"].removeprefix("tg:")) if run["conversation"].startswith("tg:") else None
    shown = [_bare(version) for said in evidence.said if said.chat == chat for version in said.versions]
    words = _last_words(run, books) or run["error"] or ""
    if words:
        return any(_bare(words)[:60] in text for text in shown)
    targets = [json.loads(row["card"])["title"].partition(" ")[2] for row in books.calls if row["run"] == run["id"]]
    return chat is None or all(any(_bare(target) in text for text in shown) for target in targets)


def _last_words(run: Row, books: Books) -> str:
    body = max((row for row in books.messages if row["run"] == run["id"]), key=lambda row: row["seq"])["body"]
    last = json.loads(body)
    texts = [block["text"] for block in last["content"] if block["type"] == "text"]
    return " ".join(texts) if last["role"] == "assistant" and run["state"] == "done" else ""


def _bare(text: str) -> str:
    return re.sub(r"[^0-9a-z]", "", text.lower())


def the_outbox_is_empty(evidence: Evidence, books: Books) -> Iterator[str]:
    """What was to be said has been said."""
    yield from (f"{row['key']} is {row['state']}" for row in books.outbox if row["state"] != "sent")


def every_repeat_is_marked(evidence: Evidence, books: Books) -> Iterator[str]:
    """A message that nothing refers to was sent and forgotten: should it come again, that says so."""
    known = {(_chat(row), row["message"]) for row in books.outbox if row["message"] and row["kind"] != "progress"}
    kept = [said for said in evidence.said if (said.chat, said.id) in known]
    for said in evidence.said:
        if (said.chat, said.id) in known:
            continue
        again = [
            other for other in kept if other.chat == said.chat and other.id > said.id and _texts(other) & _texts(said)
        ]
        if again and not any("(resent)" in version for version in again[0].versions):
            yield f"message {said.id} was sent twice without a word: {said.text[:80]!r}"


def _chat(row: Row) -> int:
    return int(row["conversation"].removeprefix("tg:"))


def _texts(said: Said) -> set[str]:
    return {_bare(version.replace("(resent)", "")) for version in said.versions}


# -- the books --------------------------------------------------------------------------------------------------------


def every_use_has_one_result(evidence: Evidence, books: Books) -> Iterator[str]:
    """In every run's history each tool_use is answered by exactly one tool_result, in the next message."""
    for run in books.runs:
        rows = sorted((row for row in books.messages if row["run"] == run["id"]), key=lambda row: row["seq"])
        if [row["seq"] for row in rows] != list(range(len(rows))):
            yield f"run {run['id']} has holes in its history"
        open_uses: list[str] = []
        for message in (json.loads(row["body"]) for row in rows):
            results = [block["tool_use_id"] for block in message["content"] if block["type"] == "tool_result"]
            if sorted(results) != sorted(open_uses):
                yield f"run {run['id']} answers {results} to {open_uses}"
            open_uses = [block["id"] for block in message["content"] if block["type"] == "tool_use"]
        if open_uses and run["state"] == "done":
            yield f"run {run['id']} is done with calls that have no result: {open_uses}"


def the_audit_chain_holds(evidence: Evidence, books: Books) -> Iterator[str]:
    """Records are contiguous, each carries the MAC of the one before, and every step of a call has one."""
    key = hmac.digest(evidence.key.read_bytes(), b"audit", "sha256")
    previous = ""
    for expected, row in enumerate(sorted(books.audit, key=lambda row: row["seq"]), start=1):
        text = _canonical([previous, row["seq"], row["at"], row["kind"], row["actor"], row["data"]])
        if row["seq"] != expected or row["mac"] != hmac.new(key, text.encode(), "sha256").hexdigest():
            yield f"the audit chain breaks at record {expected}"
            return
        previous = row["mac"]
    for row in books.calls:
        kinds = books.kinds(row["id"])
        wanted = ["proposed", *(["started"] if row["started"] is not None else [])]
        wanted += [row["state"]] if row["state"] not in ("proposed", "waiting", "started") else []
        missing = [kind for kind in wanted if kind not in kinds and "settled by a person" not in kinds]
        if missing and not any(record["kind"] in ("stop", "restored") for record in books.audit):
            yield f"the audit log says nothing of {missing} of {row['id']}"
        if kinds.count("started") > 1:
            yield f"the audit log has {row['id']} start {kinds.count('started')} times"


def the_file_is_sound(evidence: Evidence, books: Books) -> Iterator[str]:
    """SQLite finds nothing wrong with the file."""
    yield from books.integrity


RULES: tuple[Rule, ...] = (
    every_effect_has_its_row, every_row_has_its_effect, every_start_was_approved, every_unknown_is_shown,
    no_outcome_is_embellished, no_answer_is_lost, the_outbox_is_empty, every_repeat_is_marked,
    every_use_has_one_result, the_audit_chain_holds, the_file_is_sound,
)  # fmt: skip
