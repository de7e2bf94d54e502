"""Greetings, thanks, who and what, and an honest word when nothing else fits."""

import random
import re

from lab.claude.brain.talk import Talk
from lab.claude.brain.words import any_of

SELF = "I am a small stand-in for Claude: rows of examples, no language model. What I say comes from the tools I call."
EXAMPLES = "Try “how is everything?” or “what's wrong?”, or ask me what I can do."
SHOWN = 8
"""Examples of a service that the help has."""
LOST = f"That is beyond me: I am a small scripted stand-in for Claude and would rather not guess. {EXAMPLES}"
"""Said when nothing fits the line."""
HELP = any_of(
    r"^(?:/?help|commands|menu|hilfe|ayuda)\b[?!. ]*$",
    r"\bwhat (?:else )?(?:can|could|do) you (?:do|help|offer)\b|\bwhat are you (?:able|good)\b|\bwas kannst du\b",
    r"\bhow (?:can|could) you help\b|\bhow do (?:i|you) (?:use|work)\b|\bqu[eé] (?:puedes|sabes) hacer\b",
)
SMALL_TALK: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = (
    (any_of(r"^¡?(?:hi|hello|hey|hiya|yo|good (?:morning|evening|afternoon|day)|moin|howdy|hallo|servus|guten \w+|hola|"
            r"buen[oa]s \w+)\b[\s,!.]*(?:there|rackhand|claude|bot|again|du)?[\s!.]*$"),
     ("Hello. I look after your homelab. What would you like to know?",
      "Hi. I look after your homelab. Ask me how it is.")),
    (any_of(r"^how are you\b|^wie geht'?s(?: dir)?\W*$|^(?:qué|que) tal\W*$"),
     ("I run as scripted, thank you. “How is everything?” tells how your homelab is.",)),
    (any_of(r"^(?:(?:many|ok|great|perfect|cool|nice|super),? )*(?:thanks|thank you|thx|ty|cheers|danke|gracias)"
            r"(?: (?:a lot|so much|very much|again|you|claude|rackhand|schön|for \w+(?: \w+)?))*[\s!.]*$",
            r"^(?:well done|good job|nice|great|perfect|cool|super)(?: (?:job|work|one|stuff))?[\s!.]*$"),
     ("You're welcome.", "Glad to help.", "Any time.")),
    (any_of(r"^(?:bye|good ?bye|good night|see you|cu|later|tsch[uü]ss|adi[oó]s)\b[\s!.]*\w*[\s!.]*$"),
     ("Until later. Nothing I proposed runs without your tap.",)),
    (any_of(r"\b(?:who|what) are you\b|\byour name\b|\bwho (?:made|built) you\b|\bwhich model\b|\bwer bist du\b",
            r"\bare you (?:an? |the )?(?:real|claude|ai|bot|human|robot|person|llm|model)\b|\bqui[eé]n eres\b"),
     (f"{SELF} Put simply: a scripted stand-in for Claude.",)),
    (any_of(r"^(?:yes|yep|yeah|no|nope|ok|okay|sure|fine|go ahead|do it|ja|nein|s[ií]|vale)[\s!.]*$"),
     ("A typed yes approves nothing. An open card is decided by its buttons; /pending shows it.",)),
    (any_of(r"^(?:please )?(?:undo|revert|roll ?back)\b|\bmach das rückgängig\b|^deshaz\b"),
     ("Undo is a button on each receipt; /undo lists what can be undone.",)),
    (any_of(r"\bwho (?:approved|did|changed|restarted|stopped)\b|\bwhat (?:have|did) (?:you|we|i) (?:change|do)"),
     ("The audit log knows: /audit.",)),
    (any_of(r"\b(?:costs?|spent|spend|budget|tokens)\b"), ("That is counted exactly: /cost.",)),
    (any_of(r"^(?:please |ok,? |no,? )*(?:stop|halt|stopp|para)(?: that| please| now)*[.! ]*$"),
     ("I am not doing anything now. To stop something, name it: “stop jellyfin”.",)),
)  # fmt: skip


def courtesy(talk: Talk, rng: random.Random) -> str | None:
    """Small talk, help and photos; None for everything that deserves work."""
    if talk.photo:
        return "I can't see pictures: the scripted stand-in for Claude has no eyes. Tell me in words what it shows."
    if not talk.said:
        return f"I got no text. {EXAMPLES}"
    if HELP.search(talk.said):
        return _help(talk)
    return next((rng.choice(answers) for pattern, answers in SMALL_TALK if pattern.search(talk.said)), None)


def _help(talk: Talk) -> str:
    """An example of each thing that people say here, by service."""
    known: dict[str, list[str]] = {}
    for intent in talk.known:
        if talk.has(intent.tool) and intent.whole != "question":
            example = intent.spoken(intent.examples[0])
            known.setdefault(intent.tool.partition("_")[0], []).append(f"“{example}”")
    if not known:
        return f"{SELF} I have no tools here, so I can only talk."
    lines = [f"- {service}: {', '.join(list(dict.fromkeys(rows))[:SHOWN])}" for service, rows in known.items()]
    return "\n".join(["I find out why something fails (“why is paperless restarting?”), and understand lines like", "",
                      *lines, "", SELF, "Every change asks you first."])  # fmt: skip
