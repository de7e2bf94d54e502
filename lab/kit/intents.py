"""What people say to a twin, as data: example lines, the call that they mean, and how its answer is told."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

from lab.kit import language
from lab.kit.language import folded, tokens
from lab.kit.rest import Json

SLOTS = {
    "domain": r"(?:[a-z0-9_-]+\.)+[a-z]{2,}",
    "address": r"\d{1,3}(?:\.\d{1,3}){3}",
    "minutes": rf"(?:last |past |letzten |ultim[ao]s )?{language.SPAN.pattern}",
    "count": r"(?:(?:last|latest|newest|top|letzten|ultim[ao]s) )?\d{1,4}\b(?: (?:log )?(?:lines|zeilen|lineas))?",
    "tagged": r"[a-z0-9][\w./-]*:[\w.-]+",
    "url": r"https?://\S+",
}
"""What a value of each kind looks like. `{query:text}` is all that follows, `{query:question}` a question that nothing
else fits, `{host:place}` where something is. A slot of no kind, and with no words of its own, is the name of a thing:
what is left of a line, and where it is (`home assistant on mini`)."""
WHOLE = ("text", "question")
SLOT = re.compile(r"\{(\w+)(?::(\w+))?\}")
MOST_LEFT = 3
"""Words of a line that an example may lack and still mean the same, or that a thing's name may have."""
Found = tuple[int, Json]
"""How well a line fits, and the arguments that it gives."""


@dataclass(frozen=True)
class Intent:
    """Lines that mean one call. `{domain}` in an example stands for an argument of that name and kind, `{name:domain}`
    for one of another name; one whose name begins with `_` is for `pick` and `tell` alone."""

    tool: str
    """Empty where there is something to say and nothing to call."""
    examples: Sequence[str]
    tell: Callable[[Json], str] | None = None
    """What to say of a read's answer, `asked` being the line's arguments; empty when it says nothing of use. The
    outcome of a change is told the same way for all."""
    args: Mapping[str, Any] = field(default_factory=dict)
    """Further arguments, the same for every line."""
    words: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """What an argument of no common kind may be; where a line names several, the last counts."""
    most_left: int = MOST_LEFT
    """Fewer words where the examples are so short that many lines contain them."""
    maybe: str = ""
    """Slots that a line may fill and need not."""
    look: str = ""
    """A read that comes first and gets the line's arguments; `pick` makes the calls' from its answer, or says why not,
    and `tell` gets the answers as `each`."""
    pick: Callable[[Json], list[Json] | str] | None = None
    note: str = ""
    """What to add when a change is done."""

    @cached_property
    def thing(self) -> str:
        """The argument that is the name of a thing; empty when there is none."""
        found = (self._slots(example) for example in self.examples)
        return next((name for slots in found for name, kind in slots.items() if kind == "thing"), "")

    @cached_property
    def whole(self) -> str:
        """The kind of a slot that takes the line as it is: text or question; empty when none does."""
        return next((kind for kind in self._slots(self.examples[0]).values() if kind in WHOLE), "")

    @property
    def changes(self) -> bool:
        """Whether its lines order a change."""
        return bool(self.tool) and self.tell is None

    def spoken(self, example: str, **values: str) -> str:
        """An example with a value in each slot: the given one, the first of its words, or three dots."""

        def value(slot: re.Match[str]) -> str:
            return values.get(slot[1]) or values.get(slot[2] or "") or next(iter(self.words.get(slot[1], ())), "…")

        return SLOT.sub(value, example)

    def means(self, line: str, earlier: Sequence[str] = ()) -> Found | None:
        """How well a line fits, and the arguments it gives; a pronoun stands for what was said last."""
        fits = [found for example in self.examples if (found := self._fits(example, line, earlier))]
        return max(fits, key=lambda found: found[0], default=None)

    @cached_property
    def _slots(self) -> Callable[[str], dict[str, str]]:
        """What tells the arguments in a text, each with its kind; of each text it is found out once."""
        return cache(self._slots_in)

    def _slots_in(self, text: str) -> dict[str, str]:
        kinds = {slot[1]: slot[2] or slot[1] for slot in SLOT.finditer(text)}
        known = (*SLOTS, *WHOLE, "place")
        return {n: k if k in known else "words" if n in self.words else "thing" for n, k in kinds.items()}

    def _fits(self, example: str, line: str, earlier: Sequence[str]) -> Found | None:
        slots, low, bare = self._slots(example), folded(line), folded(SLOT.sub(" ", example))
        if self.changes and (language.ASKS.search(low) or (language.NOT.search(low) and not language.NOT.search(bare))):
            return None
        if self.whole:
            return self._whole(example, line)
        if self.changes and "thing" in slots.values():
            low = language.REASON.sub("", low)
        shaped = self._shaped(slots, low, earlier if language.PRONOUN.search(line) else ())
        left = shaped and _without(tokens(shaped[1]), tokens(bare), exactly=self.changes)
        if not shaped or left is None:
            return None
        args = {**self.args, **shaped[0]}
        score = 4 * len(tokens(bare)) + 2 * len(shaped[0]) - len(set(tokens(bare)) - set(tokens(low)))
        if self.changes:  # an order begins with its verb
            score += 3 * any(word in tokens(bare) for word in [t for t in tokens(low) if t not in language.FILLER][:1])
        return self._named({**slots, **self._slots(self.maybe)}, args, left, score)

    def _whole(self, example: str, line: str) -> Found | None:
        """The line as it was written: what follows the words that it begins with, or all of a question."""
        name, low = SLOT.findall(example)[0][0], folded(line).replace("'", " ")
        if self.whole == "question":
            asked = language.ASKS.search(low) or low.endswith("?")
            return (0, {**self.args, name: line.strip(" ?¿")}) if asked else None
        words = tokens(folded(example.partition("{")[0]))
        form = r"\W+(?:\w\W+)?".join(words)
        found = re.match(rf"^\W*{language.POLITE}{form}\b[\s,:-]*(?:(?:that|dass|que)\b[\s,:-]*)?", low)
        said = line[found.end() :].strip() if found else ""
        return (4 * len(words), {**self.args, name: said}) if said and not language.ALL.match(folded(said)) else None

    def _shaped(self, slots: Mapping[str, str], low: str, earlier: Sequence[str]) -> tuple[Json, str] | None:
        """The values of slots that have a shape or words of their own, and the rest of the line."""
        args: Json = {}
        for name, kind in {**self._slots(self.maybe), **slots}.items():
            if kind in ("thing", "place"):
                continue
            own = kind == "words"
            longest = sorted(map(folded, self.words[name]), key=len, reverse=True) if own else []
            form = rf"(?<![\w.-])(?:{'|'.join(map(re.escape, longest)) if own else SLOTS[kind]})"
            here = _last(form + r"\w*" * own, [low]) if own else re.search(form, low)
            said = here or (None if own else _last(form, earlier))
            if said is None and name in slots:
                return None
            if said is not None:
                args[name] = _value(kind, said[0], form)
                low = f"{low[: said.start()]} {low[said.end() :]}" if here else low
        return args, low

    def _named(self, slots: Mapping[str, str], args: Json, left: list[str], score: int) -> Found | None:
        """The same with the thing and the place that are named in what is left."""
        things = [name for name, kind in slots.items() if kind == "thing"]
        places = [name for name, kind in slots.items() if kind == "place"]
        where = language.take_place(left) if things or places else ""
        left = [token for token in left if token not in language.FILLER]
        if language.NOT.search(" ".join(left)):
            return None  # not what stands there, but its opposite
        if len(left) > (MOST_LEFT if things else min(self.most_left, score // 2 - 1)) or (
            things and language.ASKING & set(left)
        ):
            return None
        name = "-".join(left) if not where or "/" in "".join(left) else "/".join(filter(None, [where, "-".join(left)]))
        args |= dict.fromkeys(things, name) | dict.fromkeys(places if where else [], where)
        return score + 2 * bool(things and left) - len(left), args


def understood(line: str, intents: Sequence[Intent], earlier: Sequence[str] = ()) -> tuple[Intent, Json] | None:
    """The intent that fits a line best, with its arguments; `earlier` are the texts before it, oldest first."""
    found = [(*fit, intent) for intent in intents if (fit := intent.means(line, earlier))]
    if not found:
        return None
    _, args, intent = max(found, key=lambda each: each[0])
    return intent, args


def _without(left: list[str], words: Sequence[str], *, exactly: bool) -> list[str] | None:
    """The tokens of a line without an example's words; None when it lacks one."""
    for word in words:
        at = next((at for at, token in enumerate(left) if language.alike(token, word, exactly=exactly)), None)
        if at is None:
            return None
        left = left[:at] + left[at + 1 :]
    return left


def _value(kind: str, said: str, form: str) -> Any:
    if kind == "minutes":
        return language.minutes(said)
    if kind == "count":
        return int(re.findall(r"\d+", said)[0])
    found = re.match(form, said) if kind == "words" else None
    return found[0] if found else said


def _last(form: str, earlier: Sequence[str]) -> re.Match[str] | None:
    return next((hits[-1] for text in reversed(earlier) if (hits := list(re.finditer(form, folded(text))))), None)
