"""The schema, as ordered functions. Append; never edit one that has shipped."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from memory.database import Transaction

Migration = Callable[["Transaction"], Awaitable[None]]
MIGRATIONS: list[Migration] = []
migration = MIGRATIONS.append


async def _script(tx: "Transaction", script: str) -> None:
    for statement in script.split(";;"):
        if statement.strip():
            await tx.run(statement)


@migration
async def m001_messages_in_and_out(tx: "Transaction") -> None:
    """Inbox, outbox, and what the database says about itself."""
    await _script(
        tx,
        """
        CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;;
        INSERT INTO meta VALUES ('epoch', '1'), ('clock', '0');;
        CREATE TABLE inbox (
            update_id INTEGER PRIMARY KEY,
            raw TEXT NOT NULL,
            received REAL NOT NULL,
            state TEXT NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'done', 'quarantined')),
            attempts INTEGER NOT NULL DEFAULT 0
        ) STRICT;;
        CREATE INDEX inbox_new ON inbox (update_id) WHERE state = 'new';;
        CREATE TABLE outbox (
            id INTEGER PRIMARY KEY,
            key TEXT NOT NULL UNIQUE,
            conversation TEXT NOT NULL,
            kind TEXT NOT NULL,
            payload TEXT NOT NULL,
            state TEXT NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'sending', 'sent', 'dropped')),
            ambiguous INTEGER NOT NULL DEFAULT 0,
            attempts INTEGER NOT NULL DEFAULT 0,
            message INTEGER,
            created REAL NOT NULL,
            error TEXT
        ) STRICT;;
        CREATE INDEX outbox_open ON outbox (id) WHERE state IN ('new', 'sending')
        """,
    )


@migration
async def m002_runs_and_calls(tx: "Transaction") -> None:
    """Runs, their messages, and the journal; the triggers make an illegal step impossible."""
    await _script(
        tx,
        """
        CREATE TABLE runs (
            id TEXT PRIMARY KEY,
            conversation TEXT NOT NULL,
            actor TEXT NOT NULL,
            actor_name TEXT NOT NULL,
            objective TEXT NOT NULL,
            opened_by TEXT NOT NULL,
            thinks INTEGER NOT NULL,
            unattended INTEGER NOT NULL DEFAULT 0,
            tainted INTEGER NOT NULL DEFAULT 0,
            state TEXT NOT NULL DEFAULT 'working'
                CHECK (state IN ('working', 'waiting', 'done', 'failed', 'stopped')),
            undo_of TEXT,
            trigger TEXT UNIQUE,
            progress INTEGER,
            attempts INTEGER NOT NULL DEFAULT 0,
            error TEXT,
            created REAL NOT NULL,
            updated REAL NOT NULL
        ) STRICT;;
        CREATE INDEX runs_open ON runs (state) WHERE state IN ('working', 'waiting');;
        CREATE INDEX runs_conversation ON runs (conversation, created);;
        CREATE TRIGGER taint_never_decreases BEFORE UPDATE OF tainted ON runs
            WHEN OLD.tainted > NEW.tainted BEGIN SELECT RAISE(ABORT, 'taint never decreases'); END;;
        CREATE TABLE messages (
            run TEXT NOT NULL REFERENCES runs (id),
            seq INTEGER NOT NULL,
            body TEXT NOT NULL,
            PRIMARY KEY (run, seq)
        ) STRICT, WITHOUT ROWID;;
        CREATE TRIGGER messages_append_only BEFORE UPDATE ON messages
            BEGIN SELECT RAISE(ABORT, 'messages are append-only'); END;;
        CREATE TABLE held (
            call TEXT PRIMARY KEY,
            run TEXT NOT NULL REFERENCES runs (id),
            result TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;;
        CREATE TABLE calls (
            id TEXT PRIMARY KEY,
            run TEXT NOT NULL REFERENCES runs (id),
            position INTEGER NOT NULL,
            tool TEXT NOT NULL,
            risk INTEGER NOT NULL CHECK (risk IN (1, 2)),
            args TEXT NOT NULL,
            args_hash TEXT NOT NULL,
            targets TEXT NOT NULL,
            card TEXT NOT NULL,
            before TEXT NOT NULL,
            after TEXT,
            state TEXT NOT NULL DEFAULT 'proposed' CHECK (state IN ('proposed', 'waiting', 'started', 'done',
                'failed', 'unknown', 'denied', 'expired', 'not started')),
            verified INTEGER,
            detail TEXT NOT NULL DEFAULT '',
            needs_tap INTEGER NOT NULL,
            tainted INTEGER NOT NULL,
            net TEXT,
            undo TEXT,
            undo_key TEXT UNIQUE,
            undo_until REAL,
            undone_by TEXT UNIQUE,
            proposed REAL NOT NULL,
            started REAL,
            ended REAL,
            epoch INTEGER NOT NULL
        ) STRICT;;
        CREATE INDEX calls_run ON calls (run, position);;
        CREATE INDEX calls_open ON calls (state) WHERE state IN ('proposed', 'waiting', 'started', 'unknown');;
        CREATE TRIGGER calls_begin_proposed BEFORE INSERT ON calls
            WHEN NEW.state <> 'proposed' BEGIN SELECT RAISE(ABORT, 'a call begins as proposed'); END;;
        CREATE TRIGGER calls_legal_steps BEFORE UPDATE OF state ON calls
            WHEN NEW.state <> OLD.state AND (OLD.state || '>' || NEW.state) NOT IN (
                'proposed>waiting', 'proposed>started', 'proposed>not started', 'proposed>failed',
                'waiting>started', 'waiting>denied', 'waiting>expired', 'waiting>not started', 'waiting>failed',
                'started>done', 'started>failed', 'started>unknown', 'unknown>done', 'unknown>failed')
            BEGIN SELECT RAISE(ABORT, 'illegal step of a call'); END;;
        CREATE TRIGGER calls_keep_arguments BEFORE UPDATE OF tool, args, args_hash, run ON calls
            BEGIN SELECT RAISE(ABORT, 'a call keeps its arguments'); END;;
        CREATE TRIGGER calls_keep_asking BEFORE UPDATE OF needs_tap, risk ON calls
            WHEN NEW.needs_tap < OLD.needs_tap OR NEW.risk < OLD.risk
            BEGIN SELECT RAISE(ABORT, 'a call that asks keeps asking'); END;;
        CREATE TRIGGER calls_start_approved BEFORE UPDATE OF state ON calls
            WHEN NEW.state = 'started' AND OLD.needs_tap AND NOT EXISTS (
                SELECT 1 FROM approvals WHERE call = OLD.id AND state = 'approved' AND args_hash = OLD.args_hash)
            BEGIN SELECT RAISE(ABORT, 'nothing starts without its approval'); END
        """,
    )


@migration
async def m003_approvals(tx: "Transaction") -> None:
    """Cards and approvals: single use, bound, never leaving a final state."""
    await _script(
        tx,
        """
        CREATE TABLE cards (
            id TEXT PRIMARY KEY,
            run TEXT NOT NULL REFERENCES runs (id),
            conversation TEXT NOT NULL,
            key_hash TEXT NOT NULL UNIQUE,
            message INTEGER,
            allowed TEXT NOT NULL,
            policy INTEGER NOT NULL,
            epoch INTEGER NOT NULL,
            armed INTEGER NOT NULL DEFAULT 0,
            created REAL NOT NULL,
            expires REAL NOT NULL
        ) STRICT;;
        CREATE TABLE approvals (
            id INTEGER PRIMARY KEY,
            call TEXT NOT NULL REFERENCES calls (id),
            card TEXT NOT NULL REFERENCES cards (id),
            state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN
                ('pending', 'approved', 'denied', 'expired', 'superseded')),
            args_hash TEXT NOT NULL,
            shown_hash TEXT NOT NULL,
            decided_by TEXT,
            decided REAL,
            CHECK (state NOT IN ('approved', 'denied') OR decided_by IS NOT NULL)
        ) STRICT;;
        CREATE TRIGGER approvals_begin_pending BEFORE INSERT ON approvals
            WHEN NEW.state <> 'pending' BEGIN SELECT RAISE(ABORT, 'an approval begins as pending'); END;;
        CREATE UNIQUE INDEX approvals_one_live ON approvals (call) WHERE state IN ('pending', 'approved');;
        CREATE INDEX approvals_card ON approvals (card);;
        CREATE INDEX approvals_pending ON approvals (state) WHERE state = 'pending';;
        CREATE TRIGGER approvals_final BEFORE UPDATE OF state ON approvals
            WHEN NEW.state <> OLD.state AND OLD.state <> 'pending'
                AND NOT (OLD.state = 'approved' AND NEW.state = 'superseded')
            BEGIN SELECT RAISE(ABORT, 'a decided approval stays decided'); END
        """,
    )


@migration
async def m004_books(tx: "Transaction") -> None:
    """Audit chain, money, undo nets, schedules, knowledge."""
    await _script(
        tx,
        """
        CREATE TABLE audit (
            seq INTEGER PRIMARY KEY,
            at REAL NOT NULL,
            kind TEXT NOT NULL,
            actor TEXT NOT NULL,
            data TEXT NOT NULL,
            mac TEXT NOT NULL
        ) STRICT;;
        CREATE TRIGGER audit_append_only_u BEFORE UPDATE ON audit
            BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;;
        CREATE TRIGGER audit_append_only_d BEFORE DELETE ON audit
            BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;;
        CREATE TABLE usage (
            id INTEGER PRIMARY KEY,
            run TEXT NOT NULL,
            at REAL NOT NULL,
            model TEXT NOT NULL,
            input INTEGER NOT NULL,
            cache_read INTEGER NOT NULL,
            cache_write INTEGER NOT NULL,
            output INTEGER NOT NULL,
            usd REAL NOT NULL
        ) STRICT;;
        CREATE INDEX usage_at ON usage (at);;
        CREATE INDEX usage_run ON usage (run);;
        CREATE TABLE nets (
            id TEXT PRIMARY KEY,
            call TEXT NOT NULL,
            sealed BLOB NOT NULL,
            expires REAL NOT NULL
        ) STRICT;;
        CREATE TABLE schedules (
            id TEXT PRIMARY KEY,
            kind TEXT NOT NULL,
            cron TEXT NOT NULL,
            conversation TEXT NOT NULL,
            payload TEXT NOT NULL DEFAULT '{}',
            enabled INTEGER NOT NULL DEFAULT 1,
            created REAL NOT NULL
        ) STRICT;;
        CREATE TABLE schedule_runs (
            schedule TEXT NOT NULL,
            due TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('started', 'done', 'late', 'failed')),
            at REAL NOT NULL,
            PRIMARY KEY (schedule, due)
        ) STRICT;;
        CREATE TABLE snapshots (
            taken REAL PRIMARY KEY,
            body TEXT NOT NULL
        ) STRICT;;
        CREATE TABLE memories (
            id INTEGER PRIMARY KEY,
            text TEXT NOT NULL,
            vector BLOB,
            actor TEXT NOT NULL,
            run TEXT,
            tainted INTEGER NOT NULL,
            created REAL NOT NULL,
            updated REAL NOT NULL
        ) STRICT;;
        CREATE TABLE memory_versions (
            memory INTEGER NOT NULL,
            text TEXT NOT NULL,
            actor TEXT NOT NULL,
            at REAL NOT NULL,
            what TEXT NOT NULL CHECK (what IN ('added', 'updated', 'deleted'))
        ) STRICT;;
        CREATE VIRTUAL TABLE memories_fts USING fts5 (text, content='memories', content_rowid='id',
            tokenize='porter unicode61 remove_diacritics 2');;
        CREATE TRIGGER memories_fts_i AFTER INSERT ON memories
            BEGIN INSERT INTO memories_fts (rowid, text) VALUES (NEW.id, NEW.text); END;;
        CREATE TRIGGER memories_fts_d AFTER DELETE ON memories
            BEGIN INSERT INTO memories_fts (memories_fts, rowid, text) VALUES ('delete', OLD.id, OLD.text); END;;
        CREATE TRIGGER memories_fts_u AFTER UPDATE OF text ON memories BEGIN
            INSERT INTO memories_fts (memories_fts, rowid, text) VALUES ('delete', OLD.id, OLD.text);
            INSERT INTO memories_fts (rowid, text) VALUES (NEW.id, NEW.text); END
        """,
    )


@migration
async def m005_standing(tx: "Transaction") -> None:
    """What an approval was asked under, why it ended without a person, and that a call is asked again once."""
    await _script(
        tx,
        """
        ALTER TABLE approvals ADD COLUMN schema_version TEXT NOT NULL DEFAULT '';;
        ALTER TABLE approvals ADD COLUMN reason TEXT NOT NULL DEFAULT '';;
        CREATE TRIGGER approvals_keep_version BEFORE UPDATE OF schema_version ON approvals
            BEGIN SELECT RAISE(ABORT, 'an approval keeps what it was asked under'); END;;
        ALTER TABLE calls ADD COLUMN asked_again TEXT
        """,
    )


@migration
async def m006_origin_of_versions(tx: "Transaction") -> None:
    """What a memory said keeps its mark of origin; where none was kept, the text may be from outside."""
    await _script(
        tx,
        """
        ALTER TABLE memory_versions ADD COLUMN tainted INTEGER NOT NULL DEFAULT 1;;
        UPDATE memory_versions SET tainted = 0 WHERE EXISTS (SELECT 1 FROM memories
            WHERE id = memory_versions.memory AND text = memory_versions.text AND NOT memories.tainted);;
        CREATE INDEX memory_versions_memory ON memory_versions (memory);;
        CREATE TRIGGER memory_versions_append_only BEFORE UPDATE ON memory_versions
            BEGIN SELECT RAISE(ABORT, 'the history of a memory is append-only'); END
        """,
    )


@migration
async def m007_questions(tx: "Transaction") -> None:
    """The message in which something was asked, and quickly what was said since, and whose a message is."""
    await _script(
        tx,
        """
        ALTER TABLE runs ADD COLUMN message INTEGER;;
        CREATE INDEX outbox_message ON outbox (conversation, message)
        """,
    )


@migration
async def m008_tasks_and_safety_nets(tx: "Transaction") -> None:
    """What a call has begun and is followed by, and what was put aside before it was done."""
    await _script(
        tx,
        """
        ALTER TABLE calls ADD COLUMN task TEXT;;
        ALTER TABLE calls ADD COLUMN safety TEXT;;
        CREATE TRIGGER calls_keep_task BEFORE UPDATE OF task ON calls
            WHEN OLD.task IS NOT NULL OR OLD.state <> 'started'
            BEGIN SELECT RAISE(ABORT, 'a call begins one task, while it runs, and keeps it'); END
        """,
    )


@migration
async def m009_indexes(tx: "Transaction") -> None:
    """What is asked for at every step is found without reading what has ever happened."""
    await _script(
        tx,
        """
        CREATE INDEX runs_actor ON runs (actor, created);;
        CREATE INDEX held_run ON held (run);;
        CREATE INDEX calls_started ON calls (started);;
        CREATE INDEX calls_lately ON calls (coalesce(ended, proposed));;
        CREATE INDEX calls_undoable ON calls (undo_until) WHERE undo IS NOT NULL AND undone_by IS NULL;;
        CREATE INDEX calls_asked_again ON calls (asked_again) WHERE asked_again IS NOT NULL;;
        CREATE INDEX cards_created ON cards (created);;
        CREATE INDEX approvals_call ON approvals (call);;
        CREATE INDEX outbox_only_message ON outbox (message);;
        CREATE INDEX schedule_runs_open ON schedule_runs (state) WHERE state = 'started';;
        CREATE INDEX memories_text ON memories (text);;
        CREATE INDEX memories_dims ON memories (length(coalesce(vector, '')))
        """,
    )


@migration
async def m010_retention(tx: "Transaction") -> None:
    """What is old is found by its age, and the audit log loses nothing but what its anchor stands for."""
    await _script(
        tx,
        """
        CREATE INDEX runs_updated ON runs (updated);;
        CREATE INDEX cards_run ON cards (run);;
        CREATE INDEX outbox_created ON outbox (created);;
        CREATE INDEX schedule_runs_at ON schedule_runs (at);;
        CREATE INDEX memories_run ON memories (run) WHERE run IS NOT NULL;;
        DROP TRIGGER audit_append_only_d;;
        CREATE TRIGGER audit_append_only_d BEFORE DELETE ON audit
            WHEN OLD.seq > coalesce((SELECT value ->> '$.seq' FROM meta WHERE key = 'audit anchor'), 0)
            BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END
        """,
    )


@migration
async def m011_living_messages(tx: "Transaction") -> None:
    """A message that is drawn again has one row, which knows where it stands and what it shows."""
    await _script(
        tx,
        """
        ALTER TABLE outbox ADD COLUMN wanted INTEGER NOT NULL DEFAULT 0;;
        ALTER TABLE outbox ADD COLUMN drawn TEXT NOT NULL DEFAULT '';;
        CREATE INDEX outbox_passing ON outbox (kind) WHERE kind = 'progress';;
        UPDATE outbox SET key = key || ':' || id WHERE kind IN ('card', 'receipt');;
        UPDATE outbox SET state = 'sent' WHERE kind = 'card' AND state IN ('new', 'sending')
            AND id NOT IN (SELECT max(id) FROM outbox WHERE kind = 'card' GROUP BY payload ->> '$.card');;
        UPDATE outbox SET key = kind || ':' || coalesce(payload ->> '$.card', payload ->> '$.call') WHERE id IN
            (SELECT max(id) FROM outbox WHERE kind IN ('card', 'receipt') GROUP BY kind, payload ->> '$.card',
                payload ->> '$.call');;
        UPDATE outbox SET message = cards.message FROM cards WHERE key = 'card:' || cards.id;;
        INSERT INTO outbox (key, conversation, kind, payload, message, created)
            SELECT 'progress:' || id, conversation, 'progress', json_object('run', id), progress, created
            FROM runs WHERE progress IS NOT NULL AND state = 'working';;
        ALTER TABLE cards DROP COLUMN message;;
        ALTER TABLE runs DROP COLUMN progress
        """,
    )
