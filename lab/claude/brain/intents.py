"""What the twins' own rows of examples cover: each line, or each half of one, becomes the call that they name."""

import random
import re
from dataclasses import replace

from lab.claude.brain import changes
from lab.claude.brain.outcomes import refusal, report
from lab.claude.brain.talk import Ask, Result, Talk, Wanted
from lab.claude.brain.words import orders
from lab.kit.intents import Intent, understood

HALVES = re.compile(r"[.;!?]+\s+|\n+|,?\s+(?:and|then|und|y|dann|luego)\s+", re.I)


def follow(talk: Talk, rng: random.Random) -> str | None:
    """The answer to a line that an intent covers, also beside an order; None when none does."""
    known = [intent for intent in talk.known if talk.has(intent.tool)]
    earlier = [text for _, text in talk.past]
    whole = understood(talk.said, known, earlier)
    halves = [half for half in HALVES.split(talk.said) if half.strip()]
    found = [understood(half, known, [*earlier, *halves[:at]]) for at, half in enumerate(halves)]
    others = [half for half, each in zip(halves, found, strict=True) if each is None]
    if len([each for each in found if each]) < 2 and not any(orders(half) for half in others):
        found, others = [whole], []
    meant = [each for each in found if each]
    if not meant or not all(orders(half) for half in others):
        return None
    asked: list[Wanted] = []
    told: list[str | None] = []
    try:
        results = talk.need_all([(intent.tool, args) for intent, args in meant])
        told = [_told(intent, result) for (intent, _), result in zip(meant, results, strict=True)]
    except Ask as ask:
        asked = ask.calls
    for half in others:
        try:
            told.append(changes.change(replace(talk, said=half), rng))
        except Ask as ask:
            asked += ask.calls
    if asked:
        raise Ask(asked)  # all of it on one card
    return "\n\n".join(filter(None, told))


def _told(intent: Intent, result: Result) -> str:
    if result.failed:
        return refusal(result.text)
    if intent.tell is None:
        return report([(intent.examples[0], result)])
    return intent.tell(result.data)
