"""What the rows of examples cover: each clause of a line becomes the calls that they name, all of them on one card."""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from lab.claude.brain.causes import find_cause
from lab.claude.brain.injection import quiet
from lab.claude.brain.outcomes import refusal, report
from lab.claude.brain.talk import Result, Stuck, Talk, Wanted
from lab.claude.brain.words import plain, quote
from lab.claude.reply import Json
from lab.kit.intents import Intent, understood
from lab.kit.language import ALL, ASKS, FILLER, NOT, TELLS, folded, tokens

CLAUSES = re.compile(
    r"[.;!?]+(?:\s+|$)|\n+|\s*[,&+]\s*(?:(?:and|then|und|y|dann|luego|but|so)\s+)*|"
    r"\s+(?:(?:and|und|y)\s+(?:then|dann|luego)|and|then|plus|as well as|but|so|und|dann|aber|sondern|y|luego|pero)\s+",
    re.I,
)
HANGING = re.compile(r"^\W*(?:(?:please|bitte|ok)\W+)*(?:do not|don'?t|never|nicht)\W*$", re.I)
LATER = re.compile(
    r"\b(?:tomorrow|tonight|later|every (?:day|night|week|hour|morning)|at \d{1,2}(?::\d\d)?(?: ?[ap]m|\b)|"
    r"in \d+ (?:minutes|hours|days)|in (?:an|one) hour|morgen|heute nacht|um \d+ uhr|in \d+ (?:minuten|stunden)|"
    r"manana|esta noche)\b"
)
NEAREST = re.compile(r"nearest:?\s+`?([\w.-]+)(?: \(([\w.-]+)\))?", re.I)
ALIKE = 0.7
"""How like a name must be to be asked about."""
LONGEST = 600
"""Characters of a line that may ask for something; what comes after them is a paste."""
AT_ONCE = 10
"""Calls of one look that are made together."""


@dataclass(frozen=True)
class Meant:
    """A clause, and what it comes to."""

    clause: str
    intent: Intent
    args: Json

    @property
    def thing(self) -> str:
        """The name that was said; empty when none was, or none belongs there."""
        return str(self.args.get(self.intent.thing, ""))


def meant(said: str, known: Sequence[Intent], earlier: Sequence[str] = ()) -> tuple[list[Meant], list[str]]:
    """What a line comes to, clause by clause, and the clauses that nothing fits."""
    if found := understood(said, [intent for intent in known if intent.whole == "text"], earlier):
        return [Meant(said, *found)], []
    known, said = [intent for intent in known if not intent.whole], said[:LONGEST]
    clauses = [clause.strip() for clause in CLAUSES.split(said) if clause.strip(" ?!.¿¡")]
    parts: list[Meant] = []
    lost: list[str] = []
    negated = False
    for at, clause in enumerate(clauses):
        negated = negated or bool(HANGING.match(clause))
        found = None if negated else understood(clause, known, [*earlier, *clauses[:at]])
        if found:
            part = Meant(clause, *found)
            if lost and not parts and (more := _and_also(part, lost[-1])) and _ends_with_its_verb(part):
                parts.append(replace(more, clause=lost.pop()))
            parts.append(part)
        elif parts and (more := _and_also(parts[-1], clause)):
            parts.append(more)
        else:
            lost.append(clause)
    if len(parts) < 2 and (found := None if negated else understood(said, known, earlier)):
        whole = Meant(said, *found)
        if not parts or (whole.intent is not parts[0].intent and not whole.intent.thing):
            return [whole], []
    return parts, lost


def _and_also(before: Meant, clause: str) -> Meant | None:
    """The same for another thing: the radarr of "restart sonarr and radarr"."""
    words = [token for token in tokens(folded(clause)) if token not in FILLER]
    if not before.intent.thing or not before.thing or not 0 < len(words) < 3:
        return None
    if any(pattern.search(folded(clause)) for pattern in (ASKS, NOT, TELLS)):
        return None
    example = f"{{{before.intent.thing}}}"
    found = replace(before.intent, examples=(example,)).means(clause)
    return Meant(clause, before.intent, {**before.args, **found[1]}) if found else None


def _ends_with_its_verb(part: Meant) -> bool:
    """As German orders may: "sonarr und radarr neu starten"."""
    words = [token for token in tokens(folded(part.clause)) if token not in FILLER]
    return not part.thing.endswith(words[-1])


def follow(talk: Talk, rng: random.Random) -> str | None:
    """The answer to a line that rows cover; None when they cover nothing of it."""
    parts, lost = meant(talk.said, talk.known, talk.earlier)
    if not parts and (refrained := _refrained(talk)):
        return refrained
    broad = understood(talk.said, [intent for intent in talk.known if intent.whole == "question"])
    if not parts and broad:
        parts, lost = [Meant(talk.said, *broad)], []
    if not parts:
        return None
    if any(part.intent.changes for part in parts) and LATER.search(folded(talk.said)):
        raise Stuck("I can do it now or not at all: I keep no appointments. Say it again when it is time.")
    parts = [_named(talk, part, parts[:at]) for at, part in enumerate(parts)]
    planned = _planned(talk, parts)
    wanted = list({str(call): call for calls in planned if not isinstance(calls, str) for call in calls}.values())
    results = dict(zip(map(str, wanted), _settled(talk, wanted), strict=True))
    told: list[str] = []
    changed: list[tuple[str, Result]] = []
    for part, calls in zip(parts, planned, strict=True):
        if isinstance(calls, str):
            told.append(calls)
        elif part.intent.changes:
            changed += [(_title(call[0]), results[str(call)]) for call in calls]
        else:
            told.append(_told(part, [results[str(call)] for call in calls]))
    if changed:
        told.append(" ".join(filter(None, [report(changed), _did_you_mean(talk, changed), _notes(parts, changed)])))
    if any(told) and (others := [clause for clause in lost if _is_more(clause)]):
        told.append(f"I did not understand “{others[-1]}”.")
    return "\n\n".join(filter(None, told)) or None


def _is_more(clause: str) -> bool:
    """Whether a clause that nothing fits may have asked for something, and was no courtesy and no complaint."""
    low = folded(clause)
    words = [token for token in tokens(low) if token not in FILLER]
    return len(words) > 1 and not NOT.search(low) and not TELLS.search(low)


def _refrained(talk: Talk) -> str | None:
    """That an order which a "not" turns round is not followed."""
    orders = [intent for intent in talk.known if intent.changes]
    if not NOT.search(folded(talk.said)) or ASKS.search(folded(talk.said)):
        return None
    bare = re.sub(NOT, " ", folded(talk.said))
    loosely = [replace(order, tell=str) for order in orders]  # the words of an order in any form
    return "Understood: I leave it alone. Nothing was changed." if understood(bare, loosely) else None


def _named(talk: Talk, part: Meant, before: Sequence[Meant]) -> Meant:
    """The same with the name that it lacks: of the clause before, or of the exchange before."""
    name = part.intent.thing
    if not name or part.thing or name not in part.args:
        return part
    if part.intent.changes and ALL.search(folded(part.clause)):
        raise Stuck("That is a lot at once, so I ask for names. Tell me which ones you mean.")
    said = [each.thing for each in before if each.thing][-1:] or list(talk.things)
    if len(said) > 1:
        raise Stuck(which(said))
    if not said and not part.intent.tool:
        return part
    if not said:
        example = part.intent.spoken(part.intent.examples[0], **{name: "jellyfin"})
        raise Stuck(f"Which one? Tell me the name, for example “{example}”.")
    return replace(part, args={**part.args, name: said[0]})


def which(names: Sequence[str]) -> str:
    """The question that asks the person to pick one."""
    return f"Which one do you mean: {' or '.join(f'`{name}`' for name in names)}?"


def _planned(talk: Talk, parts: Sequence[Meant]) -> list[list[Wanted] | str]:
    """The calls of each part, after whatever must be looked up for them; or why there are none."""
    looks: list[Wanted] = [(p.intent.look, _sent(p.args)) for p in parts if p.intent.look]
    looked = iter(_settled(talk, looks)) if looks else iter(())
    planned: list[list[Wanted] | str] = []
    for part in parts:
        if not part.intent.look or part.intent.pick is None:
            planned.append([(part.intent.tool, _sent(part.args))] if part.intent.tool else _tell(part, part.args))
            continue
        look = next(looked)
        picked = refusal(look.text) if look.failed else part.intent.pick({**look.data, "asked": part.args})
        planned.append(picked if isinstance(picked, str) else [(part.intent.tool, args) for args in picked])
    return planned


def _sent(args: Json) -> Json:
    return {name: value for name, value in args.items() if not name.startswith("_")}


def _settled(talk: Talk, wanted: list[Wanted]) -> list[Result]:
    """The results; a name that differs from the nearest one in spelling only is tried again as that."""
    results = [result for at in range(0, len(wanted), AT_ONCE) for result in talk.need_all(wanted[at : at + AT_ONCE])]
    again: dict[int, Wanted] = {}
    for index, ((tool, args), result) in enumerate(zip(wanted, results, strict=True)):
        close = NEAREST.search(result.text) if result.failed and not talk.last else None
        near = close[1].rstrip(".") if close else ""
        names = [name for name, value in args.items() if near and plain(str(value)) == plain(near) and value != near]
        if names:
            again[index] = (tool, {**args, names[0]: near})
    if again:
        for index, result in zip(again, talk.need_all(list(again.values())), strict=True):
            results[index] = result
    return results


def _told(part: Meant, results: list[Result]) -> str:
    failed = [result for result in results if result.failed]
    if len(failed) == len(results):
        return refusal(failed[0].text) if failed else ""
    data = [quiet(result.data) for result in results if not result.failed]
    told = _tell(part, {"each": data} if part.intent.look else data[0])
    telling = find_cause(data[0].get("lines") or [], {})
    return f"{told}\n\nWhat stands out: {telling.says}. {quote(telling.line)}" if telling else told


def _tell(part: Meant, data: Json) -> str:
    return part.intent.tell({**data, "asked": part.args}) if part.intent.tell else ""


def _title(tool: str) -> str:
    return tool.partition("_")[2].replace("_", " ").capitalize()


def _notes(parts: Sequence[Meant], changed: Sequence[tuple[str, Result]]) -> str:
    done = any(result.data.get("outcome") in ("done", "already") for _, result in changed)
    return " ".join(dict.fromkeys(part.intent.note for part in parts if done and part.intent.note))


def _did_you_mean(talk: Talk, changed: Sequence[tuple[str, Result]]) -> str:
    """The line with the nearest name in it, to say yes to, when all that is wrong is the name."""
    parts, _ = meant(talk.said, talk.known)
    close = [match for _, result in changed if result.failed and (match := NEAREST.search(result.text))]
    if len(changed) != 1 or not close or len(parts) != 1:
        return ""
    part, (name, host) = parts[0], close[0].groups()
    if SequenceMatcher(None, plain(part.thing), plain(name)).ratio() < ALIKE:
        return ""
    near = "/".join(filter(None, [host, name]))
    return f"Do you mean “{part.intent.spoken(part.intent.examples[0], **{part.intent.thing: near})}”?"
