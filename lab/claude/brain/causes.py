"""Why containers fail, read from their last words."""

import re
from dataclasses import dataclass

from lab.claude.brain.injection import gives_orders
from lab.claude.reply import Json

SEVERE = re.compile(
    r"\b(?:fatal|error|err|crit(?:ical)?|panic|emerg|exception|severe|fail(?:ed|ure)?|cannot|could not)\b", re.I
)
CALM = re.compile(r"(?:\b(?:info|debug|trace|notice)\b|level=(?:info|debug))", re.I)
WARNING = re.compile(r"\bwarn(?:ing)?\b", re.I)
USER = re.compile(r"user(?:name)?[ =:]+[\"'‘“`]?(?P<it>[\w.@-]+)", re.I)
PATH = re.compile(r"(?P<it>/[\w.@-]+(?:/[\w.@-]+)*/?)")
PORT = re.compile(r"(?:port\s+|:)(?P<it>\d{2,5})\b", re.I)
KEY = re.compile(r"\b(?:key|setting|variable|option|field)[ :=]+[\"'`]?(?P<it>\w[\w.]*)", re.I)
CAPITALS = re.compile(r"\b(?P<it>[A-Z][A-Z0-9]*_[A-Z0-9_]+)\b")
PEER = re.compile(
    r"(?:connect(?:ing|ion)?(?: to)?(?: server at)?|host|dial tcp|resolve|lookup|reach)[ :=]+[\"'`]?"
    r"(?!to\b|refused|host|timed|failed|name)(?P<it>[\w-][\w.-]*(?::\d+)?)",
    re.I,
)

SETTING = r"(?:env|environment|config|configuration|setting|variable|option|key|secret|parameter)"


@dataclass(frozen=True)
class Cause:
    """One way to fail: how to recognise it, say it and what to do about it."""

    pattern: re.Pattern[str]
    says: str
    """A sentence about the container; `{it}` is the detail, with its words, when the line has one."""
    fix: str
    weight: int
    detail: re.Pattern[str] | None = None
    wording: str = ""
    restart: bool = False
    """Whether a restart would plausibly help."""


@dataclass(frozen=True)
class Finding:
    """A cause and the line it was read from."""

    says: str
    fix: str
    line: str
    restart: bool
    vague: bool = False
    """Whether it only says that there is an error."""


def _cause(weight: int, pattern: str, says: str, fix: str, **more: object) -> Cause:
    return Cause(re.compile(pattern, re.I), says, fix, weight, **more)  # type: ignore[arg-type]


OUT_OF_MEMORY = Cause(
    re.compile(
        r"out of memory|oom[-_ ]?kill|OutOfMemory|cannot allocate memory|heap limit|MemoryError|ENOMEM|"
        r"killed process|exit(?:ed)?\b.{0,20}\b137\b|\bsigkill\b|signal(?::)? (?:9|killed)",
        re.I,
    ),
    "it runs out of memory and is killed",
    "A restart brings it back for now; raise its memory limit or find out what makes it grow, or it happens again.",
    12,
    restart=True,
)
KILLED = Cause(
    re.compile(r"(?!)"),  # no log tells of it
    "it was killed from outside, not for its memory",
    "Start it again; if it is killed once more, find out by whom.",
    0,
)
CAUSES = (
    OUT_OF_MEMORY,
    _cause(
        12,
        r"no space left|ENOSPC|disk (?:is )?full|quota exceeded|(?:not enough|insufficient) (?:disk )?space",
        "the disk it writes to is full{it}",
        "Free space there first, for example with “clean up”; a restart would only fail again.",
        detail=PATH,
        wording=" (at {})",
    ),
    _cause(
        11,
        r"stale (?:lock|pid)|lock ?file|pid ?file|\.lock\b|\.pid\b|(?:acquire|obtain|get|take) .{0,40}\block\b|"
        r"database is locked|another (?:instance|process|server).{0,40}(?:running|using|holds)|already locked|"
        r"lock .{0,40}(?:exists|held|taken)",
        "a lock it left behind stands in its way{it}",
        "A restart usually clears it; if not, check that nothing else uses the data and delete the lock.",
        detail=PATH,
        wording=" ({})",
        restart=True,
    ),
    _cause(
        11,
        r"(?:password )?authentication fail|access denied for user|invalid (?:user(?:name)? or )?password|"
        r"incorrect password|wrong password|password (?:is )?(?:incorrect|invalid|rejected)|login failed|"
        r"(?:invalid|bad|wrong) credentials|WRONGPASS|NOAUTH|\b401\b.{0,20}unauthori|unauthori[sz]ed|"
        r"invalid (?:api[ _-]?)?(?:key|token)|(?:token|api key) (?:has )?(?:expired|rejected|invalid)",
        "its login is rejected{it}",
        "The password or key it uses and the one expected differ: make them the same, then recreate it.",
        detail=USER,
        wording=" (user `{}`)",
    ),
    _cause(
        11,
        r"address already in use|EADDRINUSE|port is already allocated|bind\b.{0,60}\bin use|"
        r"port \d+ .{0,20}(?:in use|taken)",
        "the port it wants is taken{it}",
        "Find what else listens there, and stop it or give one of the two another port.",
        detail=PORT,
        wording=" (port {})",
    ),
    _cause(
        10,
        rf"\b{SETTING}\b.{{0,80}}\b(?:not (?:set|found|defined|provided)|unset|missing|required|undefined|empty)|"
        rf"\b{SETTING}\b.{{0,40}}\bmust be set|"
        rf"(?:missing|required|undefined|unset|unknown|invalid)\b.{{0,40}}\b{SETTING}\b|"
        r"\b[A-Z0-9]+_[A-Z0-9_]+ (?:is |must be )?(?:not set|missing|required|set)|"
        r"KeyError|(?:parse|load|read)\b.{0,30}\bconfig|(?:yaml|toml|json).{0,20}(?:error|invalid)",
        "its configuration is incomplete or wrong{it}",
        "Correct it in its compose file or environment, then recreate it; a restart keeps the old environment.",
        detail=KEY,
        wording=" (`{}`)",
    ),
    _cause(
        10,
        r"read-?only file ?system|EROFS",
        "it may not write: the file system is read-only{it}",
        "Check the mount and the disk under it; file systems turn read-only after disk errors.",
        detail=PATH,
        wording=" ({})",
    ),
    _cause(
        10,
        r"permission denied|EACCES|EPERM|operation not permitted|not writ(?:e)?able|access is denied",
        "it is not allowed to use a file it needs{it}",
        "Give that path to the user the container runs as (owner or mode on the host); a restart would not change it.",
        detail=PATH,
        wording=" ({})",
    ),
    _cause(
        10,
        r"stale (?:nfs )?file handle|transport endpoint is not connected|"
        r"mount\b.{0,40}(?:failed|not found|unavailable)",
        "a share it mounts has gone away{it}",
        "Bring the share back on the host first, then restart the container.",
        detail=PATH,
        wording=" ({})",
    ),
    _cause(
        10,
        r"malformed|corrupt|checksum mismatch|bad magic|file is not a database",
        "its data is damaged{it}",
        "Stop it and restore that data from the last good backup; restarting can make it worse.",
        detail=PATH,
        wording=" ({})",
    ),
    _cause(
        10,
        r"incompatible|was initialized by|unsupported (?:database )?version|migration.{0,60}fail|"
        r"newer version|downgrade",
        "its data and its version do not fit together",
        "Go back to the previous image tag, or migrate the data as its upgrade notes say.",
    ),
    _cause(
        9,
        r"certificate (?:has )?expired|certificate is not (?:yet )?valid|x509|certificate verify failed|self[- ]signed",
        "a TLS certificate is not accepted",
        "Renew or trust the certificate; also check the clock.",
    ),
    _cause(
        8,
        r"could not resolve|not resolve|name or service not known|name resolution|getaddrinfo|ENOTFOUND|EAI_AGAIN|"
        r"no such host|NXDOMAIN|unknown host|could not translate host name",
        "it cannot find another host by name{it}",
        "Check that the other service runs, is in the same network and is spelt right; then its DNS.",
        detail=PEER,
        wording=" (`{}`)",
    ),
    _cause(
        7,
        r"connection refused|ECONNREFUSED|(?:could not|cannot|can't|unable to|failed to|error) connect|"
        r"connection (?:timed out|timeout|reset|lost)|ETIMEDOUT|no route to host|network is unreachable|"
        r"i/o timeout|waiting for .{0,40}(?:database|db|redis|broker)",
        "it cannot reach something it depends on{it}",
        "Bring that service up first; this one should then recover by itself.",
        detail=PEER,
        wording=" (`{}`)",
    ),
    _cause(
        6,
        r"exec format error|no such file or directory|ENOENT|cannot find module|ModuleNotFoundError|command not found",
        "a file it needs is missing or does not fit this machine{it}",
        "Check its mounts and that the image is built for this processor.",
        detail=PATH,
        wording=" ({})",
    ),
    _cause(
        4,
        r"segmentation fault|sigsegv|core dumped|^panic\b|\bpanic:|unhandled exception|stack overflow",
        "the program itself crashes",
        "A restart may help once; if it comes back, try the previous or next image version and look for a known bug.",
        restart=True,
    ),
    _cause(
        0,
        r"\b(?:fatal|panic|crit(?:ical)?|error|exception)\b",
        "the log ends with an error I have no rule for",
        "Read the lines around it; I would rather not guess.",
    ),
)


def find_cause(lines: list[str], details: Json) -> Finding | None:
    """The most telling line and what it means; None when nothing points to a cause."""
    heard = [line for line in lines if not gives_orders(line)]
    if error := details.get("error"):
        heard.append(str(error))
    best: tuple[float, Cause, str] | None = None
    for position, line in enumerate(heard):
        for cause in CAUSES:
            if cause.pattern.search(line):
                score = cause.weight + _severity(line) + 2 * (position + 1) / len(heard)
                if best is None or score > best[0]:
                    best = (score, cause, line)
                break
    if details.get("oom_killed") and (best is None or best[1] is not OUT_OF_MEMORY):
        best = (0, OUT_OF_MEMORY, _oom_evidence(details))
    if best is None and details.get("exit_code") == 137:
        best = (0, KILLED if details.get("why") == "killed" else OUT_OF_MEMORY, "exit code 137")
    return None if best is None else _finding(best[1], best[2])


def _severity(line: str) -> int:
    if SEVERE.search(line) and not CALM.search(line):
        return 3
    if WARNING.search(line):
        return -3
    return -6 if CALM.search(line) else 0


def _oom_evidence(details: Json) -> str:
    code = details.get("exit_code")
    return "OOMKilled: true" + (f", exit code {code}" if code is not None else "")


def _finding(cause: Cause, line: str) -> Finding:
    detail = _detail(cause.detail, line) if cause.detail else None
    says = cause.says.format(it=cause.wording.format(detail) if detail else "")
    return Finding(says, cause.fix, line, cause.restart, not cause.weight)


def _detail(pattern: re.Pattern[str], line: str) -> str | None:
    match = (CAPITALS.search(line) if pattern is KEY else None) or pattern.search(line)
    return next((group for group in match.groups() if group), None) if match else None
