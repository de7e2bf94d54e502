"""English as people type it to a bot: orders, targets, hosts."""

import re
from dataclasses import dataclass


def any_of(*patterns: str) -> re.Pattern[str]:
    """One pattern that finds any of several, whatever the case."""
    return re.compile("|".join(patterns), re.I)


def bag(text: str) -> frozenset[str]:
    """The words of a text as a set."""
    return frozenset(text.split())


POLITE = (
    r"(?:(?:please|pls|hey|hi|hello|ok|okay|yes|yeah|no|then|now|and|also|just|so|well|alright|great|"
    r"thanks|thank you|claude|rackhand|bot|can you|could you|would you|will you|can we|could we|let's|lets|"
    r"let us|i(?: want|'d like| would like| need) (?:you )?to|you (?:should|can|may)|go ahead and|go and|"
    r"try to|instead|quickly|kindly|maybe|do)\b[\s,!.:]*)*"
)
VERBS = {
    "restart": r"re-?start|reboot|bounce|power-?cycle",
    "start": r"start(?: up)?|boot|bring up|turn on|switch on|fire up|launch|spin up",
    "stop": r"stop|halt|shut ?down|turn off|switch off|bring down|take down|kill",
    "remove": r"remove|delete|rm|get rid of|destroy",
    "update": r"update|upgrade|pull",
}
VERB = "|".join(f"(?P<{verb}>{pattern})" for verb, pattern in VERBS.items())
ORDER = re.compile(rf"^{POLITE}(?:{VERB})\b(?P<rest>.*)$", re.I | re.S)
SPLIT_VERB = re.compile(
    rf"^{POLITE}(?:turn|switch|shut|bring|take|give|have)\s+(?P<rest>.+?)\s+"
    r"(?:(?P<start>up|on)|(?P<stop>off|down)|(?P<restart>an? restart|an? reboot|restarted|rebooted))\b",
    re.I,
)
CLAUSE = re.compile(r"[.;!?]+(?:\s+|$)|\n+|,?\s+(?:and\s+)?then\s+")
ITEM = re.compile(r"\s*(?:,\s*(?:and\s+)?|&|\+|\band\b|\bplus\b|\bas well as\b)\s*", re.I)
REASON = re.compile(
    r"\s(?:because|since|so that|as it|if|when|unless|before|after|for me|right now|asap|again|to see|"
    r"but|with(?:out)?|from|that is|which)\b.*$",
    re.I | re.S,
)
HOST = re.compile(
    r"\b(?:on|at)\s+(?:the\s+|my\s+|host\s+)*(?P<host>[a-z0-9][\w.-]*)(?:\s+(?:host|machine|server|box|node))?\s*[?.!]*$",
    re.I,
)
NOT_HOSTS = {"disk", "it", "that", "this", "them", "fire", "earth", "time", "purpose", "monday", "all", "both"}
NOT_HOSTS |= {"tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "my", "the", "here", "now"}
TOKEN = re.compile(r"[A-Za-z0-9][\w.-]*(?:/[\w.-]+)*(?::[\w.-]+)?")
FILLER = bag(
    "the my our your a an this that these those it its them they one ones container containers service services "
    "app stack please now again just for me us too also of in to image images newest latest new version up both "
    "instead same all thing quickly docker immediately once more already server called named there"
)
BARE_STOP = re.compile(r"^(?:please |ok,? |no,? )*(?:stop|halt)(?: that| please| now)*[.! ]*$", re.I)
NEGATED = re.compile(r"^(?:please |no,? |ok,? )*(?:do not|don'?t|never|leave)\b", re.I)


@dataclass(frozen=True)
class Order:
    """Something to do, and to what; no targets when the person named none."""

    verb: str
    targets: tuple[str, ...]
    rest: str = ""
    """The person's words after the verb."""


def orders(text: str) -> list[Order]:
    """The changes a text asks for, in its order; questions about changes are none."""
    found: list[Order] = []
    for clause in CLAUSE.split(text):
        if clause and not NEGATED.match(clause.strip()):
            found += _clause_orders(clause.strip())
    return found


def _clause_orders(clause: str) -> list[Order]:
    found: list[Order] = []
    host = host_in(clause)
    for item in ITEM.split(clause):
        verb, rest = _verb(item)
        if verb is None and not found:
            continue  # words before the order, as in "it hangs, restart it"
        named = tuple(filter(None, [target(rest, host)]))
        if verb is not None:
            found.append(Order(verb, named, rest.strip()))
        else:
            earlier = found[-1]
            found[-1] = Order(earlier.verb, earlier.targets + named, f"{earlier.rest} {rest}".strip())
    return found


def _verb(item: str) -> tuple[str | None, str]:
    for pattern in (ORDER, SPLIT_VERB):
        if match := pattern.match(item):
            verb = next((v for v in VERBS if match.groupdict().get(v)), None)
            return verb, match["rest"]
    return None, item


def target(words: str, host: str | None = None) -> str | None:
    """The container or image meant by a few words: "the home assistant container" is home-assistant."""
    words = REASON.sub("", f" {words}")
    if host:
        words = HOST.sub("", words)
    tokens = [token.rstrip(".-:") for token in TOKEN.findall(words)]
    tokens = [token for token in tokens if token.lower() not in FILLER]
    if not tokens:
        return None
    name = "-".join(tokens[:3]).lower()
    return f"{host.lower()}/{name}" if host and "/" not in name else name


def host_in(text: str) -> str | None:
    """The host named at the end of a line: "…on nas"."""
    match = HOST.search(text.strip())
    if match is None or match["host"].lower() in NOT_HOSTS:
        return None
    return match["host"].lower().rstrip(".")


def plain(text: str) -> str:
    """Text for comparing: lower case, letters and digits only."""
    return re.sub(r"[^a-z0-9]", "", text.lower())


def listed(names: list[str]) -> str:
    """Names as people list them: a, b and c."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def moment(stamp: object) -> str:
    """A time stamp to the minute, as people read it."""
    return re.sub(r"^(\d{4}-\d\d-\d\d)T(\d\d:\d\d).*?(?:Z|\+00:00)$", r"\1 \2 UTC", str(stamp))


def quote(line: str, limit: int = 180) -> str:
    """A line from outside as inline code that cannot break out of it."""
    clean = " ".join(line.replace("`", "'").split())
    return f"`{clean if len(clean) <= limit else clean[: limit - 1] + '…'}`"
