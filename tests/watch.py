"""A watch over one stack of a test: its canaries, and a search of all that the stack recorded when it ends."""

import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

from pydantic import SecretStr
from pydantic_settings import BaseSettings

from bot.settings.settings import Settings
from lab.lab import Lab
from lab.traffic import Request
from tests.canaries import SHORTEST_PART, Canaries, Hit
from tools.kit.registry import discover

LEDGER = "RACKHAND_CANARIES"
"""Environment variable that names the file into which every process of a test run writes what it has searched."""
TOKEN, KEY = "TELEGRAM_BOT_TOKEN", "ANTHROPIC_API_KEY"
CREATE = "/containers/create"
OF_A_CONTAINER = "container env "


class Leaked(AssertionError):
    """A canary got somewhere."""


class Watch:
    """The canaries of one stack and where they turned up."""

    def __init__(self) -> None:
        self.canaries = Canaries()
        self.hits: list[Hit] = []
        self.seconds = 0.0
        self._lab: Lab | None = None
        opened.append(self)

    # Planting

    def settings(self, given: Iterable[str] = ()) -> dict[str, str]:
        """A canary for every secret setting that the test has not given itself."""
        return {name: self.canaries.plant(name) for name in sorted({*secret_settings()} - {*given})}

    def lab(self, lab: Lab, given: Iterable[str] = ()) -> dict[str, str]:
        """The canaries of a lab: its own credentials, its containers' environments, and the other secret settings."""
        self._lab, own = lab, lab.environment()
        for name in {TOKEN, KEY} - {*given}:
            self.canaries.plant(name, own[name])
        for number, value in enumerate(lab.world.canaries):
            self.canaries.plant(f"{OF_A_CONTAINER}{number}", value)
        for twin in lab.twins.values():
            for number, value in enumerate(twin.secrets):
                self.canaries.plant(f"{twin.name} {number}", value)
        return self.settings({*own, *given})

    # Looking

    def look(self, content: bytes | str, where: str, *, but: tuple[str, ...] = ()) -> None:
        """Search something that was recorded."""
        began = time.perf_counter()
        self.hits += self.canaries.search(content, where, but=but)
        self.seconds += time.perf_counter() - began

    def files(self, folder: Path, pattern: str = "*", *, but: tuple[str, ...] = ()) -> None:
        """Search the names and contents of the files below a folder: databases, logs, backups."""
        for path in folder.rglob(pattern):
            name = str(path.relative_to(folder))
            self.look(name, f"the name of {name}")
            if path.is_file():
                self.look(path.read_bytes(), f"the file {name}", but=but)

    def remains(self, folder: Path, model: Any) -> None:
        """Search what is left in a folder, and what a scripted model was sent."""
        own = self.said_by(model)
        self.files(folder, but=own)
        for asked in getattr(model, "asked", ()):
            self.look(json.dumps(asked.messages, ensure_ascii=False), "what the model was sent", but=own)

    def said_by(self, model: Any) -> tuple[str, ...]:
        """What the script lets the model itself say: its words are kept, and sent back to it as they were."""
        said = json.dumps(getattr(model, "said", []), ensure_ascii=False)
        return tuple({hit.canary for hit in self.canaries.search(said, "")})

    def requests(self) -> None:
        """Search what the lab's services received, each credential aside in the one place where it belongs."""
        for request in self._lab.traffic.requests:
            where = f"{request.service}: {request.method} {request.path.rpartition('/')[2]}"
            twin = f"{request.service.partition(':')[0]} "
            own = tuple(name for name in self.canaries.values if name.startswith(twin))
            self.look("\n".join(self._head(request)), f"{where}, its address and headers", but=own)
            for part, but in self._body(request):
                self.look(part, f"{where}, its body", but=(*own, *but))

    def _head(self, request: Request) -> Iterator[str]:
        """Address and headers without `/bot<token>` to Telegram and without `Bearer <key>` to Claude."""
        values = self.canaries.values
        path, headers = request.path, dict(request.headers)
        if request.service == "telegram":
            path = path.removeprefix("/file").removeprefix(f"/bot{values.get(TOKEN)}/")
        if request.service == "claude" and headers.get("authorization") == f"Bearer {values.get(KEY)}":
            del headers["authorization"]
        yield from (path, request.query, *headers, *headers.values())

    def _body(self, request: Request) -> Iterator[tuple[bytes | str, tuple[str, ...]]]:
        """A body and whose values it may hold: an engine that creates a container is told its environment."""
        if not (request.service.startswith("docker") and request.path.endswith(CREATE)):
            yield request.body, ()
            return
        body = json.loads(request.body or b"{}")
        env = body.pop("Env", None)
        yield json.dumps(body, ensure_ascii=False), ()
        yield (
            json.dumps(env, ensure_ascii=False),
            tuple(n for n in self.canaries.values if n.startswith(OF_A_CONTAINER)),
        )

    def process(self, pid: int | None) -> None:
        """Search the command lines that everybody on the machine can read, and what its children were handed."""
        if pid is None:
            return
        self.look(_proc(pid, "cmdline"), "the command line of the bot")
        for child in _children(pid):
            for what in ("cmdline", "environ"):
                self.look(_proc(child, what), f"{what} of a process that the bot started")

    # The end

    def end(self) -> None:
        """Write down what was searched. Raises Leaked with every hit."""
        hits, self.hits = self.hits, []
        account(self.canaries, hits, self.seconds, stacks=1 if self.canaries.values else 0)
        self.canaries.scanned, self.seconds = 0, 0.0
        complain(hits)


opened: list[Watch] = []
"""The watches of the test that is running: what the test itself said is searched once it is over."""


@contextmanager
def watching(env: Mapping[str, str]) -> Iterator[list[Watch]]:
    """The watches of the stacks whose secrets are in this environment; one for the time being when there are none."""
    values = {value for value in env.values() if len(value) >= SHORTEST_PART}
    found = [watch for watch in opened if values & set(watch.canaries.values.values())]
    if found:
        yield found
        return
    alone = Watch()
    for name in secret_settings():
        if env.get(name, "") in values:
            alone.canaries.plant(name, env[name])
    yield [alone]
    alone.end()


def complain(hits: list[Hit]) -> None:
    """Raises Leaked if there are any."""
    if hits:
        lines = sorted({f"{hit.canary} in {hit.where}, spelled {hit.spelling}" for hit in hits})
        raise Leaked("a canary got out:\n" + "\n".join(lines))


def after_test(said: Mapping[str, str]) -> None:
    """Search what a test's log and output hold for the canaries of its stacks. Raises Leaked with every hit."""
    hits: list[Hit] = []
    watches, opened[:] = list(opened), []
    for watch in watches:
        for where, content in said.items():
            watch.look(content, where)
        hits += watch.hits
        account(watch.canaries, watch.hits, watch.seconds, stacks=0)
    complain(hits)


def account(canaries: Canaries, hits: list[Hit], seconds: float, *, stacks: int) -> None:
    """Add to the ledger of the test run, if there is one."""
    if not (ledger := os.environ.get(LEDGER)):
        return
    marks = [hashlib.sha256(value.encode()).hexdigest()[:12] for value in canaries.values.values()]
    line = json.dumps([stacks, canaries.scanned, len({*hits}), round(seconds, 4), marks])
    with Path(ledger).open("a", encoding="ascii") as out:
        out.write(f"{line}\n")


def summary(ledger: Path) -> str:
    """One line over a whole test run; empty when no stack was watched."""
    rows = [json.loads(line) for line in ledger.read_text(encoding="ascii").splitlines()]
    stacks, scanned, hits = (sum(row[column] for row in rows) for column in range(3))
    secrets = {mark for row in rows for mark in row[4]}
    if not stacks:
        return ""
    return f"canaries: {len(secrets)} secrets, {stacks} stacks, {scanned / 1e6:.0f} MB scanned, {hits} hits"


def secret_fields(kind: type[BaseSettings]) -> list[str]:
    """The names of its secret fields."""
    return [
        name for name, info in kind.model_fields.items() if SecretStr in (info.annotation, *get_args(info.annotation))
    ]


def secret_settings() -> Iterator[str]:
    """The environment variable of every secret that can be set."""
    kinds: list[type[BaseSettings]] = [Settings, *(service.settings for service in discover())]
    for kind in kinds:
        prefix = str(kind.model_config.get("env_prefix", ""))
        yield from (f"{prefix}{name}".upper() for name in secret_fields(kind))


def _proc(pid: int, what: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{what}").read_bytes()
    except OSError:
        return b""  # it has ended meanwhile, or this is no Linux


def _children(pid: int) -> Iterator[int]:
    """Every process below this one. Not every kernel lists them by their parent, so each is asked for its own."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(status.parent.name)] = int(status.read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
    below = [pid]
    for parent in below:
        below += [child for child, its in parents.items() if its == parent]
    yield from below[1:]
