"""What a Pi-hole keeps on lists: rules for domains, subscribed lists, local names. Found, added and removed alike."""

import re
from typing import Annotated, Any

from pydantic import BaseModel

from tools.kit import Api, Domain, Resolve, Target
from tools.pihole.models import LocalNames

Row = dict[str, Any]
"""What a Pi-hole keeps with an entry."""


class Entry(BaseModel, frozen=True):
    """One thing that a Pi-hole keeps on a list: `value` under `key` below `path`."""

    path: str
    key: str
    value: str
    of: str = ""
    """`block` or `allow`, of a subscribed list."""

    async def row(self, api: Api) -> Row | None:
        """It as the Pi-hole has it, what a person wrote to it included; None when it is not there."""
        return (await _listed(api, self.path, self.key, self.of)).get(self)

    async def add(self, api: Api, row: Row | None = None) -> None:
        """Put it there, as it was in `row`."""
        if self.key:
            await api.send("POST", self.path, json={self.key: self.value, **(row or {})}, params=self._params())
        else:
            await api.send("PUT", f"{self.path}/{{}}", self.value)

    async def remove(self, api: Api) -> None:
        """Take it away."""
        await api.send("DELETE", f"{self.path}/{{}}", self.value, params=self._params())

    def _params(self) -> dict[str, str | int | bool | None]:
        return {"type": self.of or None}


async def _itself(holes: Any, text: str) -> list[Target]:
    return [Target(text, text)]


Named = Annotated[Domain, Resolve(_itself)]
"""A domain that a call is about: any may be, whether a Pi-hole has seen it or not."""


def rule(type_: str, domain: str, wildcard: bool) -> Entry:
    """A domain that is always allowed or always blocked, with `wildcard` every name below it, too."""
    value = rf"(\.|^){re.escape(domain)}$" if wildcard else domain
    return Entry(path=f"/domains/{type_}/{'regex' if wildcard else 'exact'}", key="domain", value=value)


def subscribed(address: str) -> Entry:
    """A list of domains to block."""
    return Entry(path="/lists", key="address", value=address, of="block")


def local(address: str, name: str) -> Entry:
    """A name that the Pi-hole answers for itself."""
    return Entry(path="/config/dns/hosts", key="", value=f"{address} {name}")


async def entries(api: Api) -> dict[Entry, Row]:
    """Everything that a Pi-hole keeps on lists."""
    kinds = [(f"/domains/{type_}/{kind}", "domain", "") for type_ in ("allow", "deny") for kind in ("exact", "regex")]
    kinds += [("/lists", "address", "block"), ("/lists", "address", "allow"), ("/config/dns/hosts", "", "")]
    found: dict[Entry, Row] = {}
    for path, key, of in kinds:
        found |= await _listed(api, path, key, of)
    return found


async def _listed(api: Api, path: str, key: str, of: str) -> dict[Entry, Row]:
    if not key:
        return {Entry(path=path, key="", value=line): {} for line in (await api.read(LocalNames, path)).hosts}
    rows = await api.read(list[Row], path, at=(path.split("/")[1],), params={"type": of or None})
    kept = (key, "comment", "groups", "enabled")
    return {
        Entry(path=path, key=key, value=str(row[key]), of=of): {name: row[name] for name in kept if name in row}
        for row in rows
        if key in row
    }
