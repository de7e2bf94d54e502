"""English, German and Spanish as people type them to a bot: what counts in a line, and what does not."""

import re
import unicodedata
from functools import lru_cache

MINUTE, HOUR = r"m(?:in|inutes?|inuten?|inutos?)?", r"(?:h|hours?|hrs?|stunden?|horas?)"
UNITS = {r"s(?:ec\w*|ek\w*|eg\w*)?": 1 / 60, MINUTE: 1.0, HOUR: 60.0, r"(?:days?|tage?n?|dias?)": 1440.0}
SPAN = re.compile(
    rf"(?:(\d{{1,4}})|half an|(?:an?|one|last|past|ein\w*|letzten?|una?|ultim[ao]))\s?({'|'.join(UNITS)})\b"
)
TOKEN = re.compile(r"[a-z0-9][\w.-]*(?:/[\w.-]+)*(?::[\w.-]+)?")


def bag(text: str) -> frozenset[str]:
    """The words of a text as a set."""
    return frozenset(text.split())


RUN_IN = re.compile(r"^(what|how|who|where|when|can)[st]$")
FILLER = bag(
    "a an the my our your for on in at to of up is are be it its that this these those them they one ones both there "
    "again already also and app as asap be but called can container containers could do docker does done exactly for "
    "from going good has have hello hey hi image immediately instead just kindly latest lets like maybe me named new "
    "newest now ok okay once one please pls quickly rackhand really right same server service services show so some "
    "stack still tell then thing things too us version want was we were will with would yes yeah you all everything "
    "anything something bitte kannst konntest konnen du sie mir mich mal doch der die das den dem ein eine einen mein "
    "meine meinen ist sind war auf im fur und zu jetzt gerade noch es ihn alle alles el la los las lo le mi mis es "
    "esta estan por favor puedes podrias en de del un una para y ahora todo todos dr quick hier thanks thx gracias "
    "danke give see get list let heute today think need should by using bin meinem meiner von vom zeig zeige muestra "
    "last am usa been muestrame braucht verbraucht dime sag welches"
)
"""Words that name nothing."""
PLACE = {"on", "at", "auf", "en"}
NO_PLACES = FILLER | bag("disk fire time monday tuesday wednesday thursday friday saturday sunday deutsch")
PRONOUN = re.compile(r"\b(?:it|that|this|them|es|das|ihn|sie|lo|la|eso)\b|[aenr]l[oa]s?\b", re.I)
NOT = re.compile(
    r"\b(?:do not|don'?t|never|not|nicht|niemals|nie|kein\w*|nunca|jamas|cancel|avoid|leave|without|instead of|"
    r"no need|rather than|lass)\b|(?:^|por favor )no (?=\w)"
)
"""What turns an order into its opposite."""
POLITE = r"(?:(?:please|pls|hey|ok|and|also|can you|could you|bitte|kannst du|por favor|puedes)\b\W*)*"
ASKS = re.compile(
    r"^\W*(?:and |so |but |und |y )*(?:how|what|why|when|where|who|which|did|does|do (?:i|you|we|they)|can i|is|are|"
    r"was|were|has|had|should|would it|will it|if|wie|warum|wieso|wann|wer|hat|ist|sind|soll|como|que|por que|cuando|"
    r"quien|ha|debo|esta)\b"
)
"""How a question begins; one about a change orders none."""
ALL = re.compile(r"\b(?:all|everything|every|alles?|tod[oa]s?)\b")
ASKING = bag("how what why when where who which wie was warum wann wer welche que como cuando quien whose")
"""Words that ask for a thing and name none."""
TELLS = re.compile(
    r"\b(?:is|are|isn|aren|was|has|hangs?|hung|seems|looks|keeps|crash\w*|broke|died|doesn|don|does|won|ist|hangt|geht|"
    r"lauft|spinnt|kaputt|esta|funciona|know|think)\b"
)
"""What describes and orders nothing: it hangs, restart it."""
REASON = re.compile(
    r"\s(?:because|since|so that|as it|if|when|unless|before|after|for me|to see|but|with(?:out)?|from|which|weil|wenn|"
    r"denn|porque|cuando)\b.*$"
)
STEM = 5
"""Letters by which two forms of a word are one: pause, paused, pausing."""


@lru_cache(10_000)
def folded(text: str) -> str:
    """Lower case without accents, letter for letter."""
    return "".join(unicodedata.normalize("NFKD", letter)[0].lower()[0] for letter in text.replace("’", "'"))


def tokens(text: str) -> list[str]:
    """The words and names of a folded text."""
    return list(_tokens(text))


@lru_cache(10_000)  # each line is held against every example of every row
def _tokens(text: str) -> tuple[str, ...]:
    found = [token.rstrip(".-:") for token in TOKEN.findall(text)]
    return tuple(RUN_IN.sub(r"\1", token) for token in found if len(token) > 1 or token.isdigit())


@lru_cache(10_000)
def alike(token: str, word: str, *, exactly: bool) -> bool:
    """Whether two words are one: in another form unless `exactly`, or with two letters swapped or one wrong."""
    if token == word or (not exactly and _stem(token) == _stem(word)):
        return True
    if min(len(token), len(word)) < 4 or token[0] != word[0] or token.startswith(word) or word.startswith(token):
        return False
    differ = [at for at, (a, b) in enumerate(zip(token, word, strict=False)) if a != b]
    if len(token) != len(word):
        short, long = sorted((token, word), key=len)
        at = differ[0]
        return len(short) > 4 and short[at:] == long[at + 1 :]
    swapped = len(differ) == 2 and token[differ[0]] == word[differ[1]] and token[differ[1]] == word[differ[0]]
    return swapped or (len(differ) == 1 and len(word) > 5)


@lru_cache(10_000)
def _stem(word: str) -> str:
    root = re.sub(r"(?:ing|ed|es|en|e|s|n)$", "", word)
    return re.sub(r"(.)\1$", r"\1", root)[:STEM] if len(root) > 1 else word


def minutes(said: str) -> int:
    """A span of time such as "2 hours", in whole minutes."""
    span = SPAN.search(said)
    assert span is not None
    unit = next(each for form, each in UNITS.items() if re.fullmatch(form, span[2]))
    return max(1, round((0.5 if span[0].startswith("half") else int(span[1] or 1)) * unit))


def take_place(left: list[str]) -> str:
    """The host that is named behind the others, taken out of them."""
    for at in range(len(left) - 1):
        end = next((end for end in range(at + 1, len(left)) if left[end] not in NO_PLACES), 0)
        if left[at] in PLACE and end:
            where = left[end]
            del left[at : end + 1]
            return where
    return ""
