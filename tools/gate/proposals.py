"""From a tool_use block to a result or a plan: validate, resolve, judge, read. Nothing here can change anything."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from loguru import logger
from pydantic import BaseModel, ValidationError

from memory.models import Actor, Block, Message, Role, Run, Use, canonical
from memory.text import Redactor, escaped
from tools.gate import results, taint
from tools.gate.policy import Autonomy, Circumstances, Decision, decide
from tools.gate.ports import People
from tools.kit.change import Change, Facts
from tools.kit.clients import Clients
from tools.kit.context import Access, Context, Nets
from tools.kit.errors import ToolFailed
from tools.kit.glance import Glance
from tools.kit.service import Risk, Service, Tool
from tools.kit.types import Target

MOST_SHOWN = 2400
"""Characters of arguments and notes that fit on a card with the rest; what does not fit is refused, never cut."""
ERRAND = "Text from outside may have chosen where this goes. What is sent has no undo."
READ_DEADLINE = 60.0
"""Seconds for one read or one proposal in all."""


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


@dataclass(frozen=True)
class Answer:
    """A call that is settled already: a read's result, or an error."""

    block: Block
    tainted: bool = False
    detail: str = ""
    """The same in one sentence, where there is one."""


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
        self, catalogue: dict[str, Tool], clients: Clients, people: People, rules: Rules, nets: Nets, redact: Redactor
    ) -> None:
        self._catalogue, self._clients, self._people = catalogue, clients, people
        self.rules, self._nets, self.redact = rules, nets, redact

    async def prepare(self, run: Run, use: Use, *, insist: bool = False) -> Answer | Proposal:
        """The call's answer when it is a read or cannot be, else its plan.

        `insist` asks even a service whose circuit is open: for evidence, and for a person who has just tapped.
        """
        service = use.tool.partition("_")[0]
        try:
            async with self._clients.watch(service, insist=insist), asyncio.timeout(READ_DEADLINE):
                return await self._prepare(run, use)
        except ToolFailed as error:
            return self._failed(use, str(error), tainted=error.outside)
        except TimeoutError:
            return self._failed(use, f"{use.tool} did not answer within {READ_DEADLINE:.0f} s.")
        except Exception as error:  # one of the three places that must survive anything: a tool call
            logger.opt(exception=error).error("tool {} broke", use.tool)
            return self._failed(use, f"{use.tool} broke ({type(error).__name__}); the log has the details.")

    async def look(self, actor: Actor, tool_name: str, **asked: Any) -> Any:
        """A read's typed result, for commands and digests that need no model. Raises ToolFailed."""
        tool = self._catalogue[tool_name]
        assert tool.risk is Risk.READ, "only reads run without a journal row"
        if self._people.role(actor.id, tool.service.name) < Role.VIEWER:
            raise ToolFailed(f"{tool.service.name} is not yours to look at.")
        args = self._validated(tool, asked)
        try:
            async with self._clients.watch(tool.service.name), asyncio.timeout(READ_DEADLINE):
                client = await self._clients.get(tool.service.name, Access.READ)
                targets, _ = await self._targets(tool, args, client)
                values = {**args.__dict__, **{name: target.id for name, target in targets.items()}}
                return await tool.run(Context(client, actor.id, self._nets), **values)
        except TimeoutError:
            raise ToolFailed(f"{tool_name} did not answer within {READ_DEADLINE:.0f} s.") from None

    async def glances(self, actor: Actor) -> dict[str, Glance | ToolFailed]:
        """Every configured service at a glance, asked together; one that fails says why."""
        services = {tool.service.name: tool.service for tool in self._catalogue.values()}
        seen = [
            service
            for service in services.values()
            if service.look and self._people.role(actor.id, service.name) >= Role.VIEWER
        ]
        return dict(zip([s.name for s in seen], await asyncio.gather(*(self._glance(s) for s in seen)), strict=True))

    async def _glance(self, service: Service[Any]) -> Glance | ToolFailed:
        assert service.look is not None, "asked only of services that declare one"
        try:
            async with self._clients.watch(service.name), asyncio.timeout(READ_DEADLINE):
                client = await self._clients.get(service.name, Access.READ)
                return await service.look(Context(client))
        except ToolFailed as error:
            return error
        except TimeoutError:
            return ToolFailed(f"{service.name} did not answer within {READ_DEADLINE:.0f} s.")

    async def _prepare(self, run: Run, use: Use) -> Answer | Proposal:
        tool = self._catalogue.get(use.tool)
        if tool is None:
            raise ToolFailed(f"There is no tool called {use.tool[:64]!r}.")
        if self._people.role(run.actor.id, tool.service.name) < Role.VIEWER:
            raise ToolFailed(f"{tool.service.name} is not yours to look at.")  # a plan shows facts, too
        asked = self._validated(tool, use.args)
        client = await self._clients.get(tool.service.name, Access.READ)
        targets, typed = await self._targets(tool, asked, client)
        # Stored as JSON values and validated again at the tap: what is shown, hashed and executed is one thing.
        args = {**asked.model_dump(mode="json"), **{name: target.id for name, target in targets.items()}}
        context = Context(client, run.actor.id, self._nets, run.tainted)
        if tool.risk is Risk.READ and not (tool.egress and run.tainted):
            return await self._read(use, tool, context, args)
        values = tool.parameters.model_validate_json(canonical(args))
        if tool.risk is Risk.READ:
            change, risk = self._errand(use, tool, context, args), Risk.CHANGE
        else:
            change, risk = await tool.run(context, **values.__dict__), tool.risk_of(values)
        protected = next(filter(None, map(self.rules.protected, targets.values())), "")
        decision = self._decide(run, tool, risk, targets, protected, change)
        if len(canonical(args)) + len("".join(change.notes)) > MOST_SHOWN:
            raise ToolFailed("This is too large to be shown on a card, so it cannot be approved: do it in parts.")
        if change.expect(change.facts, change.facts):
            note = "Already so: nothing to do."
            block = results.outcome(use.id, "already", change.title, note, change.facts)
            return Answer(block, tainted=taint.taints(change.facts), detail=note)
        return Proposal(use, tool, args, targets, typed, change, risk, decision, protected)

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
        text = self.redact(results.fit(found) if isinstance(found, BaseModel) else str(found))
        if taint.taints(found):
            return Answer(results.block(use.id, taint.wrap(results.cap(text))), tainted=True)
        return Answer(results.block(use.id, text))

    def _decide(
        self, run: Run, tool: Tool, risk: Risk, targets: dict[str, Target], protected: str, change: Change[Any]
    ) -> Decision:
        touched = (*targets.values(), *_named(change))
        forbidden = any(target.forbidden or self.rules.forbidden(target) for target in touched)
        return decide(
            Circumstances(
                risk=risk,
                role=self._people.highest(run.conversation, run.actor, tool.service.name),
                own=tool.service.own and tool.risk is not Risk.READ,
                tainted=run.tainted,
                unattended=run.unattended,
                forbidden=forbidden,
                protected=bool(protected),
                undoable=bool(tool.undo and change.undo),
                autonomy=self.rules.autonomy,
            )
        )

    def _validated(self, tool: Tool, args: dict[str, Any]) -> BaseModel:
        try:
            return tool.parameters.model_validate_json(canonical(args))
        except ValidationError as error:
            wrong = "; ".join(
                f"{'.'.join(map(str, item['loc'])) or 'arguments'}: {item['msg']}" for item in error.errors()
            )
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

    async def _target(self, client: Any, find: Any, suggest: Any, text: str) -> Target:
        found = await find(client, text)
        shown = escaped(text)[:80]
        if len(found) > 1:
            names = ", ".join(f"{target.name} ({target.detail})" for target in found[:8])
            raise ToolFailed(f'"{shown}" is ambiguous: {names}. Ask the person which one.')
        if not found:
            near = ", ".join(await suggest(client, text)) if suggest else ""
            raise ToolFailed(f'Nothing here is called "{shown}".' + (f" Nearest: {near}." if near else ""))
        target: Target = found[0]
        return target

    def _failed(self, use: Use, text: str, *, tainted: bool = False) -> Answer:
        text = self.redact(text)
        shown = taint.wrap(text) if tainted else text
        return Answer(results.block(use.id, shown, error=True), tainted=tainted, detail=text)


def _named(change: Change[Any]) -> list[Target]:
    """What a change touches beyond its arguments, by the names in its facts: its host, the things it lists."""
    values = change.facts.model_dump(mode="json").values()
    texts = [text for value in values for text in (value if isinstance(value, list) else [value])]
    return [Target(text, text) for text in texts if isinstance(text, str)]


def card_of(proposal: Proposal, run: Run, messages: list[Message]) -> dict[str, Any]:
    """Everything the card says besides the facts."""
    fields = proposal.tool.parameters.model_fields
    lines = []
    for name, value in proposal.args.items():
        typed = proposal.typed.get(name, value)
        default = name not in proposal.use.args and not fields[name].is_required()
        lines.append(
            {
                "name": name,
                "value": escaped(typed if isinstance(typed, str) else json.dumps(typed, ensure_ascii=False)),
                "from": taint.provenance(
                    typed, run.objective, messages, default=default, resolved=name in proposal.targets
                ),
            }
        )
    return {
        "title": escaped(proposal.change.title),
        "service": proposal.tool.service.name,
        "args": lines,
        "notes": [escaped(note) for note in proposal.change.notes],
        "undo": proposal.tool.undo if proposal.change.undo else "",
        "protected": proposal.protected,
    }
