"""What people say to a twin, as data: example lines, the call that they mean, and how its answer is told."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lab.kit.rest import Json

SLOTS = {
    "domain": r"(?:[a-z0-9_-]+\.)+[a-z]{2,}",
    "address": r"\d{1,3}(?:\.\d{1,3}){3}",
    "minutes": r"\d{1,4}(?= ?m(?:in|inutos|inutes|inuten)?\b)",
    "url": r"https?://\S+",
}
"""What a value of each kind looks like."""
SLOT = re.compile(r"\{(\w+)(?::(\w+))?\}")
FILLER = (
    "a an the my our your for on in at to of is are be it that this there please pls can could would you me we do does "
    "now just also so and then hey hi ok der die das den dem mein meine ist sind bitte kannst du mir auf im für und el "
    "la los las mi mis es está por favor puedes en de un una para"
)
PRONOUN = re.compile(r"\b(?:it|that|this|them|es|das|ihn|sie|lo|la|eso)\b", re.I)
STEM = 5
"""Letters by which two forms of a word are one: pause, paused, pausing."""
MOST_LEFT = 3
"""Words of a line that an example may lack and still mean the same."""


@dataclass(frozen=True)
class Intent:
    """Lines that mean one call. `{domain}` in an example stands for an argument of that name and kind, `{name:domain}`
    for one of another name."""

    tool: str
    examples: Sequence[str]
    tell: Callable[[Json], str] | None = None
    """What to say of a read's answer; the outcome of a change is told the same way for all."""
    args: Mapping[str, Any] = field(default_factory=dict)
    """Further arguments, the same for every line."""
    words: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """What an argument of no common kind may be; where a line names several, the last counts."""
    most_left: int = MOST_LEFT
    """Fewer words where the examples are so short that many lines contain them."""

    def means(self, line: str, earlier: Sequence[str] = ()) -> tuple[int, Json] | None:
        """How well a line fits, and the arguments it gives; a pronoun stands for what was said last."""
        fits = [found for example in self.examples if (found := self._fits(example, line, earlier))]
        return max(fits, key=lambda found: found[0], default=None)

    def _fits(self, example: str, line: str, earlier: Sequence[str]) -> tuple[int, Json] | None:
        args, rest = dict(self.args), line.lower()
        for name, kind in SLOT.findall(example):
            form = SLOTS.get(kind or name) or "|".join(map(re.escape, self.words[name]))
            here = _last(form, [rest]) if name in self.words else re.search(rf"(?<![\w.-])(?:{form})", rest)
            said = here or (_last(form, earlier) if PRONOUN.search(line) else None)
            if said is None:
                return None
            args[name] = int(said[0]) if said[0].isdigit() else said[0]
            rest = rest.replace(said[0], " ", 1) if here else rest
        wanted, there = _stems(SLOT.sub(" ", example)), _stems(rest)
        if not wanted <= there or len(there - wanted) > self.most_left:
            return None
        return 4 * len(wanted) - len(there - wanted), args


def understood(line: str, intents: Sequence[Intent], earlier: Sequence[str] = ()) -> tuple[Intent, Json] | None:
    """The intent that fits a line best, with its arguments; `earlier` are the texts before it, oldest first."""
    found = [(*fit, intent) for intent in intents if (fit := intent.means(line, earlier))]
    if not found:
        return None
    _, args, intent = max(found, key=lambda each: each[0])
    return intent, args


def _last(form: str, earlier: Sequence[str]) -> re.Match[str] | None:
    return next((hits[-1] for text in reversed(earlier) if (hits := list(re.finditer(form, text.lower())))), None)


def _stems(text: str) -> set[str]:
    return {word[:STEM] for word in re.findall(r"[^\W\d_]{2,}", text.lower()) if word not in FILLER.split()}
