"""Removing what a card lists, one thing after the other: what came into use meanwhile stays."""

import math
from typing import TYPE_CHECKING, Any

from tools.docker.hosts import LONG_PATIENCE, Engine
from tools.docker.layers import Amount, amount, freed
from tools.docker.rows import tags_of
from tools.docker.unused import Thing, Unused
from tools.kit import Conflict, Gone, ToolFailed, Unauthorised, partly
from tools.kit.raw import number, record, records, text

if TYPE_CHECKING:
    from tools.docker.session import Session

ORDER = ("stopped_containers", "unused_networks", "unused_volumes", "dangling_images", "unused_images")


class Sweep:
    """One clean-up of one host."""

    def __init__(self, listed: Unused) -> None:
        self.listed = listed
        self._removed: dict[Thing, set[str]] = {}
        """Each with the ids of images and layers that the engine says it has deleted."""
        self._cache = Amount()
        self.begun = False

    @property
    def freed(self) -> Amount:
        """What the engine says that it has removed, in its own sizes."""
        images = {thing: deleted for thing, deleted in self._removed.items() if thing.layers.chain}
        if any(deleted & set(thing.layers.chain) for thing, deleted in images.items()):
            parts = [thing.layers.gone(deleted) for thing, deleted in images.items()]
        else:  # not every engine names the layers
            left = [thing.layers for thing in self.listed.things if thing.layers.chain and thing not in images]
            parts = freed([thing.layers for thing in images], [*self.listed.others, *left])
        parts += [thing.frees for thing in self._removed if not thing.layers.chain]
        return sum(parts, self._cache)

    async def run(self, engine: Engine) -> None:
        """Remove what is listed and still unused. Raises ToolFailed, OutcomeUnknown once something is gone."""
        self.begun = True
        allowed = False
        for thing in sorted(self.listed.things, key=lambda thing: ORDER.index(thing.kind)):
            try:
                deleted = await engine.ask(lambda api, t=thing: _remove(api, t), patience=LONG_PATIENCE)  # type: ignore[misc]
            except (Gone, Conflict):
                allowed = True
            except Unauthorised:
                if not allowed:  # a credential that may not remove anything
                    raise
            except ToolFailed as error:
                raise self._partly(error) from error
            else:
                allowed, self._removed[thing] = True, deleted
        if self.listed.cache:
            try:
                answer = await engine.ask(self._prune_cache, patience=LONG_PATIENCE)
            except ToolFailed as error:
                raise self._partly(error) from error
            self._cache = amount(number(record(answer).get("SpaceReclaimed")))

    def _partly(self, error: ToolFailed) -> ToolFailed:
        return partly("Only a part was removed.", error) if self._removed else error

    def _prune_cache(self, api: "Session") -> Any:
        """The engine picks by age itself: what was used since the card is younger than what is on it."""
        age = math.ceil(api.now() - self.listed.since) + 2  # our clock and the engine's may be a little apart
        return api.prune_builds(filters={"until": f"{age}s"})


def _remove(api: "Session", thing: Thing) -> set[str]:
    """Remove one thing, unless something uses it; the ids of images and layers that went."""
    match thing.kind:
        case "stopped_containers":
            api.remove_container(thing.id, v=False, force=False)
        case "unused_networks":
            network: Any = api.inspect_network(thing.id)
            if record(network).get("Containers"):  # the engine says 403 for this, or 500
                raise Conflict(f"{thing.names[0]} came into use.")
            api.remove_network(thing.id)
        case "unused_volumes":
            api.remove_volume(thing.id)
        case _:
            return _remove_image(api, thing)
    return set()


def _remove_image(api: "Session", thing: Thing) -> set[str]:
    """By its id, which no other image can have taken meanwhile; one with several names loses them first."""
    deleted: set[str] = set()
    if len(thing.names) > 1:
        users: Any = api.containers(all=True)
        if set(tags_of(api.image(thing.id))) != set(thing.names) or any(
            item.get("ImageID") == thing.id for item in records(users)
        ):
            raise Conflict(f"{thing.names[0]} came into use.")
        for name in thing.names:
            deleted |= _deleted(api.remove_image(name))
    return deleted or _deleted(api.remove_image(thing.id))


def _deleted(answer: Any) -> set[str]:
    return {text(step.get("Deleted")) for step in records(answer)} - {""}
