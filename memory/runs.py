"""Runs and their messages: a run is a list of messages, saved after every append."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal
from weakref import WeakValueDictionary

from memory.database import Database, Row, Transaction
from memory.models import Actor, Block, Message, Run, RunState
from memory.text import HIDING

OPEN = "state IN ('working', 'waiting')"
"""As `runs_open` has it: a partial index serves only who asks in its own words."""
OF_RUN = "FROM messages WHERE run = runs.id"
SAID = "said"
"""A block that stands for what another run has answered: its `run`, and there its `seq`. No row is ever changed."""
HISTORY_SECONDS = 3600.0
"""Exchanges older than this are not carried into a new run."""
NO_ANSWER = "(no answer)"
"""What stands where the model has said nothing: a message without any content could never be sent back."""
NO_TEXT = "(no text)"
"""The same for a person's line of which cleaning has left nothing."""


class Runs:
    """Append-only: what has been said to the model is never rewritten."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def exclusive(self, run: str) -> AsyncIterator[None]:
        """One advance at a time; a second caller waits, then reads afresh."""
        lock = self._locks.setdefault(run, asyncio.Lock())  # lives as long as somebody holds or awaits it
        async with lock:
            yield

    async def open(
        self,
        tx: Transaction,
        *,
        conversation: str,
        actor: Actor,
        objective: str,
        messages: list[Message],
        opened_by: str,
        trigger: str,
        thinks: bool = True,
        unattended: bool = False,
        tainted: bool = False,
        undo_of: str | None = None,
        message: int | None = None,
    ) -> str | None:
        """A new run's id, or None when `trigger` (an update, a tap) has already opened one."""
        run, now = secrets.token_hex(6), self._db.now()
        changed = await tx.run(
            "INSERT OR IGNORE INTO runs (id, conversation, actor, actor_name, objective, opened_by, thinks,"
            " unattended, tainted, undo_of, trigger, created, updated, message) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            run, conversation, actor.id, actor.name, objective, opened_by, int(thinks), int(unattended),
            int(tainted), undo_of, trigger, now, now, message,
        )  # fmt: skip
        if not changed:
            return None
        await tx.many(
            "INSERT INTO messages VALUES (?, ?, ?)",
            [(run, seq, json.dumps(message)) for seq, message in enumerate(messages)],
        )
        return run

    async def get(self, run: str, tx: Transaction | None = None) -> Run | None:
        """The run, if there is one of that id."""
        row = await (tx or self._db).one("SELECT * FROM runs WHERE id = ?", run)
        return _run(row) if row else None

    async def messages(self, run: str, tx: Transaction | None = None) -> list[Message]:
        """Everything said so far, oldest first."""
        source = tx or self._db
        rows = await source.all("SELECT body FROM messages WHERE run = ? ORDER BY seq", run)
        return await _in_full(source, [json.loads(row["body"]) for row in rows])

    async def append(self, run: str, messages: list[Message], new: Message, *, tainted: bool = False) -> list[Message]:
        """The messages with `new` at the end, committed."""
        async with self._db.transaction() as tx:
            for sql, *values in self._added(run, len(messages), new, tainted):
                await tx.run(sql, *values)
        return [*messages, new]

    def append_later(self, run: str, messages: list[Message], new: Message, *, tainted: bool = False) -> list[Message]:
        """The same with whatever is committed next: for what would only have to be asked for again."""
        for sql, *values in self._added(run, len(messages), new, tainted):
            self._db.later(sql.replace("INSERT", "INSERT OR IGNORE"), *values)
        return [*messages, new]

    def _added(self, run: str, seq: int, new: Message, tainted: bool) -> tuple[tuple[Any, ...], ...]:
        return (
            ("INSERT INTO messages VALUES (?, ?, ?)", run, seq, json.dumps(new)),
            ("UPDATE runs SET tainted = max(tainted, ?), updated = ? WHERE id = ?", int(tainted), self._db.now(), run),
        )

    async def set_state(self, tx: Transaction, run: str, state: RunState, error: str | None = None) -> bool:
        """Move an open run; a finished one stays finished."""
        changed = await tx.run(
            f"UPDATE runs SET state = ?, error = ?, updated = ? WHERE id = ? AND {OPEN}",
            state, error, self._db.now(), run,
        )  # fmt: skip
        return changed == 1

    async def attempt(self, run: str) -> int:
        """Count a recovery of this run before it is tried."""
        async with self._db.transaction() as tx:
            await tx.run("UPDATE runs SET attempts = attempts + 1 WHERE id = ?", run)
            row = await tx.one("SELECT attempts FROM runs WHERE id = ?", run)
        return int(row["attempts"]) if row else 0

    async def in_state(self, *states: Literal["working", "waiting"], conversation: str | None = None) -> list[Run]:
        """Open runs in any of these states, oldest first."""
        marks = ",".join("?" * len(states))
        rows = await self._db.all(f"SELECT * FROM runs WHERE {OPEN} AND state IN ({marks}) ORDER BY created", *states)
        return [_run(row) for row in rows if conversation in (None, row["conversation"])]

    async def before(self, run: Run, limit: int = 50) -> list[Run]:
        """The requests that led to this one, newest first: each could be carried on into the next."""
        cut = await self._db.one("SELECT value FROM meta WHERE key = ?", f"new:{run.conversation}")
        rows = await self._db.all(
            "SELECT * FROM runs WHERE conversation = ? AND rowid < (SELECT rowid FROM runs WHERE id = ?) AND thinks"
            " AND created > ? ORDER BY rowid DESC LIMIT ?",
            run.conversation, run.id, float(cut["value"]) if cut else 0.0, limit,
        )  # fmt: skip
        found = [run]
        for earlier in map(_run, rows):
            if found[-1].created - earlier.created > HISTORY_SECONDS:
                break
            found.append(earlier)
        return found[1:]

    async def history(self, conversation: str, limit: int = 6) -> tuple[list[Message], bool]:
        """The last finished exchanges as they are stored for another run, and whether any of them was tainted."""
        cut = await self._db.one("SELECT value FROM meta WHERE key = ?", f"new:{conversation}")
        since = max(float(cut["value"]) if cut else 0.0, self._db.now() - HISTORY_SECONDS)
        rows = await self._db.all(
            f"SELECT id, objective, tainted, (SELECT max(seq) {OF_RUN}) AS seq, (SELECT body {OF_RUN} ORDER BY seq DESC"
            " LIMIT 1) AS body FROM runs WHERE conversation = ? AND created > ? AND thinks"
            " AND state IN ('done', 'waiting', 'stopped') ORDER BY created DESC LIMIT ?",
            conversation, since, limit,
        )  # fmt: skip
        messages: list[Message] = []
        for row in reversed(rows):
            answer = _text(final_text([json.loads(row["body"])]) if row["body"] else "")
            said = {"type": SAID, "run": row["id"], "seq": row["seq"]}
            asked = row["objective"] if row["objective"].strip() else NO_TEXT
            messages.append({"role": "user", "content": [{"type": "text", "text": asked}]})
            messages.append({"role": "assistant", "content": [min(answer, said, key=lambda it: len(json.dumps(it)))]})
        return messages, any(row["tainted"] for row in rows)

    async def forget(self, tx: Transaction, conversation: str) -> None:
        """Begin afresh: nothing said before now is carried on, and with it goes its taint."""
        await tx.run("INSERT OR REPLACE INTO meta VALUES (?, ?)", f"new:{conversation}", repr(self._db.now()))

    async def name_of(self, actor: str) -> str:
        """What a person was called when they last asked for something; their id when they never have."""
        row = await self._db.one("SELECT actor_name FROM runs WHERE actor = ? ORDER BY created DESC LIMIT 1", actor)
        return row["actor_name"] if row else actor.partition(":")[2]


async def _in_full(source: Database | Transaction, messages: list[Message]) -> list[Message]:
    """The messages with what they only refer to: where that is forgotten, nothing was answered."""
    blocks = [block for message in messages for block in message["content"] if block["type"] == SAID]
    if not blocks:
        return messages
    rows = await source.all(
        "SELECT run, seq, body FROM json_each(?) AS said JOIN messages ON run = said.value ->> 0"
        " AND seq = said.value ->> 1",
        json.dumps([(block["run"], block["seq"]) for block in blocks]),
    )
    texts = {(row["run"], row["seq"]): final_text([json.loads(row["body"])]) for row in rows}
    for message in messages:
        message["content"] = [
            _text(texts.get((block["run"], block["seq"]), "")) if block["type"] == SAID else block
            for block in message["content"]
        ]
    return messages


def _text(text: str) -> Block:
    return {"type": "text", "text": text or NO_ANSWER}


def final_text(messages: list[Message]) -> str:
    """The text of the last reply, empty when the last word is not the model's or there is none."""
    if not messages or messages[-1]["role"] != "assistant":
        return ""
    text = "\n\n".join(block["text"] for block in messages[-1]["content"] if block["type"] == "text").strip()
    return "" if text == NO_ANSWER or not HIDING.sub("", text).strip() else text


def _run(row: Row) -> Run:
    values: dict[str, Any] = {key: row[key] for key in row.keys()}  # noqa: SIM118 - a Row is no dict
    actor = Actor(values["actor"], values["actor_name"])
    return Run(
        values["id"], values["conversation"], actor, values["objective"], values["opened_by"],
        bool(values["thinks"]), bool(values["unattended"]), bool(values["tainted"]), values["state"],
        values["undo_of"], values["attempts"], values["error"], values["created"],
        values["updated"], values["message"],
    )  # fmt: skip
