"""Greetings, thanks, who and what, and an honest word when nothing else fits."""

import random
import re

from lab.claude.brain.talk import Talk
from lab.claude.brain.words import any_of

GREETING = any_of(
    r"^(?:hi|hello|hey|hiya|yo|good (?:morning|evening|afternoon|day)|moin|howdy)\b[\s,!.]*"
    r"(?:there|rackhand|claude|bot|again)?[\s!.]*$"
)
THANKS = any_of(
    r"^(?:many |ok,? |great,? |perfect,? )?(?:thanks|thank you|thx|ty|cheers)\b[^?]{0,30}$",
    r"^(?:well done|good job|nice(?: work)?|great|perfect|cool)\b[^?]{0,30}$",
)
HELP = any_of(
    r"^(?:/?help|commands|menu)\b",
    r"\bwhat (?:else )?(?:can|could|do) you (?:do|help|offer)\b|\bwhat are you (?:able|good)\b",
    r"\bhow (?:can|could) you help\b|\bhow do (?:i|you) (?:use|work)\b",
)
IDENTITY = any_of(
    r"\b(?:who|what) are you\b|\byour name\b|\bwho (?:made|built) you\b|\bwhich model\b",
    r"\bare you (?:an? |the )?(?:real|claude|ai|bot|human|robot|person|llm|model)\b",
)
BYE = any_of(r"^(?:bye|good ?bye|good night|see you|cu|later)\b[\s!.]*\w*[\s!.]*$")
AGREED = any_of(r"^(?:yes|yep|yeah|no|nope|ok|okay|sure|fine|go ahead|do it)[\s!.]*$")

SELF = (
    "I am a scripted stand-in for Claude: patterns and rules, no language model. "
    "What I say comes from the tools I call."
)
EXAMPLES = "Try “how is everything?” or “what's wrong?”."
FALLBACK = f"That is beyond me: I am a scripted stand-in for Claude and would rather not guess. {EXAMPLES}"
"""Said when no skill understands the line."""
HELLOS = ("Hello.", "Hi.", "Good to see you.")
NOTHING_OPEN = "A typed yes approves nothing. An open card is decided by its buttons; /pending shows it."
UNDO = any_of(r"^(?:please )?(?:undo|revert|roll ?back)\b")
AUDIT = any_of(
    r"\bwho (?:approved|did|changed|restarted|stopped)\b",
    r"\bwhat (?:have|did) (?:you|we|i) (?:change|do)",
)
REPLIES: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = (
    (GREETING, tuple(f"{hello} I look after your homelab. What would you like to know?" for hello in HELLOS)),
    (any_of(r"^how are you\b"), ("I run as scripted, thank you. “How is everything?” tells how your containers are.",)),
    (THANKS, ("You're welcome.", "Glad to help.", "Any time.")),
    (BYE, ("Until later. Nothing I proposed runs without your tap.",)),
    (IDENTITY, (SELF,)),
    (AGREED, (NOTHING_OPEN,)),
    (UNDO, ("Undo is a button on each receipt; /undo lists what can be undone.",)),
    (AUDIT, ("The audit log knows: /audit.",)),
    (any_of(r"\b(?:costs?|spent|spend|budget|tokens)\b"), ("That is counted exactly: /cost.",)),
)


def courtesy(talk: Talk, rng: random.Random) -> str | None:
    """Small talk, help and photos; None for everything that deserves work."""
    if talk.photo:
        return "I can't see pictures: the scripted stand-in for Claude has no eyes. Tell me in words what it shows."
    if not talk.said:
        return f"I got no text. {EXAMPLES}"
    if HELP.search(talk.said):
        return _help(talk)
    for pattern, answers in REPLIES:
        if pattern.search(talk.said):
            return rng.choice(answers)
    return None


def _help(talk: Talk) -> str:
    skills = [
        ("docker_list_containers", "say how everything is, and what needs you: “what's down?”"),
        ("docker_get_container_logs", "find out why something fails: “why is paperless restarting?”"),
        (
            "docker_restart_container",
            "restart, start, stop, update or remove containers; each asks you first: “restart jellyfin”",
        ),
        ("docker_get_container_stats", "show logs, details and figures: “who uses most memory?”"),
        ("docker_prune_system", "show disk usage and clean up: “free some space”"),
        ("memory_add_memory", "keep notes: “remember that backups run at three”"),
    ]
    lines = [f"- {words}" for tool, words in skills if talk.has(tool)]
    if not lines:
        return f"{SELF} I have no tools here, so I can only talk."
    return "I can\n\n" + "\n".join(lines) + "\n\nI am a scripted stand-in for Claude, so plain words work best."
