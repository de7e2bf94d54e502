"""From a tool_use block to a result or a plan: validate, resolve, judge, read. Nothing here can change anything."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from loguru import logger
from pydantic import BaseModel

from memory.keys import digest
from memory.models import Block, CallRow, Message, Role, Run, Use, canonical
from memory.secrets import Redactor
from memory.stores import Stores
from memory.text import escaped, short_ids
from tools.gate import results, taint
from tools.gate.arguments import Absent, meant, named, parameter_of, validated
from tools.gate.policy import ONLY_LOOKING, Autonomy, Circumstances, Decision, Verdict, decide
from tools.gate.ports import People
from tools.gate.reads import READ_DEADLINE, Reads
from tools.gate.room import MOST_SHOWN, room
from tools.kit.change import Change, Facts
from tools.kit.clients import Clients
from tools.kit.context import Access, Context
from tools.kit.errors import Gone, ToolFailed
from tools.kit.service import Risk, Tool
from tools.kit.types import Target

TOO_LARGE = "This is too large to be shown on a card, so it cannot be approved: do it in parts."
ALREADY = "Already so: nothing to do."
ERRAND = "Text from outside may have chosen where this goes. What is sent has no undo."


@dataclass(frozen=True)
class Proposal:
    """A change as it could go on a card."""

    use: Use
    tool: Tool
    args: dict[str, Any]
    """As stored and executed: names replaced by immutable ids."""
    targets: dict[str, Target]
    typed: dict[str, str]
    """What the model wrote before each was resolved, by the same keys as the targets."""
    change: Change[Any]
    risk: Risk
    decision: Decision
    protected: str
    named: frozenset[str] = frozenset()
    """Targets that a person has named, whatever the model has written."""

    @property
    def way_back(self) -> str:
        """What Undo would do, in words; empty when it could do nothing now."""
        return self.tool.undo if _has_way_back(self.change) else ""

    @property
    def lines(self) -> list[tuple[str, Any]]:
        """Every argument as it was written, under its name; of a list of targets each one, under its key."""
        found: list[tuple[str, Any]] = []
        for name, value in self.args.items():
            keys = [key for key in self.targets if parameter_of(key) == name]
            found += [(key, self.typed[key]) for key in keys] or [(name, value)]
        return found

    def is_for_another(self, row: CallRow) -> bool:
        """Whether a stored call would now reach something else, which has taken the name of what it was for."""
        return any(self.args[name] != row.args.get(name) for name in self.tool.resolved)

    def not_of(self, row: CallRow) -> set[str]:
        """The targets of a stored call that this is no longer for, by their ids."""
        return {target["id"] for target in row.targets.values()} - {target.id for target in self.targets.values()}


@dataclass(frozen=True)
class Answer:
    """A call that is settled already: a read's result, or an error."""

    block: Block
    tainted: bool = False
    detail: str = ""
    """The same in one sentence, where there is one."""
    gone: bool = False
    """Whether it is so because what the call is for does not exist."""
    absent: str = ""
    """Which of its targets that is, by its id, where that is known."""
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
        self.rules, self.redact, self._runs = rules, redact, stores.runs
        services = list(dict.fromkeys(tool.service for tool in catalogue.values()))
        self.reads = Reads(services, clients, people, stores)

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
        self, run: Run, use: Use, *, told: taint.Told | None = None, insist: bool = False, of: CallRow | None = None
    ) -> Answer | Proposal:
        """The call's answer when it is a read or cannot be, else its plan; `told` is what may have led to it.

        `insist` asks even a service whose circuit is open: for evidence, and for a person who has just tapped. `of` is
        the stored call whose outcome is looked for: that its targets are gone may be what it was for.
        """
        try:
            async with self._clients.asking(use.service, insist=insist), asyncio.timeout(READ_DEADLINE):
                return await self._prepare(run, use, told, of)
        except Absent as error:
            if run.thinks:
                failed = self._failed(use, str(error), tainted=error.outside, gone=True)
            else:  # stored by its id: the title has the name
                failed = self._failed(use, f"{run.objective}: what this was for is gone.", gone=True)
            return replace(failed, absent=error.text)
        except ToolFailed as error:
            return self._failed(use, str(error), tainted=error.outside, gone=isinstance(error, Gone))
        except TimeoutError:
            return self._failed(use, f"{use.tool} did not answer within {READ_DEADLINE:.0f} s.")
        except Exception as error:  # one of the three places that must survive anything: a tool call
            logger.opt(exception=error).error("tool {} broke", use.tool)
            return self._failed(use, f"{use.tool} broke ({type(error).__name__}); the log has the details.")

    def schema_version(self, name: str) -> str:
        """A fingerprint of a tool's arguments and risk; empty when there is no such tool."""
        tool = self._catalogue.get(name)
        return digest(canonical({"schema": tool.input_schema, "risk": int(tool.risk)})) if tool else ""

    async def _prepare(self, run: Run, use: Use, told: taint.Told | None, of: CallRow | None) -> Answer | Proposal:
        tool = self._catalogue.get(use.tool)
        if tool is None:
            raise ToolFailed(f"There is no tool called {use.tool[:64]!r}.")
        if self._people.role(run.actor.id, tool.service.name) < Role.VIEWER:
            # A plan shows facts, too. It may be somebody else who reads this: who has just approved it.
            raise ToolFailed(f"Whoever asked for this has no role for {tool.service.name}: nothing is shown or done.")
        asked = validated(tool, use.args, stored=not run.thinks)
        client = await self._clients.get(tool.service.name, Access.READ)
        found = await meant(tool, asked, client, of)
        # Stored as JSON values and validated again at the tap: what is shown, hashed and executed is one thing.
        args = {**asked.model_dump(mode="json"), **found.ids}
        context = self.reads.context(tool.service.name, client, run.actor, run.tainted)
        if tool.risk is Risk.READ and not (tool.egress and run.tainted):
            return await self._read(use, tool, context, args)
        values = tool.parameters.model_validate_json(canonical(args))
        if tool.risk is Risk.READ:
            change, risk = self._errand(use, tool, context, args), Risk.CHANGE
        else:
            change, risk = self._readable(await tool.run(context, **values.__dict__)), tool.risk_of(values)
        touched = (*found.targets.values(), *_listed(change))
        protected = _naming([(each, self.rules.protected(each)) for each in touched], len(found.targets))
        decision = self._decide(run, tool, risk, touched, protected, change)
        if change.fits(change.facts, change.facts):
            block = results.outcome(use.id, "already", change.title, ALREADY, change.facts, self.redact)
            return Answer(block, tainted=taint.taints(change.facts), detail=ALREADY, facts=change.facts)
        by_name = await named(tool, client, found.targets, told) if run.tainted and told else frozenset[str]()
        proposal = Proposal(use, tool, args, found.targets, found.typed, change, risk, decision, protected, by_name)
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
        forbidden = [target.name for target in touched if target.forbidden or self.rules.forbidden(target)]
        return decide(
            Circumstances(
                risk=risk,
                role=self._people.highest(run.conversation, tool.service.name),
                asker=self._people.role(run.actor.id, tool.service.name),
                own=tool.service.own and tool.risk is not Risk.READ,
                tainted=run.tainted,
                unattended=run.unattended,
                forbidden=bool(forbidden),
                which=", ".join(map(escaped, dict.fromkeys(forbidden))) if len(touched) > 1 else "",
                protected=bool(protected),
                undoable=_has_way_back(change),
                autonomy=self.rules.autonomy,
            )
        )

    def _failed(self, use: Use, text: str, *, tainted: bool = False, gone: bool = False) -> Answer:
        text = short_ids(self.redact(text))
        shown = taint.wrap(text) if tainted else text
        return Answer(results.block(use.id, shown, error=True), tainted=tainted, detail=text, gone=gone)


def _listed(change: Change[Any]) -> list[Target]:
    """What a change touches beyond its arguments, by the names in its facts: its host, the things it lists."""
    values = change.facts.model_dump(mode="json").values()
    texts = [text for value in values for text in (value if isinstance(value, list) else [value])]
    return [Target(text, text) for text in texts if isinstance(text, str)]


def _naming(reasons: list[tuple[Target, str]], targets: int) -> str:
    """Why a call always asks; of several targets, which of them it is."""
    found = {reason: target for target, reason in reasons if reason}
    return "; ".join(f"{escaped(target.name)}: {reason}" if targets > 1 else reason for reason, target in found.items())


def _has_way_back(change: Change[Any]) -> bool:
    """Judged by what Undo would call now, not by whether there is a function for it."""
    return not change.partial and change.way_back("net" if change.has_net else "") is not None
