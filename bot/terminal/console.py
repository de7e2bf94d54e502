"""The terminal's face: what a run came to, in plain lines."""

from typing import Any

from bot.screen.cards import PROVENANCE
from bot.screen.plain import facts_line
from bot.screen.render import render
from tools.gate.policy import ONLY_LOOKING


def exit_code(shown: dict[str, Any]) -> int:
    """0 done, 1 failed, 3 waiting for approval."""
    if shown["state"] == "waiting":
        return 3
    bad = any(call["state"] in ("failed", "unknown") for call in shown["calls"])
    return 1 if shown["state"] != "done" or bad else 0


def lines(shown: dict[str, Any]) -> str:
    """A run for a person at a terminal."""
    parts = [_text(shown["answer"])] if shown["answer"] else []
    if shown["error"]:
        parts.append(shown["error"])
    for call in shown["calls"]:
        verified = "" if call["verified"] is None else " ✓" if call["verified"] else " (not verified)"
        parts.append(f"{call['title']}: {call['state']}{verified}")
        parts += [f"  {line}" for line in [facts_line(call["after"] or call["facts"])] if line]
        if call["state"] == "waiting":
            parts += [f"  {note}" for note in [*call["notes"], *_way_back(call)]]
            given = call.get("arguments", ())  # a bot of an older release sends none
            parts += [f"  {arg['name']}: {arg['value']}{PROVENANCE.get(arg['from'], '')}" for arg in given]
        if call["detail"]:
            parts.append(f"  {call['detail']}")
    for plan in shown.get("refused", ()):
        parts.append(f"{plan['title']}: {'would do' if plan['detail'] == ONLY_LOOKING.reason else 'not done'}")
        told = [facts_line(plan["facts"]), *plan["notes"], *_way_back(plan), plan["detail"]]
        parts += [f"  {line}" for line in told if line]
    if shown["state"] == "waiting":
        again = "This destroys something. To run it, say so once more" if shown["confirm"] else "Waits for you"
        parts.append(f"{again}: python main.py resume {shown['run']} --approve (or --deny)")
    parts += [_text(shown["footer"]), f"run {shown['run']} · {shown['state']}"]
    return "\n".join(parts)


def _text(markdown: str) -> str:
    return "\n".join(piece.text for piece in render(markdown))


def _way_back(call: dict[str, Any]) -> list[str]:
    """How a change can be taken back, unless a note has said so."""
    if call["undo"]:
        return [f"undo: {call['undo']}"]
    return [] if any("undo" in note.lower() for note in call["notes"]) else ["no undo"]
