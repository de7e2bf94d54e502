"""One simulated service: its state, its servers, how it is reached, and what the page and the tests see of it."""

import importlib
import pkgutil
import ssl
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from random import Random
from types import ModuleType
from typing import ClassVar

from starlette.types import ASGIApp

from lab.kit.intents import Intent
from lab.kit.rest import Json
from lab.kit.store import Store
from lab.kit.tasks import Tasks


class Twin(ABC):
    """Base of every twin. A module in `lab/services/` exports its own as `twin`; the lab finds it there."""

    name: ClassVar[str]
    quiet: ClassVar[frozenset[str]] = frozenset()
    """Requests that change nothing although they are no GET: `POST /api/auth`."""
    intents: ClassVar[Sequence[Intent]] = ()
    """What people say to it, for the stand-in."""

    def __init__(self, seed: int = 1, clock: Callable[[], float] = time.time) -> None:
        self.now = clock
        self.random = Random(f"{self.name} {seed}")
        self.lying = False
        """Whether every operation answers success and changes nothing."""
        self.tasks = Tasks(self)
        self.pace = 1.0
        """What work lasts, against what it is said to last."""
        self.secrets: list[str] = []
        """Credentials that no log, model or message may ever hold."""

    @abstractmethod
    def apps(self) -> Mapping[str, ASGIApp]:
        """A server for each host of the service, by its name."""

    @abstractmethod
    def environment(self, urls: Mapping[str, str]) -> Mapping[str, str]:
        """The variables that point a bot at these servers, given each host's address."""

    def sessions(self) -> Mapping[str, Callable[[], Callable[[str], str]]]:
        """For a service that speaks lines over TCP instead: a server for each host, by what begins a conversation."""
        return {}

    def tls(self, host: str) -> ssl.SSLContext | None:
        """What a host's server shows its certificate with; None for plain HTTP."""
        return None

    def secret(self) -> str:
        """A new credential, which counts as one that must not leak."""
        self.secrets.append(f"{self.random.getrandbits(128):032x}")
        return self.secrets[-1]

    def dump(self) -> Json:
        """Its state without clocks and made-up ids: what an Undo has to restore."""
        return {name: store.dump() for name, store in sorted(vars(self).items()) if isinstance(store, Store)}

    def rows(self) -> list[Json]:
        """What the page shows of it, a row each: name, dot (good, odd, bad, off), state and detail."""
        return []

    def suggestions(self) -> list[str]:
        """Lines that a visitor might write."""
        return []

    def meddle(self, card: str) -> str:
        """Change what a card is about, as somebody else would, and say what; empty when it is about nothing here."""
        return ""

    def changes(self, method: str, path: str) -> bool:
        """Whether a request could change something."""
        return method not in ("GET", "HEAD") and f"{method} {path}" not in self.quiet


def discover() -> list[type[Twin]]:
    """Every twin in `lab/services/`, by name."""
    return sorted((module.twin for module in _services() if hasattr(module, "twin")), key=lambda twin: twin.name)


def intents() -> list[Intent]:
    """What people say to the services; one with nothing to simulate has its rows in the module itself."""
    rows = (getattr(getattr(module, "twin", module), "intents", ()) for module in _services())
    return [intent for each in rows for intent in each]


def _services() -> list[ModuleType]:
    import lab.services

    return [importlib.import_module(f"lab.services.{m.name}") for m in pkgutil.iter_modules(lab.services.__path__)]
