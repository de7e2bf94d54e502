"""From a tool_use block to a result or a plan: validate, resolve, judge, read. Nothing here can change anything."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from loguru import logger
from pydantic import BaseModel, ValidationError
from pydantic_core import to_jsonable_python

from memory.keys import digest
from memory.models import Actor, Block, CallRow, Message, Role, Run, Use, canonical
from memory.secrets import Redactor
from memory.stores import Stores
from memory.text import escaped, short_ids
from tools.gate import results, taint
from tools.gate.nets import StoredNets
from tools.gate.past import Past
from tools.gate.policy import ONLY_LOOKING, Autonomy, Circumstances, Decision, Verdict, decide
from tools.gate.ports import People
from tools.gate.room import MOST_SHOWN, room, written
from tools.kit.change import Change, Facts
from tools.kit.clients import Clients
from tools.kit.context import Access, Context
from tools.kit.contributions import TELLING_DEADLINE, Contributed, together
from tools.kit.errors import Gone, ToolFailed, tried
from tools.kit.glance import Glance
from tools.kit.hurry import GRACE, in_time
from tools.kit.registry import tellers
from tools.kit.service import Risk, Service, Tool
from tools.kit.types import Target, trusted_name

T = TypeVar("T")

TOO_LARGE = "This is too large to be shown on a card, so it cannot be approved: do it in parts."
ALREADY = "Already so: nothing to do."
ERRAND = "Text from outside may have chosen where this goes. What is sent has no undo."
READ_DEADLINE = 60.0
"""Seconds for one read or one proposal in all."""


class Absent(ToolFailed):
    """Nothing goes by the name that a call gives."""


@dataclass(frozen=True)
class Proposal:
    """A change as it could go on a card."""

    use: Use
    tool: Tool
    args: dict[str, Any]
    """As stored and executed: names replaced by immutable ids."""
    targets: dict[str, Target]
    typed: dict[str, str]
    """Parameter → what the model wrote before it was resolved."""
    change: Change[Any]
    risk: Risk
    decision: Decision
    protected: str
    named: frozenset[str] = frozenset()
    """Parameters whose target a person has named, whatever the model has written."""

    @property
    def way_back(self) -> str:
        """What Undo would do, in words; empty when it could do nothing now."""
        return self.tool.undo if _has_way_back(self.change) else ""

    def is_for_another(self, row: CallRow) -> bool:
        """Whether a stored call would now reach something else, which has taken the name of what it was for."""
        return any(target.id != row.args[name] for name, target in self.targets.items())


@dataclass(frozen=True)
class Answer:
    """A call that is settled already: a read's result, or an error."""

    block: Block
    tainted: bool = False
    detail: str = ""
    """The same in one sentence, where there is one."""
    gone: bool = False
    """Whether it is so because what the call is for does not exist."""
    facts: Facts | None = None
    """What is there, where a change would have nothing to do."""


class Nothing(Facts):
    """No state that a card could rest on."""


@dataclass(frozen=True)
class Rules:
    """What the owner has set."""

    autonomy: Autonomy
    forbidden: Callable[[Target], bool]
    protected: Callable[[Target], str]
    """Why this target always asks, or an empty string."""


class Proposals:
    """Prepares calls. Holds reading clients only."""

    def __init__(
        self,
        catalogue: dict[str, Tool],
        clients: Clients,
        people: People,
        rules: Rules,
        stores: Stores,
        redact: Redactor,
    ) -> None:
        self._catalogue, self._clients, self._people = catalogue, clients, people
        self._services = list(dict.fromkeys(tool.service for tool in catalogue.values()))
        self.rules, self.redact = rules, redact
        self._nets, self._past, self._runs = StoredNets(stores.nets), Past(stores), stores.runs

    async def told(self, run: Run, messages: list[Message], uses: list[Use]) -> taint.Told:
        """What a run has been told until now, and by whom: where these calls may change something and it is tainted,
        also in the requests that led to it."""
        tools = [tool for use in uses if (tool := self._catalogue.get(use.tool))]
        matters = run.tainted and any(tool.risk is not Risk.READ or tool.egress for tool in tools)
        before = await self._runs.before(run) if matters else []
        return taint.Told(
            run, messages, self._catalogue, [(each, await self._runs.messages(each.id)) for each in before]
        )

    async def prepare(
        self, run: Run, use: Use, *, told: taint.Told | None = None, insist: bool = False
    ) -> Answer | Proposal:
        """The call's answer when it is a read or cannot be, else its plan; `told` is what may have led to it.

        `insist` asks even a service whose circuit is open: for evidence, and for a person who has just tapped.
        """
        try:
            async with self._clients.watch(use.service, insist=insist), asyncio.timeout(READ_DEADLINE):
                return await self._prepare(run, use, told)
        except ToolFailed as error:
            if isinstance(error, Absent) and not run.thinks:  # stored by its id: the title has the name
                error = Gone(f"{run.objective}: what this was for is gone.")
            return self._failed(use, str(error), tainted=error.outside, gone=isinstance(error, Absent | Gone))
        except TimeoutError:
            return self._failed(use, f"{use.tool} did not answer within {READ_DEADLINE:.0f} s.")
        except Exception as error:  # one of the three places that must survive anything: a tool call
            logger.opt(exception=error).error("tool {} broke", use.tool)
            return self._failed(use, f"{use.tool} broke ({type(error).__name__}); the log has the details.")

    def schema_version(self, name: str) -> str:
        """A fingerprint of a tool's arguments and risk; empty when there is no such tool."""
        tool = self._catalogue.get(name)
        return digest(canonical({"schema": tool.input_schema, "risk": int(tool.risk)})) if tool else ""

    async def read(
        self, actor: Actor, service: Service[Any], reader: Callable[[Context[Any]], Awaitable[T]], *,
        insist: bool = False, within: float = READ_DEADLINE,
    ) -> T:  # fmt: skip
        """What `reader(ctx)` finds, for whoever may look at this service; no model is asked. Raises ToolFailed."""
        if self._people.role(actor.id, service.name) < Role.VIEWER:
            raise ToolFailed(f"{service.name} is not yours to look at.")
        try:
            async with self._clients.watch(service.name, insist=insist), asyncio.timeout(within):
                client = await self._clients.get(service.name, Access.READ)
                return await reader(self._context(service.name, client, actor))
        except TimeoutError:
            raise ToolFailed(f"{service.name} did not answer within {within:.0f} s.") from None

    async def look(self, actor: Actor, tool: Tool, target: Target) -> BaseModel:
        """The typed result of a read of one target. Raises ToolFailed."""
        assert tool.risk is Risk.READ, "only reads run without a journal row"
        args = self._validated(tool, {tool.subject: target.id})
        found: BaseModel = await self.read(actor, tool.service, lambda ctx: tool.run(ctx, **args.__dict__))
        return found

    async def meant(self, actor: Actor, tool: Tool, text: str) -> list[Target]:
        """The targets that a text may mean to a tool of one target. Raises ToolFailed when that cannot be told."""
        try:
            text = getattr(self._validated(tool, {tool.subject: text}), tool.subject)
        except ToolFailed:
            return []  # no target is called that
        find = tool.resolved[tool.subject].find
        return await self.read(actor, tool.service, lambda ctx: find(ctx.client, text))

    async def contributed(self, actor: Actor, kind: type[Any]) -> Contributed[Any]:
        """What the services tell of this kind of thing, asked together; who fails is named, and the rest answers."""
        return together(await self._each(actor, tellers(self._services, kind), within=TELLING_DEADLINE))

    async def glances(self, actor: Actor, *, insist: bool = False) -> dict[str, Glance | ToolFailed]:
        """Every configured service at a glance, asked together; one that fails says why.

        `insist` asks even what is given a pause.
        """
        return await self._each(actor, {each: each.look for each in self._services if each.look}, insist=insist)

    async def _each(
        self, actor: Actor, readers: Mapping[Service[Any], Callable[[Context[Any]], Awaitable[T]]], **how: Any
    ) -> dict[str, T | ToolFailed]:
        """What those of the services say that are set up and this person's to look at, or why one does not."""
        seen = [service for service in readers if self._clients.configured(service.name)]
        seen = [service for service in seen if self._people.role(actor.id, service.name) >= Role.VIEWER]
        asked = ((each.name, self.read(actor, each, readers[each], **how)) for each in seen)
        answers = await asyncio.gather(*(tried(in_time(name, answer, GRACE)) for name, answer in asked))
        return dict(zip([service.name for service in seen], answers, strict=True))

    def _context(self, service: str, client: Any, actor: Actor, tainted: bool = False) -> Context[Any]:
        past, others = partial(self._past.of, service), partial(self.contributed, actor)
        return Context(client, actor.id, self._nets, tainted, past, others)

    async def _prepare(self, run: Run, use: Use, told: taint.Told | None) -> Answer | Proposal:
        tool = self._catalogue.get(use.tool)
        if tool is None:
            raise ToolFailed(f"There is no tool called {use.tool[:64]!r}.")
        if self._people.role(run.actor.id, tool.service.name) < Role.VIEWER:
            # A plan shows facts, too. It may be somebody else who reads this: who has just approved it.
            raise ToolFailed(f"Whoever asked for this has no role for {tool.service.name}: nothing is shown or done.")
        asked = self._validated(tool, use.args, stored=not run.thinks)
        client = await self._clients.get(tool.service.name, Access.READ)
        targets, typed = await self._targets(tool, asked, client)
        # Stored as JSON values and validated again at the tap: what is shown, hashed and executed is one thing.
        args = {**asked.model_dump(mode="json"), **{name: target.id for name, target in targets.items()}}
        context = self._context(tool.service.name, client, run.actor, run.tainted)
        if tool.risk is Risk.READ and not (tool.egress and run.tainted):
            return await self._read(use, tool, context, args)
        values = tool.parameters.model_validate_json(canonical(args))
        if tool.risk is Risk.READ:
            change, risk = self._errand(use, tool, context, args), Risk.CHANGE
        else:
            change, risk = self._readable(await tool.run(context, **values.__dict__)), tool.risk_of(values)
        touched = (*targets.values(), *_named(change))
        protected = next(filter(None, map(self.rules.protected, touched)), "")
        decision = self._decide(run, tool, risk, touched, protected, change)
        if change.expect(change.facts, change.facts):
            block = results.outcome(use.id, "already", change.title, ALREADY, change.facts, self.redact)
            return Answer(block, tainted=taint.taints(change.facts), detail=ALREADY, facts=change.facts)
        named = await self._named(tool, client, targets, told) if run.tainted and told else frozenset[str]()
        proposal = Proposal(use, tool, args, targets, typed, change, risk, decision, protected, named)
        asks = decision.verdict is Verdict.ASK or decision == ONLY_LOOKING
        if asks and run.undo_of is None and room(proposal, run) > MOST_SHOWN:
            raise ToolFailed(TOO_LARGE)
        return proposal

    def _readable(self, change: Change[Any]) -> Change[Any]:
        """The change with its words as a person may see them, before anything stores or shortens them."""
        title, *notes = (escaped(short_ids(self.redact(text))) for text in (change.title, *change.notes))
        return replace(change, title=title, notes=tuple(notes))

    def _errand(self, use: Use, tool: Tool, context: Context[Any], args: dict[str, Any]) -> Change[Any]:
        """A read whose destination may be an attacker's wish: planned like a change, so that a person lets it out."""
        return Change(
            tool.summary.rstrip("."),
            facts=Nothing(),
            do=lambda client: self._read(use, tool, replace(context, client=client), args),
            expect=lambda before, after: False,
            notes=(ERRAND,),
        )

    async def _read(self, use: Use, tool: Tool, context: Context[Any], args: dict[str, Any]) -> Answer:
        values = tool.parameters.model_validate_json(canonical(args))
        found = await tool.run(context, **values.__dict__)
        text = results.fit(found, self.redact) if isinstance(found, BaseModel) else self.redact(str(found))
        if taint.taints(found):
            return Answer(results.block(use.id, taint.wrap(results.cap(text))), tainted=True)
        return Answer(results.block(use.id, text))

    def _decide(
        self, run: Run, tool: Tool, risk: Risk, touched: tuple[Target, ...], protected: str, change: Change[Any]
    ) -> Decision:
        forbidden = any(target.forbidden or self.rules.forbidden(target) for target in touched)
        return decide(
            Circumstances(
                risk=risk,
                role=self._people.highest(run.conversation, tool.service.name),
                asker=self._people.role(run.actor.id, tool.service.name),
                own=tool.service.own and tool.risk is not Risk.READ,
                tainted=run.tainted,
                unattended=run.unattended,
                forbidden=forbidden,
                protected=bool(protected),
                undoable=_has_way_back(change),
                autonomy=self.rules.autonomy,
            )
        )

    def _validated(self, tool: Tool, args: dict[str, Any], *, stored: bool = False) -> BaseModel:
        try:
            return tool.parameters.model_validate_json(canonical(args))
        except ValidationError as error:
            wrong = "; ".join(
                f"{'.'.join(map(str, item['loc'])) or 'arguments'}: {item['msg']}" for item in error.errors()
            )
            if stored:
                raise ToolFailed(
                    f"What was asked then no longer fits {tool.name} as it is now ({wrong});"
                    " ask for it in your own words."
                ) from None
            raise ToolFailed(f"{tool.name} was called wrongly: {wrong}.") from None
        except (ValueError, RecursionError, TypeError):
            raise ToolFailed(f"{tool.name} was called with something that is not plain JSON.") from None

    async def _targets(self, tool: Tool, args: BaseModel, client: Any) -> tuple[dict[str, Target], dict[str, str]]:
        targets, typed = {}, {}
        for name, resolve in tool.resolved.items():
            text = getattr(args, name)
            if text is None:
                continue
            typed[name] = text
            targets[name] = await self._target(client, resolve.find, resolve.suggest, text)
        return targets, typed

    async def _named(self, tool: Tool, client: Any, targets: dict[str, Target], told: taint.Told) -> frozenset[str]:
        """The parameters whose target a person has named, by a word that alone means it and nothing else."""
        named = set()
        for parameter, target in targets.items():
            typed = [name for name in dict.fromkeys((target.name, *target.aliases)) if told.typed(name)]
            for name in typed:
                with contextlib.suppress(ToolFailed):
                    meant = await tool.resolved[parameter].find(client, name)
                    named |= {parameter} if [each.id for each in meant] == [target.id] else set()
        return frozenset(named)

    async def _target(self, client: Any, find: Any, suggest: Any, text: str) -> Target:
        found = await find(client, text)
        shown = short_ids(escaped(text))[:80]
        if len(found) > 1:
            names = ", ".join(f"{target.name} ({target.detail})" for target in found[:8])
            error = ToolFailed(f'"{shown}" is ambiguous: {names}. Ask the person which one.')
            error.outside = not all(trusted_name(target.name) for target in found[:8])
            raise error
        if not found:
            near = await suggest(client, text) if suggest else []
            absent = Absent(f'Nothing here is called "{shown}".' + (f" Nearest: {', '.join(near)}." if near else ""))
            absent.outside = not all(trusted_name(name.partition(" (")[0]) for name in near)
            raise absent
        target: Target = found[0]
        return target

    def _failed(self, use: Use, text: str, *, tainted: bool = False, gone: bool = False) -> Answer:
        text = short_ids(self.redact(text))
        shown = taint.wrap(text) if tainted else text
        return Answer(results.block(use.id, shown, error=True), tainted=tainted, detail=text, gone=gone)


def gone(row: CallRow) -> str:
    """That what a stored call is for does not exist any more, by the name it had on the card."""
    names = " and ".join(escaped(target["name"]) for target in row.targets.values()) or "What this was for"
    return f"{names} is gone"


def _named(change: Change[Any]) -> list[Target]:
    """What a change touches beyond its arguments, by the names in its facts: its host, the things it lists."""
    values = change.facts.model_dump(mode="json").values()
    texts = [text for value in values for text in (value if isinstance(value, list) else [value])]
    return [Target(text, text) for text in texts if isinstance(text, str)]


def _has_way_back(change: Change[Any]) -> bool:
    """Judged by what Undo would call now, not by whether there is a function for it."""
    return change.way_back("net" if change.has_net else "") is not None


def card_of(proposal: Proposal, run: Run, messages: list[Message], told: taint.Told | None = None) -> dict[str, Any]:
    """Everything the card says besides the facts."""
    told, lines = told or taint.Told(run, messages), []
    for name, value in proposal.args.items():
        typed = proposal.typed.get(name, value)
        origin = "you" if name in proposal.named else _origin(proposal, name, typed, run, messages, told)
        lines.append({"name": name, "value": written(typed), "from": origin})
    return {"service": proposal.tool.service.name, "args": lines, **words_of(proposal)}


def _origin(
    proposal: Proposal, name: str, value: Any, run: Run, messages: list[Message], told: taint.Told
) -> taint.Provenance:
    """Where an argument comes from; what would be so anyhow nobody has brought."""
    field, target = proposal.tool.parameters.model_fields[name], proposal.targets.get(name)
    usual = not field.is_required() and (name not in proposal.use.args or to_jsonable_python(field.default) == value)
    return taint.provenance(
        value, run, messages, default=usual, resolved=target is not None, told=told,
        also=(target.id, target.name, *target.aliases) if target else (),
        about=(name, *proposal.tool.name.split("_")[1:]),
    )  # fmt: skip


def targets_of(proposal: Proposal) -> dict[str, dict[str, str]]:
    """What its parameters have come to mean."""
    return {n: {"id": t.id, "name": t.name, "detail": t.detail} for n, t in proposal.targets.items()}


def words_of(proposal: Proposal) -> dict[str, Any]:
    """What the card says of the plan itself, which may be another one when the target has moved."""
    return {
        "title": escaped(proposal.change.title),
        "notes": [escaped(note) for note in proposal.change.notes],
        "undo": proposal.way_back,
        "protected": proposal.protected,
    }
