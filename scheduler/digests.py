"""The daily digest: what is down, what changed, what ran and who approved it, what it cost. No model."""

from memory.models import RAN, Actor, CallRow, CallState, Digest, Role
from memory.stores import Stores
from scheduler.ports import Readers
from tools.gate.proposals import Proposals
from tools.gate.results import shows_outside
from tools.kit.errors import ToolFailed
from tools.kit.glance import Glance, Note
from tools.kit.types import trusted_name

DAY = 86_400.0


class Digests:
    """Gathers a digest from the services and the books."""

    def __init__(self, stores: Stores, proposals: Proposals, readers: Readers, owner: Actor) -> None:
        self._stores, self._proposals, self._readers, self._owner = stores, proposals, readers, owner

    async def gather(self, reader: Actor | None = None, *, late: bool = False) -> tuple[Digest, dict[str, str]]:
        """The digest since the last snapshot, and the states to compare with next time.

        It holds what its reader may see; without a reader, what the owner may see, who has chosen the chat it goes to.
        """
        stores, now, reader = self._stores, self._stores.database.now(), reader or self._owner
        whole = self._readers.overall(reader.id) >= Role.VIEWER
        last = await stores.snapshots.latest()
        since = max(last[0], now - 7 * DAY) if last else now - DAY
        glances = await self._proposals.reads.glances(reader)
        # What is gone no longer tells which service it belonged to: only whoever sees everything hears of it.
        items = _items(glances)
        before = {n: s for n, s in last[1].items() if whole or n in items} if last else {}
        items = {name: state for name, state in before.items() if _unseen(name, glances)} | items
        spent = await stores.usage.since(since)
        chain = await stores.audit.verify()
        troubles = _troubles(glances)
        rows = [row for row in await stores.journal.since(since) if row.state in RAN and self._may_see(reader, row)]
        digest = Digest(
            since=since,
            late=late,
            troubles=troubles if chain.intact else [(f"🔴 audit log · {chain}", None), *troubles],
            summaries=[f"{glance.dot} {glance.summary}" for glance in _seen(glances)],
            changed=_differences(before, items) if last else [],
            ran=[await self._told(row) for row in rows],
            pending=sum(whole or reader.id in card.allowed for card in await stores.approvals.open_cards()),
            usd=spent.usd,
            audit=str(chain),
            unknown=sum(self._may_see(reader, row) for row in await stores.journal.in_state(CallState.UNKNOWN)),
            quiet=[_line(note) for glance in _seen(glances) for note in glance.quiet],
            outside=_from_outside(glances, {*before, *items}) or any(map(shows_outside, rows)),
        )
        return digest, items

    def _may_see(self, reader: Actor, row: CallRow) -> bool:
        return self._readers.role(reader.id, row.service) >= Role.VIEWER

    async def _told(self, row: CallRow) -> str:
        approval = await self._stores.approvals.latest(row.id)
        who = "without a card"
        if approval and approval.decided_by:
            who = f"approved by {await self._stores.runs.name_of(approval.decided_by)}"
        seen = "verified" if row.verified else "not verified" if row.state is CallState.DONE else row.state
        return f"{row.title} · {seen} · {who}"


def _from_outside(glances: dict[str, Glance | ToolFailed], names: set[str]) -> bool:
    """Whether what the services say, or what the things are called, is text that nobody here has written."""
    said: list[Note | ToolFailed] = [glance for glance in glances.values() if isinstance(glance, ToolFailed)]
    said += [note for glance in _seen(glances) for note in (*glance.troubles, *glance.quiet)]
    return any(each.outside for each in said) or not all(map(trusted_name, names))


def _seen(glances: dict[str, Glance | ToolFailed]) -> list[Glance]:
    return [glance for glance in glances.values() if isinstance(glance, Glance)]


def _items(glances: dict[str, Glance | ToolFailed]) -> dict[str, str]:
    return {name: state for glance in _seen(glances) for name, state in (glance.items or {}).items()}


def _unseen(name: str, glances: dict[str, Glance | ToolFailed]) -> bool:
    """Whether a thing of the last digest could not be looked at now: it is neither gone nor changed, only unknown."""
    return len(_seen(glances)) < len(glances) or any(name.startswith(glance.unseen) for glance in _seen(glances))


def _troubles(glances: dict[str, Glance | ToolFailed]) -> list[tuple[str, float | None]]:
    failed = [(f"🔴 {name}: {glance}", None) for name, glance in glances.items() if isinstance(glance, ToolFailed)]
    return [*failed, *(_line(trouble) for glance in _seen(glances) for trouble in glance.troubles)]


def _line(note: Note) -> tuple[str, float | None]:
    return str(note), note.at.timestamp() if note.at else None


def _differences(old: dict[str, str], new: dict[str, str]) -> list[str]:
    lines = [f"{name}: {old[name]} → {new[name]}" for name in sorted(old.keys() & new.keys()) if old[name] != new[name]]
    lines += [f"{name}: new, {new[name]}" for name in sorted(new.keys() - old.keys())]
    return lines + [f"{name}: gone" for name in sorted(old.keys() - new.keys())]
