"""Entries of the audit log as people read them: who did what, and what came of a change by itself."""

from typing import TYPE_CHECKING, Any

from memory.audit import Entry

if TYPE_CHECKING:
    from bot.menus.desk import Desk

LONGEST = 60
OUTCOMES = {"done": "done", "failed": "failed", "unknown": "outcome unknown", "not started": "not started",
            "denied": "denied", "expired": "expired", "superseded": "put aside"}  # fmt: skip
"""What a change came to; where a person said so, it reads `Ana denied`."""
DEEDS = {
    "run": "asked", "new": "began afresh", "stop": "stopped what ran", "stop all": "stopped everything",
    "start again": "lifted the stop", "proposed": "asked for", "armed": "confirmed once",
    "one by one": "takes one by one", "tap rejected": "tapped in vain", "settled by a person": "said what came of",
    "set aside": "set aside", "moved": "changed meanwhile", "restored": "restored a backup", "digest": "daily digest",
    "refused": "was refused",
}  # fmt: skip


async def entry_line(desk: "Desk", entry: Entry) -> str:
    """`21:40 Ana approved: Restart jellyfin`, `21:40 Restart jellyfin: done, verified`."""
    at, about = desk.form.moment(entry.at), (await _subject(desk, entry.data))[:LONGEST]
    if ":" not in entry.actor:  # no person: the gate, the clock, the settings
        words = OUTCOMES.get(entry.kind, DEEDS.get(entry.kind, entry.kind))
        proven = ", verified" if entry.data.get("verified") else ", not verified"
        words += proven if entry.kind == "done" else ""
        return f"{at} {about}: {words}" if about else f"{at} {words}"
    who = await desk.stores.runs.name_of(entry.actor)
    return f"{at} {who} {DEEDS.get(entry.kind, entry.kind)}" + (f": {about}" if about else "")


async def _subject(desk: "Desk", data: dict[str, Any]) -> str:
    """What an entry is about: the changes by their titles, else the tool, the objective or the reason."""
    calls = data.get("calls") or [data.get("call")]
    rows = [await desk.stores.journal.get(call) for call in calls if call] if isinstance(calls, list) else []
    titles = ", ".join(row.title for row in rows if row)
    named = str(data.get("tool") or "").replace("_", " ")
    return titles or named or str(data.get("objective") or data.get("reason") or "")
