"""The daily digest: what is down, what changed, what ran and who approved it, what it cost. No model."""

from memory.models import Actor, CallState, Digest
from memory.stores import Stores
from tools.gate.proposals import Proposals
from tools.kit.errors import ToolFailed
from tools.kit.glance import Glance

DAY = 86_400.0
RAN = (CallState.DONE, CallState.FAILED, CallState.UNKNOWN)


class Digests:
    """Gathers a digest from the services and the books."""

    def __init__(self, stores: Stores, proposals: Proposals, reader: Actor) -> None:
        self._stores, self._proposals, self._reader = stores, proposals, reader

    async def gather(self, *, late: bool = False) -> tuple[Digest, dict[str, str]]:
        """The digest since the last snapshot (at most a day), and the states to compare with next time."""
        stores, now = self._stores, self._stores.database.now()
        last = await stores.snapshots.latest()
        since = max(last[0], now - 7 * DAY) if last else now - DAY
        glances = await self._proposals.glances(self._reader)
        items = _items(glances)
        spent = await stores.usage.since(since)
        verdict = await stores.audit.verify()
        digest = Digest(
            since=since,
            late=late,
            troubles=_troubles(glances),
            summaries=[glance.summary for glance in glances.values() if isinstance(glance, Glance)],
            changed=_differences(last[1], items) if last else [],
            ran=await self._ran(since),
            pending=len(await stores.approvals.open_cards()),
            usd=spent.usd,
            audit=str(verdict),
        )
        return digest, items

    async def _ran(self, since: float) -> list[str]:
        lines = []
        for row in await self._stores.journal.since(since):
            if row.state in RAN:
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
