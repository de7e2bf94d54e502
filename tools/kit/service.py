"""A service is an outside system; a tool is a typed async function with a docstring and a risk."""

import inspect
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from enum import IntEnum, StrEnum
from typing import Any, Generic, Literal, TypeVar, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, create_model

from tools.kit.backups import Backup, Guest
from tools.kit.change import Broken, Call, Done
from tools.kit.context import Access, Context
from tools.kit.contributions import Identity, Told
from tools.kit.glance import Glance
from tools.kit.link import Link
from tools.kit.page import Declared, Page
from tools.kit.settings import ServiceSettings
from tools.kit.types import Resolve, Result

C = TypeVar("C")
Follow = Callable[[C, str], AsyncIterator[str | Done | Broken]]
"""`follow(client, ref)`: lines on how far a task is, then how it has ended. The client only reads."""


class Risk(IntEnum):
    """READ runs, CHANGE asks, DESTROY asks twice."""

    READ = 0
    CHANGE = 1
    DESTROY = 2


class Area(StrEnum):
    """Which specialist a service's tools belong to."""

    INFRASTRUCTURE = "infrastructure"
    NETWORK = "network"
    MONITORING = "monitoring"
    KNOWLEDGE = "knowledge"


class Parameters(BaseModel):
    """Base of every tool's generated argument model."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


class Tool:
    """One operation of a service: name, schema and bounds come from the function itself."""

    def __init__(
        self,
        service: "Service[Any]",
        run: Callable[..., Awaitable[Any]],
        risk: Risk,
        *,
        undo: str,
        escalate: Callable[[Any], Risk] | None,
        egress: bool,
        word: str,
        often: bool,
        hidden: bool,
    ) -> None:
        self.service, self.run, self.risk, self.undo = service, run, risk, undo
        self.egress, self.often, self.hidden = egress, often, hidden
        self._escalate, self._word = escalate, word
        self.name = f"{service.name}_{run.__name__}"
        self.description = inspect.cleandoc(run.__doc__ or "")
        self.parameters = _parameters(self.name, run)
        self.result = _result(run)
        """What a read returns, by its type; None where that is no model."""
        self.resolved = _resolved(self.parameters)
        """Parameter name → how its text becomes a target."""

    @property
    def summary(self) -> str:
        """The docstring's first line."""
        return self.description.partition("\n")[0]

    @property
    def word(self) -> str:
        """What people call it: `restart` for restart_container, `logs` for get_container_logs."""
        words = self.run.__name__.split("_")
        return self._word or words[-1 if self.risk is Risk.READ else 0]

    @property
    def subject(self) -> str:
        """The parameter that takes its target; empty unless one target is all that a call needs."""
        needed = [name for name, info in self.parameters.model_fields.items() if info.is_required()]
        return needed[0] if len(needed) == 1 and needed[0] in self.resolved else ""

    def about(self, target: str) -> dict[str, Any]:
        """The arguments that make this target its subject, alone."""
        return {self.subject: [target] if self.takes_several(self.subject) else target}

    @property
    def choice(self) -> tuple[str, tuple[str, ...], str]:
        """The optional parameter that takes one of a few words, those words, and the one it has by itself.

        Empty unless there is exactly one such parameter.
        """
        fields = self.parameters.model_fields.items()
        found = [(name, get_args(info.annotation), info.default) for name, info in fields if _is_choice(info)]
        return found[0] if len(found) == 1 else ("", (), "")

    def takes_several(self, parameter: str) -> bool:
        """Whether a parameter is a list of targets."""
        return list in _origins(self.parameters.model_fields[parameter].annotation)

    @property
    def input_schema(self) -> dict[str, Any]:
        """JSON schema of the arguments, for the model."""
        schema = self.parameters.model_json_schema()
        schema.pop("title", None)
        for prop in schema.get("properties", {}).values():
            prop.pop("title", None)
        return schema

    def risk_of(self, args: BaseModel) -> Risk:
        """The risk of this very call: the arguments may raise it, never lower it."""
        return max(self.risk, self._escalate(args)) if self._escalate else self.risk

    def call(self, **args: Any) -> Call:
        """A stored call of this tool, for undo."""
        return Call(self.name, args)


class Service(Generic[C]):
    """An outside system: settings, a way to connect, tools.

    `own` marks one of ours. `hosts` marks one of several machines: each has a circuit breaker, `link.breaker(name)`.
    """

    def __init__(
        self,
        name: str,
        *,
        area: Area,
        settings: type[ServiceSettings],
        connect: Callable[[Link], Awaitable[C]],
        own: bool = False,
        hosts: bool = False,
    ) -> None:
        self.name, self.area, self.settings, self.connect = name, area, settings, connect
        self.own, self.hosts = own, hosts
        self.tools: list[Tool] = []
        self.pages: list[Declared[C]] = []
        self.look: Callable[[Context[C]], Awaitable[Glance]] | None = None
        self.advise: Callable[[C], Awaitable[list[str]]] | None = None
        self.followed: Follow[C] | None = None
        self.tells: dict[type[Result], Callable[[Context[C]], Awaitable[Told[Any]]]] = {}
        """What it contributes to tools that look across services, by the kind."""

    def glance(self, look: Callable[[Context[C]], Awaitable[Glance]]) -> Callable[[Context[C]], Awaitable[Glance]]:
        """Declare how the service describes itself for /status and the digest."""
        self.look = look
        return look

    def advice(self, advise: Callable[[C], Awaitable[list[str]]]) -> Callable[[C], Awaitable[list[str]]]:
        """Declare what its owner should mend although nothing is down: sentences for the doctor."""
        self.advise = advise
        return advise

    def follow(self, follow: Follow[C]) -> Follow[C]:
        """Declare how a `Task` of this service is followed to its end, also by a process that has not begun it.

        It raises ToolFailed when nobody knows the task any more; what only passes (no connection) is tried again.
        """
        self.followed = follow
        return follow

    def identities(
        self, tell: Callable[[Context[C]], Awaitable[Told[Identity]]]
    ) -> Callable[[Context[C]], Awaitable[Told[Identity]]]:
        """Declare what it knows of things that other services know, too, under other names."""
        self.tells[Identity] = tell
        return tell

    def guests(
        self, tell: Callable[[Context[C]], Awaitable[Told[Guest]]]
    ) -> Callable[[Context[C]], Awaitable[Told[Guest]]]:
        """Declare which guests there are that somebody may want backed up."""
        self.tells[Guest] = tell
        return tell

    def backups(
        self, tell: Callable[[Context[C]], Awaitable[Told[Backup]]]
    ) -> Callable[[Context[C]], Awaitable[Told[Backup]]]:
        """Declare which backups it keeps or knows of."""
        self.tells[Backup] = tell
        return tell

    def tool(
        self,
        risk: Risk,
        *,
        undo: str = "",
        escalate: Callable[[Any], Risk] | None = None,
        egress: bool = False,
        word: str = "",
        often: bool = False,
        hidden: bool = False,
    ) -> Callable[[Callable[..., Awaitable[Any]]], Tool]:
        """Declare a tool. `undo` says in words what Undo will do (empty: there is none); `egress` marks a read
        whose destination the caller chooses; `word` is what people call it on a page, unless its name says it;
        `often` marks what a model shall have in view from the start, where there are more tools than it can overlook;
        `hidden` marks what only Undo calls, and no model is told of."""

        def declare(run: Callable[..., Awaitable[Any]]) -> Tool:
            tool = Tool(
                self, run, risk, undo=undo, escalate=escalate, egress=egress, word=word, often=often, hidden=hidden
            )
            self.tools.append(tool)
            return tool

        return declare

    def page(
        self, name: str, *, label: str = "", verbs: Sequence[Tool] = (), looks: Sequence[Tool] = ()
    ) -> Callable[[Callable[[Context[C]], Awaitable[Page]]], Declared[C]]:
        """Declare a page, which is also the command `/name`; the docstring's first line says what it shows.

        `verbs` are changes that its rows may offer and `looks` are reads of one target: `/word NAME` each.
        """

        def declare(read: Callable[[Context[C]], Awaitable[Page]]) -> Declared[C]:
            page = Declared(self, read, name, label, verbs, looks)
            self.pages.append(page)
            return page

        return declare

    async def open(self, settings: ServiceSettings, access: Access, stores: Any = None) -> C:
        """A client by itself, with a breaker and a session of its own."""
        return await self.connect(Link(settings, access, stores))


def _parameters(name: str, run: Callable[..., Any]) -> type[Parameters]:
    hints = get_type_hints(run, include_extras=True)
    fields: dict[str, Any] = {}
    for parameter in list(inspect.signature(run).parameters.values())[1:]:
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[parameter.name] = (hints[parameter.name], default)
    title = re.sub(r"(?:^|_)(\w)", lambda m: m.group(1).upper(), name)
    return create_model(title, __base__=Parameters, **fields)


def _result(run: Callable[..., Any]) -> type[BaseModel] | None:
    found = get_type_hints(run).get("return")
    return found if isinstance(found, type) and issubclass(found, BaseModel) else None


def _resolved(parameters: type[Parameters]) -> dict[str, Resolve]:
    found = {}
    for name, info in parameters.model_fields.items():
        for mark in (*info.metadata, *_marks(info.annotation)):
            if isinstance(mark, Resolve):
                found[name] = mark
    return found


def _is_choice(info: Any) -> bool:
    return get_origin(info.annotation) is Literal and isinstance(info.default, str)


def _origins(annotation: Any) -> Iterator[Any]:
    """The generic types that a type is made of."""
    yield get_origin(annotation)
    for part in get_args(annotation):
        yield from _origins(part)


def _marks(annotation: Any) -> Iterator[Any]:
    """What is attached to a type, also behind `| None`."""
    yield from getattr(annotation, "__metadata__", ())
    for part in get_args(annotation):
        yield from _marks(part)
