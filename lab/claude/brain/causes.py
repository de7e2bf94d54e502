"""Why containers fail, read from their last words."""

import re
from dataclasses import dataclass

from lab.claude.brain.injection import gives_orders
from lab.claude.brain.words import any_of
from lab.claude.reply import Json

SEVERE = any_of(r"\b(?:fatal|error|err|crit(?:ical)?|panic|emerg|exception|severe|fail(?:ed|ure)?|cannot|could not)\b")
CALM = any_of(r"\b(?:info|debug|trace|notice)\b|level=(?:info|debug)")
USER = any_of(r"user(?:name)?[ =:]+[\"'‘“`]?([\w.@-]+)")
PATH = any_of(r"(/[\w.@-]+(?:/[\w.@-]+)*/?)")
PORT = any_of(r"(?:port\s+|:)(\d{2,5})\b")
KEY = any_of(
    r"(?-i:\b([A-Z][A-Z0-9]*_[A-Z0-9_]+)\b)", r"\b(?:key|setting|variable|option|field)[ :=]+[\"'`]?(\w[\w.]*)"
)
PEER = any_of(r"(?:connect(?:ing|ion)?(?: to)?(?: server at)?|host|dial tcp|resolve|lookup|reach)[ :=]+[\"'`]?"
              r"(?!to\b|refused|host|timed|failed|name)([\w-][\w.-]*(?::\d+)?)")  # fmt: skip
SETTING = r"(?:env|environment|config|configuration|setting|variable|option|key|secret|parameter)"


@dataclass(frozen=True)
class Cause:
    """One way to fail: how telling it is, how to recognise it, say it and what to do about it."""

    weight: int
    pattern: str
    says: str
    """A sentence about the container; `{it}` is the detail, when the line has one."""
    fix: str
    detail: re.Pattern[str] | None = None
    restart: bool = False
    """Whether a restart would plausibly help."""


@dataclass(frozen=True)
class Finding:
    """A cause and the line it was read from."""

    says: str
    fix: str
    line: str
    restart: bool
    vague: bool
    """Whether it only says that there is an error."""


OUT_OF_MEMORY = Cause(12,
    r"out of memory|oom[-_ ]?kill|OutOfMemory|cannot allocate memory|heap limit|MemoryError|ENOMEM|killed process|"
    r"exit(?:ed)?\b.{0,20}\b137\b|\bsigkill\b|signal(?::)? (?:9|killed)",
    "it runs out of memory and is killed",
    "A restart brings it back for now; raise its memory limit or find out what makes it grow, or it happens again.",
    restart=True)  # fmt: skip
KILLED = Cause(1, "no log tells of it", "it was killed from outside, not for its memory",
               "Start it again; if it is killed once more, find out by whom.")  # fmt: skip
CAUSES = (
    OUT_OF_MEMORY,
    Cause(12, r"no space left|ENOSPC|disk (?:is )?full|quota exceeded|(?:not enough|insufficient) (?:disk )?space",
          "the disk it writes to is full{it}",
          "Free space there first, for example with “clean up”; a restart would only fail again.", PATH),
    Cause(11, r"stale (?:lock|pid)|lock ?file|pid ?file|\.lock\b|\.pid\b|(?:acquire|obtain|get|take) .{0,40}\block\b|"
          r"database is locked|another (?:instance|process|server).{0,40}(?:running|using|holds)|already locked|"
          r"lock .{0,40}(?:exists|held|taken)", "a lock it left behind stands in its way{it}",
          "A restart usually clears it; if not, see that nothing else uses the data and delete the lock.", PATH, True),
    Cause(11, r"(?:password )?authentication fail|access denied for user|(?:incorrect|wrong) password|login failed|"
          r"password (?:is )?(?:incorrect|invalid|rejected)|(?:invalid|bad|wrong) credentials|WRONGPASS|NOAUTH|"
          r"unauthori[sz]ed|invalid (?:user(?:name)? or )?(?:password|(?:api[ _-]?)?(?:key|token))|"
          r"(?:token|api key) (?:has )?(?:expired|rejected|invalid)", "its login is rejected{it}",
          "The password or key it uses and the one expected differ: make them the same, then recreate it.", USER),
    Cause(11, r"address already in use|EADDRINUSE|port is already allocated|bind\b.{0,60}\bin use|"
          r"port \d+ .{0,20}(?:in use|taken)", "the port it wants is taken{it}",
          "Find what else listens there, and stop it or give one of the two another port.", PORT),
    Cause(10, rf"\b{SETTING}\b.{{0,80}}\b(?:not (?:set|found|defined|provided)|unset|missing|required|"
          rf"undefined|empty)|\b{SETTING}\b.{{0,40}}\bmust be set|"
          rf"(?:missing|required|undefined|unset|unknown|invalid)\b.{{0,40}}\b{SETTING}\b|KeyError|"
          r"\b[A-Z0-9]+_[A-Z0-9_]+ (?:is |must be )?(?:not set|missing|required|set)|"
          r"(?:parse|load|read)\b.{0,30}\bconfig|(?:yaml|toml|json).{0,20}(?:error|invalid)",
          "its configuration is incomplete or wrong{it}",
          "Correct it in its compose file or environment, then recreate it; a restart keeps the old environment.", KEY),
    Cause(10, r"read-?only file ?system|EROFS", "it may not write: the file system is read-only{it}",
          "Check the mount and the disk under it; file systems turn read-only after disk errors.", PATH),
    Cause(10, r"permission denied|EACCES|EPERM|operation not permitted|not writ(?:e)?able|access is denied",
          "it is not allowed to use a file it needs{it}",
          "Give that path to the user the container runs as, on the host; a restart would not change it.", PATH),
    Cause(10, r"stale (?:nfs )?file handle|transport endpoint is not connected|"
          r"mount\b.{0,40}(?:failed|not found|unavailable)", "a share it mounts has gone away{it}",
          "Bring the share back on the host first, then restart the container.", PATH),
    Cause(10, r"malformed|corrupt|checksum mismatch|bad magic|file is not a database", "its data is damaged{it}",
          "Stop it and restore that data from the last good backup; restarting can make it worse.", PATH),
    Cause(10, r"incompatible|was initialized by|unsupported (?:database )?version|migration.{0,60}fail|newer version",
          "its data and its version do not fit together",
          "Go back to the previous image tag, or migrate the data as its upgrade notes say."),
    Cause(9, r"certificate (?:has )?expired|certificate is not (?:yet )?valid|x509|certificate verify failed|"
          r"self[- ]signed", "a TLS certificate is not accepted",
          "Renew or trust the certificate; also check the clock."),
    Cause(8, r"(?:could )?not resolve|name or service not known|name resolution|getaddrinfo|ENOTFOUND|EAI_AGAIN|"
          r"no such host|NXDOMAIN|unknown host|could not translate host name",
          "it cannot find another host by name{it}",
          "Check that the other service runs, is in the same network and is spelt right; then its DNS.", PEER),
    Cause(7, r"connection (?:refused|timed out|timeout|reset|lost)|ECONNREFUSED|ETIMEDOUT|no route to host|"
          r"(?:could not|cannot|can't|unable to|failed to|error) connect|network is unreachable|i/o timeout|"
          r"waiting for .{0,40}(?:database|db|redis|broker)", "it cannot reach something it depends on{it}",
          "Bring that service up first; this one should then recover by itself.", PEER),
    Cause(6, r"exec format error|no such file or directory|ENOENT|cannot find module|ModuleNotFound|command not found",
          "a file it needs is missing or does not fit this machine{it}",
          "Check its mounts and that the image is built for this processor.", PATH),
    Cause(4, r"segmentation fault|sigsegv|core dumped|^panic\b|\bpanic:|unhandled exception|stack overflow",
          "the program itself crashes", "A restart may help once; if it comes back, try the previous or next version.",
          restart=True),
    Cause(0, r"\b(?:fatal|panic|crit(?:ical)?|error|exception)\b", "the log ends with an error I have no rule for",
          "Read the lines around it; I would rather not guess."),
)  # fmt: skip


def find_cause(lines: list[str], details: Json) -> Finding | None:
    """The most telling line and what it means; None when nothing points to a cause."""
    heard = [line for line in [*lines, *filter(None, [details.get("error")])] if not gives_orders(line)]
    scored: list[tuple[float, Cause, str]] = []
    for position, line in enumerate(heard):
        if cause := next((cause for cause in CAUSES if re.search(cause.pattern, line, re.I)), None):
            scored.append((cause.weight + _severity(line) + 2 * (position + 1) / len(heard), cause, line))
    best = max(scored, key=lambda each: each[0])[1:] if scored else None
    code, killed = details.get("exit_code"), details.get("exit_code") == 137
    if details.get("oom_killed") and (best is None or best[0] is not OUT_OF_MEMORY):
        best = OUT_OF_MEMORY, "OOMKilled: true" + (f", exit code {code}" if code is not None else "")
    if best is None and killed:
        best = KILLED if details.get("why") == "killed" else OUT_OF_MEMORY, "exit code 137"
    return _finding(*best) if best else None


def _severity(line: str) -> int:
    if SEVERE.search(line) and not CALM.search(line):
        return 3
    return -3 if re.search(r"\bwarn(?:ing)?\b", line, re.I) else -6 * bool(CALM.search(line))


def _finding(cause: Cause, line: str) -> Finding:
    found = cause.detail.search(line) if cause.detail else None
    it = next(filter(None, found.groups()), "") if found else ""
    shown = it if cause.detail is PATH else f"port {it}" if cause.detail is PORT else f"`{it}`"
    says = cause.says.format(it=f" ({'user ' * (cause.detail is USER)}{shown})" if it else "")
    return Finding(says, cause.fix, line, cause.restart, not cause.weight)
