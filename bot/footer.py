"""The line under an answer, written by code from the journal: what was read and what was changed."""

import re

from memory.models import CallRow, CallState, Message
from memory.runs import final_text
from memory.stores import Stores

# An answer that called no tool has changed nothing, so "nothing was changed" is always true under it; the question is
# only where it is worth a line. Under an explanation it is noise. Under a claim it is what keeps a person from relying
# on a deed that never happened. So a doubtful sentence gets the line: a needless truth costs less than a believed lie.
# A deed is claimed in the first person or in the passive perfect, in any verb but those of looking and speaking, or
# with a tick like those on our receipts; what "is restarted by" or "can be stopped" is explained, not claimed.
_ADVERBS = r"(?:(?:just|now|also|already|then|again|successfully|have|\w+ly) )*"
_LOOKING = (
    r"(?:look|check|notic|ask|want|mention|explain|describ|list|assum|expect|suppos|hop|lik|learn|need|preferr|"
    r"recommend|suggest|answer|repli|search|review|compar|consider|guess|believ|misunderst|realis|realiz|us|"
    r"report|analys|analyz|inspect|examin|verifi|confirm|wonder|call|promis|work)"
    r"ed\b"
)
_ENDINGS = (
    r"(?:\w*(?<!e)ed|(?:re)?set|shut|cut|ran|took|taken|made|put|(?:re)?built|rebuilt|brought|(?:over)?wr(?:ote|itten)|"
    r"did|done|undid|undone|gave|given|sent|let|got|spun|killed|kept|began|begun)\b(?! not|n't)"
)
_DEED = rf"(?!{_LOOKING})(?:{_ENDINGS})"
_KNOWN = (
    r"(?:re|un)?(?:start|stopp|boot|mov|delet|creat|updat|chang|fix|pull|prun|block|enabl|disabl|appli|paus|resum|"
    r"kill|restor|wip|reload|switch|turn|upgrad|install|clean|clear|rotat|configur|complet|load)ed"
)
_ENGLISH = (
    # I paused it. I've also shut it down. I looked at it and restarted it.
    rf"\b(?:I|we)(?:'ve|’ve| have)? {_ADVERBS}(?:{_LOOKING}[^.!?\n]*?(?:\band|,|\bthen) {_ADVERBS})?{_DEED}",
    rf"\b(?:I|we)(?:'m|’m|'re|’re| am| are) {_ADVERBS}(?:re|un)?(?:start|stopp|boot|mov|delet|paus|turn|switch)ing\b",
    # It has been stopped. It was restarted (not: by the kernel). It is now off. It is done.
    rf"\b(?:has|have) {_ADVERBS}been {_ADVERBS}{_DEED}",
    rf"(?<!that )(?<!which )(?<!who )\b(?:was|were) {_ADVERBS}{_KNOWN}\b(?! by\b)",
    r"\b(?:is|are) now (?!(?:a|an|the)\b)\w+",
    rf"\bsuccessfully {_ENDINGS}|\b{_KNOWN} successfully\b",
    # Restarted jellyfin. Done.
    rf"^\W*(?:{_KNOWN}\b|(?:it's |it is |that's |all )?(?:done|completed|finished)\b)",
)
_PARTICIPLE = r"(?:\w*ge\w{2,}(?:t|en)|\w{2,}iert|(?:ver|ent|be|er|zer|über|wieder)\w{2,}(?:t|en))\b"
_SEEN = (
    r"(?:nach|an|um|durch|ein|zu)?(?:gesehen|geschaut|geguckt|gelesen|gefragt|gehört|gesagt|gemeint|gedacht|gesucht|"
    r"geprüft|gefunden)\b|überprüft\b|verstanden\b|erwähnt\b|erklärt\b|beantwortet\b|gern\b|geben\b|gegen\w*"
)
_GERMAN = (
    # Ich habe es neu gestartet. Erledigt. Es wurde (nicht: vom Kern) gestoppt. Es ist jetzt aus.
    rf"\b(?:ich (?:habe?|hab)|habe? ich|wir haben|haben wir)\b[^.!?\n]*?\b(?!{_SEEN}){_PARTICIPLE}",
    rf"\bwurden?\b(?! (?:vo[nm]|durch)\b)[^.!?\n]*?\b(?!{_SEEN}){_PARTICIPLE}|\b{_PARTICIPLE} worden\b",
    r"\b(?:ist|sind) (?:jetzt|nun|wieder) (?!ein|der|die|das)\w+",
    r"^\W*(?:erledigt|fertig|gemacht|abgeschlossen|geschafft)\b",
)
_CLAIM = re.compile("|".join([*_ENGLISH, *_GERMAN]), re.IGNORECASE)
_TICK = re.compile("[✓✔✅☑]")
_DENIED = re.compile(
    r"(?i)\b(?:nothing|none|no \w+|never|not|\w+n[\'’]t|nichts|nicht|nie|keine?[nmrs]?|"
    r"if|whether|once|unless|would|wenn|falls|ob)\b"
)
_SENTENCE = re.compile(r"(?<=[.!?;])\s+|\n+")
_CLAUSE = re.compile(r"(?i),|\b(?:so|but|aber|daher|deshalb)\b")


def claims(answer: str) -> bool:
    """Whether an answer says, in English or German, that something was done."""
    return bool(_TICK.search(answer)) or any(map(_claims, _SENTENCE.split(answer)))


def _claims(sentence: str) -> bool:
    for found in _CLAIM.finditer(sentence):
        # "Nothing has been changed", "if it was stopped": denied or a condition, but only within its own clause.
        clause = max((end.end() for end in _CLAUSE.finditer(sentence, 0, found.start())), default=0)
        if not _DENIED.search(sentence[clause : found.end()]):
            return True
    return False


async def footer(stores: Stores, run: str) -> str:
    """`3 reads · 1 change ✓`, empty when no tool was called and nothing is claimed."""
    looked = await stores.held.of_run(run)
    rows = [row for row in await stores.journal.of_run(run) if row.id not in looked]
    messages = await stores.runs.messages(run)
    reads, failed = _calls(messages, {row.id for row in rows}, run)
    if not rows and not reads and not failed:
        return "*nothing was changed*" if claims(final_text(messages)) else ""
    parts = [_count(reads, "read")] if reads else []
    parts += [f"{failed} failed"] if failed else []
    return f"*{' · '.join([*parts, *_changes(rows)])}*"


def _calls(messages: list[Message], changes: set[str], run: str) -> tuple[int, int]:
    """How many calls looked at something, and how many came to nothing: refused, invalid, not answered."""
    blocks = [(place, block) for place, message in enumerate(messages, 1) for block in message["content"]]
    results = [(place, block) for place, block in blocks if block["type"] == "tool_result"]
    bad = {(place, block["tool_use_id"]) for place, block in results if block.get("is_error")}
    uses = [
        (place, block["id"])
        for place, block in blocks
        if block["type"] == "tool_use" and f"{run}:{place}:{block['id']}" not in changes
    ]
    failed = sum((place + 1, use) in bad for place, use in uses)  # the results are the next message
    return len(uses) - failed, failed


def _changes(rows: list[CallRow]) -> list[str]:
    """What the changes came to; one that failed was refused or never sent."""
    ran = [row for row in rows if row.state in (CallState.DONE, CallState.UNKNOWN)]
    good = sum(1 for row in ran if row.state is CallState.DONE and row.verified)
    failed = sum(1 for row in rows if row.state is CallState.FAILED)
    parts = [f"{_count(failed, 'change')} failed"] if failed else []
    if not ran:
        return [*parts, "nothing was changed"]
    return [f"{_count(len(ran), 'change')} {'✓' if good == len(ran) else f'{good} of {len(ran)} verified'}", *parts]


def _count(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
