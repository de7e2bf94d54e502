"""Whether a text speaks of a name: compared as people write, and not as machines do.

`Home Assistant`, `home_assistant`, `"home-assistant"` and `Home Assistants` are one name; so are `Küche` and `kueche`.
"""

import re
from bisect import bisect
from collections.abc import Iterator
from unicodedata import combining, normalize

SURE = 6
"""Letters from which on a name inside a longer word is no accident."""
_WORD = re.compile(r"[^\W_]+(?:[-_.'’][^\W_]+)*")
"""A word with whatever joins its parts: the `web` of `web-old` is no word of its own."""
_PART = re.compile(r"[^\W_]+")
_SPELLED_OUT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa"})
_PLAIN = str.maketrans(
    {"æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ı": "i"}
    | dict(zip("авеіјкмнорсѕтухԁһαοερτυκι", "abeijkmhopcstyxdhaoeptuki", strict=True))
)
"""What no decomposition makes plain, and letters of other alphabets that look like ours."""
_ARTICLES = frozenset(("the", "der", "die", "das", "el", "la", "los", "las"))
_KINDS = frozenset(("container", "containers", "contenedor", "dienst", "service", "servicio"))
"""What people put behind a name with a hyphen."""
_AGAINST = frozenset(
    ("no", "not", "never", "without", "except", "but", "keep", "leave", "spare", "dont", "don")
    + ("nicht", "kein", "keine", "ohne", "ausser", "behalte", "lass", "aber")
    + ("sin", "excepto", "salvo", "menos", "pero", "deja", "conserva")
)
"""What turns a request to spare something into one to include it, if it is overread."""
_NUMBERS = (
    "zero null cero", "one eins uno", "two zwei dos", "three drei tres", "four vier cuatro", "five fünf cinco",
    "six sechs seis", "seven sieben siete", "eight acht ocho", "nine neun nueve", "ten zehn diez",
    "eleven elf once", "twelve zwölf doce",
)  # fmt: skip


class Wording:
    """A text in which names are looked for, once or often."""

    def __init__(self, text: str) -> None:
        self._lines = text.casefold().splitlines()
        self._spellings = [_Squeezed(spelling) for spelling in _spellings(text)]

    def names(self, name: str) -> bool:
        """Whether the name stands in it, as a word or several in a row, in any usual spelling, case and number."""
        return any(text.names(form) for form in _forms(name) for text in self._spellings)

    def mentions(self, name: str) -> bool:
        """Whether the name could have been taken from it: also from among the parts of other words."""
        return any(text.mentions(form) for form in _forms(name) for text in self._spellings)

    def switches(self, word: str, on: bool) -> bool:
        """Whether a line speaks of this in favour, or against: by a word that begins alike, as in a language nearby."""
        for line in self._lines:
            parts = {part for spelling in _spellings(line) for part in _PART.findall(spelling)}
            if any(_alike(part, word) for part in parts):
                return bool(parts & _AGAINST) is not on
        return False

    def counts(self, number: float, beside: frozenset[str] = frozenset()) -> bool:
        """Whether it has this number, as a small word or in digits that may have a unit right behind them.

        Where there are words that it must stand `beside`, in one line with one that begins like one of those.
        """
        whole = number == int(number)
        digits = re.escape(str(int(number)) if whole else repr(number))
        pattern = re.compile(rf"(?<![\w.-]){digits}(?:\.0)?[a-z]{{0,8}}(?![\w-]|\.\w)", re.ASCII)
        small = _NUMBERS[int(number)].split() if whole and 0 <= number < len(_NUMBERS) else []
        for line in self._lines:
            parts = set(_PART.findall(line))
            if (pattern.search(line) or parts & {*small}) and (
                not beside or any(_alike(part, word) for part in parts for word in beside)
            ):
                return True
        return False


class _Squeezed:
    """A text without whatever joins or parts its words; where they began and ended is kept."""

    def __init__(self, spelling: str) -> None:
        words, self._parts, self._ends, at, text = [], {0}, set[int](), 0, ""
        for word in _WORD.findall(spelling):
            words.append(at)
            parts = _PART.findall(word)
            if len(parts) > 1 and parts[-1] in _KINDS:
                self._ends.add(at + sum(map(len, parts[:-1])))
            for part in parts:
                at += len(part)
                self._parts.add(at)
            self._ends.add(at)
            text += "".join(parts)
        self._text, self._words, self._starts = text, words, set(words)

    def names(self, form: str) -> bool:
        return any(at in self._starts and at + len(form) in self._ends for at in self._all(form))

    def mentions(self, form: str) -> bool:
        return any(
            (at in self._parts and at + len(form) in self._parts)
            or (len(form) >= SURE and bisect(self._words, at) == bisect(self._words, at + len(form) - 1))
            for at in self._all(form)
        )

    def _all(self, form: str) -> Iterator[int]:
        """Every place at which this stands."""
        at = self._text.find(form)
        while at >= 0:
            yield at
            at = self._text.find(form, at + 1)


def _alike(part: str, word: str) -> bool:
    """Whether two words begin alike: a plural, or the same word in a language nearby."""
    return part.startswith(word[:5]) if len(word) > 4 else part == word


def _spellings(text: str) -> set[str]:
    """The text in small plain letters; its umlauts once without their dots, once spelled out."""
    small = text.casefold()
    bare = (normalize("NFKD", each) for each in (small, small.translate(_SPELLED_OUT)))
    return {"".join(letter for letter in each if not combining(letter)).translate(_PLAIN) for each in bare}


def _forms(name: str) -> set[str]:
    """How a name may stand in a squeezed text: without a leading article, and as a plural or a genitive."""
    found = set()
    for spelling in _spellings(name):
        parts = _PART.findall(spelling)
        found |= {"".join(parts), "".join(parts[1:])} if parts[:1] and parts[0] in _ARTICLES else {"".join(parts)}
    stems = {form.removesuffix(end) for form in found for end in ("s", "es") if len(form.removesuffix(end)) > 3}
    found |= {f"{form[:-1]}ies" for form in found if form.endswith("y")}
    found |= {f"{form[:-3]}y" for form in found if form.endswith("ies") and len(form) > 4}
    # In some languages a kind is written right behind the name: `jellyfincontainer`.
    return {form + end for form in found - {""} for end in ("", "s", "es", *_KINDS)} | stems
