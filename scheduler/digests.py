"""The daily digest: what is down, what changed, what ran and who approved it, what it cost. No model."""

from memory.models import RAN, Actor, CallState, Digest, Role
from memory.stores import Stores
from scheduler.ports import People
from tools.gate.proposals import Proposals
from tools.kit.errors import ToolFailed
from tools.kit.glance import Glance

DAY = 86_400.0


class Digests:
    """Gathers a digest from the services and the books."""

    def __init__(self, stores: Stores, proposals: Proposals, people: People, owner: Actor) -> None:
        self._stores, self._proposals, self._people, self._owner = stores, proposals, people, owner

    async def gather(self, reader: Actor | None = None, *, late: bool = False) -> tuple[Digest, dict[str, str]]:
        """The digest since the last snapshot, and the states to compare with next time.

        It holds what its reader may see; without a reader, what the owner may see, who has chosen the chat it goes to.
        """
        stores, now, reader = self._stores, self._stores.database.now(), reader or self._owner
        whole = self._people.overall(reader.id) >= Role.VIEWER
        last = await stores.snapshots.latest()
        since = max(last[0], now - 7 * DAY) if last else now - DAY
        glances = await self._proposals.glances(reader)
        items = _items(glances)
        spent = await stores.usage.since(since)
        verdict = await stores.audit.verify()
        digest = Digest(
            since=since,
            late=late,
            troubles=_troubles(glances),
            summaries=[glance.summary for glance in glances.values() if isinstance(glance, Glance)],
            # What is gone no longer tells which service it belonged to: only whoever sees everything hears of it.
            changed=_differences({n: s for n, s in last[1].items() if whole or n in items}, items) if last else [],
            ran=await self._ran(since, reader),
            pending=sum(whole or reader.id in card.allowed for card in await stores.approvals.open_cards()),
            usd=spent.usd,
            audit=str(verdict),
        )
        return digest, items

    async def _ran(self, since: float, reader: Actor) -> list[str]:
        lines = []
        for row in await self._stores.journal.since(since):
            visible = self._people.role(reader.id, row.service) >= Role.VIEWER
            if row.state in RAN and visible:
                approval = await self._stores.approvals.latest(row.id)
                who = "without a card"
                if approval and approval.decided_by:
                    who = f"approved by {await self._stores.runs.name_of(approval.decided_by)}"
                seen = "verified" if row.verified else "not verified" if row.state is CallState.DONE else row.state
                lines.append(f"{row.title} · {seen} · {who}")
        return lines


def _items(glances: dict[str, Glance | ToolFailed]) -> dict[str, str]:
    found: dict[str, str] = {}
    for glance in glances.values():
        if isinstance(glance, Glance) and glance.items:
            found |= glance.items
    return found


def _troubles(glances: dict[str, Glance | ToolFailed]) -> list[str]:
    lines = [f"{name}: {glance}" for name, glance in glances.items() if isinstance(glance, ToolFailed)]
    for glance in glances.values():
        if isinstance(glance, Glance):
            lines += [f"{trouble.name} · {trouble.where} · {trouble.detail}" for trouble in glance.troubles]
    return lines


def _differences(old: dict[str, str], new: dict[str, str]) -> list[str]:
    lines = [f"{name}: {old[name]} → {new[name]}" for name in sorted(old.keys() & new.keys()) if old[name] != new[name]]
    lines += [f"{name}: new, {new[name]}" for name in sorted(new.keys() - old.keys())]
    return lines + [f"{name}: gone" for name in sorted(old.keys() - new.keys())]
