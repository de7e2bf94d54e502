"""What every test lives by: no network beyond loopback, no settings from outside, warnings are errors."""

import os

os.environ["PTB_TIMEDELTA"] = "true"  # python-telegram-bot warns about its own old spelling otherwise

import ipaddress
import socket
import tempfile
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from loguru import logger

from memory.database import Database
from memory.stores import Stores
from tests import plans
from tests.fakes import Clock
from tests.house import House
from tests.hurry import HURRY
from tests.watch import LEDGER, Leaked, after_test, summary

STRICT_SKIPS = Path(__file__).parent / "strict_skips.py"
KEPT = frozenset({"PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "PTB_TIMEDELTA", "DOCKER_HOST"})
"""Environment that a test may see; DOCKER_HOST only names the engine of the tests that are marked for one."""
KEPT_PREFIXES = ("RACKHAND_", "PYTEST_", "PYTHON", "COVERAGE", "HYPOTHESIS", "PLAYWRIGHT", "LD_")


class NetworkForbidden(Exception):
    """A test tried to leave this machine."""


def pytest_configure(config: pytest.Config) -> None:
    """Where the strict plugin is present, promised tests may not skip; a run has a ledger of what was searched."""
    if not hasattr(config, "workerinput"):  # workers write into the ledger of whoever started them
        handle, os.environ[LEDGER] = tempfile.mkstemp(prefix="rackhand-canaries-")
        os.close(handle)
    if STRICT_SKIPS.exists() and not config.pluginmanager.has_plugin("tests.strict_skips"):
        config.pluginmanager.import_plugin("tests.strict_skips")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What a test logged and printed is searched for the canaries of its stacks when all of them have ended."""
    report = yield
    if report.when == "teardown":
        log = getattr(item, "funcargs", {}).get("log", [])
        try:
            after_test({"the log": "\n".join(log), **dict(report.sections)})
        except Leaked as leaked:
            report.outcome, report.longrepr = "failed", f"{leaked}\n\n{report.longrepr or ''}"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How much was searched for canaries over the whole run, in one line."""
    if line := summary(Path(os.environ[LEDGER])):
        terminalreporter.write_line(line)


def pytest_unconfigure(config: pytest.Config) -> None:
    """The ledger goes with its run."""
    if not hasattr(config, "workerinput"):
        Path(os.environ.pop(LEDGER)).unlink()


def is_loopback(host: Any) -> bool:
    """Whether an address stays on this machine."""
    if host in (None, "", "localhost", b"localhost"):
        return True
    try:
        return ipaddress.ip_address(host.decode() if isinstance(host, bytes) else str(host)).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections and look-ups that leave loopback raise before a packet is sent."""
    connect, connect_ex, look_up = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def checked(sock: socket.socket, address: Any) -> None:
        if sock.family in (socket.AF_INET, socket.AF_INET6) and not is_loopback(address[0]):
            raise NetworkForbidden(f"connect to {address[0]}")

    def connecting(sock: socket.socket, address: Any) -> None:
        checked(sock, address)
        connect(sock, address)

    def connecting_ex(sock: socket.socket, address: Any) -> int:
        checked(sock, address)
        return connect_ex(sock, address)

    def looking_up(host: Any, *args: Any, **kwargs: Any) -> Any:
        if not is_loopback(host):
            raise socket.gaierror(socket.EAI_NONAME, f"tests look up nothing: {host!r}")
        return look_up(host, *args, **kwargs)

    monkeypatch.setattr(socket.socket, "connect", connecting)
    monkeypatch.setattr(socket.socket, "connect_ex", connecting_ex)
    monkeypatch.setattr(socket, "getaddrinfo", looking_up)


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No key, token or address of the machine's owner, and no `.env` in the working directory."""
    for name in list(os.environ):
        if name not in KEPT and not name.startswith(KEPT_PREFIXES):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for what is tried again, nor for the pace that people like."""
    for name, value in HURRY.items():
        monkeypatch.setattr(name, value)


@pytest.fixture(autouse=True)
def query_plans(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No statement reads all of a table that grows."""
    with plans.watched(monkeypatch):
        yield


@pytest.fixture(autouse=True)
def log() -> Iterator[list[str]]:
    """What was logged, a line each; nothing on the terminal."""
    lines: list[str] = []
    logger.remove()
    handler = logger.add(lambda line: lines.append(str(line)), format="{level} {message}", level="DEBUG")
    yield lines
    logger.remove(handler)


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still until it is moved."""
    return Clock()


@pytest.fixture
async def database(tmp_path: Path, clock: Clock) -> AsyncIterator[Database]:
    """An open, empty database with that clock."""
    opened = await Database.open(tmp_path / "rackhand.db", clock=clock, monotonic=lambda: 0.0)
    yield opened
    await opened.close()


@pytest.fixture
def stores(database: Database, tmp_path: Path) -> Stores:
    """Every store over that database."""
    from memory.keys import Keys

    return Stores.over(database, Keys.open(tmp_path / "rackhand.key"))


@pytest.fixture
async def build(tmp_path: Path, clock: Clock) -> AsyncIterator[Any]:
    """Builds houses with other settings: `house = await build(autonomy="observe")`."""
    houses: list[House] = []

    async def built(**settings: Any) -> House:
        house = House(tmp_path / f"house{len(houses)}", clock, **settings)
        houses.append(house)
        await house.open()
        return house

    yield built
    for house in houses:
        await house.close()


@pytest.fixture
async def house(tmp_path: Path, clock: Clock) -> AsyncIterator[House]:
    """A real core over a temporary database, a scripted model and a fake service."""
    async with opened(House(tmp_path / "data", clock)) as house:
        yield house


@asynccontextmanager
async def opened(house: House) -> AsyncIterator[House]:
    """The house, open; its invariants are checked at the end."""
    await house.open()
    try:
        yield house
        await house.check()
    finally:
        await house.close()


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Any]:
    """The demo's homelab with our real core over it."""
    from tests.place import Place

    async with Place(tmp_path / "place") as made:
        yield made
