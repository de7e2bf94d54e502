"""How to bring the simulated homelab to where a tool makes sense: one entry for each tool.

A new tool fails the generated tests until the `STAGES` in its service's test file has an entry for it: the arguments of
a read, or the Stage of a change, which says:

* `args`: prepare the world and return the arguments;
* `moves`: for each shown fact, what somebody else does to the target so that this fact is different;
* `guards`: facts that are not shown, but which the tool itself refuses on;
* `fixed`: shown facts that nothing can move where this tool is staged.
"""

import importlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import pytest

from lab.services.docker.engine.host import Host
from lab.services.docker.engine.model import CacheRecord, Container, Manifest
from tests.fakes import use
from tests.place import Place
from tools.docker.models import KINDS
from tools.kit.registry import discover

Args = Mapping[str, Any] | Callable[[Place], Awaitable[dict[str, Any]]]
Move = Callable[[Place], Any]


@dataclass(frozen=True)
class Stage:
    """Where a change makes sense, and what can happen to its target meanwhile."""

    args: Args
    moves: dict[str, Move] = field(default_factory=dict)
    guards: frozenset[str] = frozenset()
    fixed: frozenset[str] = frozenset()


async def set_up(place: Place, args: Args) -> dict[str, Any]:
    """Prepare the world; the arguments. Requests made for it do not count."""
    found = await args(place) if callable(args) else dict(args)
    place.begin()
    return found


@cache
def staged() -> dict[str, Stage | Args]:
    """Every stage by its tool's name: those below, and the STAGES of each service's test file."""
    found: dict[str, Stage | Args] = {**CHANGES, **READS}
    for service in discover():
        found |= getattr(importlib.import_module(f"tests.tools.test_{service.name}"), "STAGES", {})
    return found


def stage_of(tool: str) -> Stage:
    """The stage of a change; a tool without one fails the test that asks."""
    stage = staged().get(tool)
    if not isinstance(stage, Stage):
        pytest.fail(
            f'There is no stage for {tool}: add `"{tool}": Stage(args, moves={{shown fact: move}})` to STAGES in the'
            " test file of its service."
        )
    return stage


def read_args(tool: str, schema: Mapping[str, Any]) -> Args:
    """The arguments of a read; none are needed for one without required parameters."""
    args = staged().get(tool, {})
    if isinstance(args, Stage) or (not args and schema.get("required")):
        pytest.fail(f'There are no arguments for {tool}: add `"{tool}": {{…}}` to STAGES in its service\'s test file.')
    return args


# -- Docker -----------------------------------------------------------------------------------------------------------


def nas(place: Place) -> Host:
    return place.lab.world.hosts["nas"]


def jellyfin(place: Place) -> Container:
    return nas(place).get("jellyfin")


def paused(place: Place) -> Any:
    jellyfin(place).status = "paused"


def never_started(place: Place) -> Any:
    jellyfin(place).status = "created"


def checked_otherwise(place: Place) -> Any:
    """A container with a health check loses it, one without gets one."""
    config = jellyfin(place).config
    if not config.pop("Healthcheck", None):
        config["Healthcheck"] = {"Test": ["CMD", "true"]}


def restarted(place: Place) -> Any:
    jellyfin(place).started_at -= 3600


def ended_earlier(place: Place) -> Any:
    jellyfin(place).finished_at -= 3600


def retagged(place: Place) -> Any:
    jellyfin(place).config["Image"] = "jellyfin/jellyfin:10.8.13"


def without_its_carrier(place: Place) -> Any:
    """It shares the processes of a container that somebody has removed."""
    jellyfin(place).host_config["PidMode"] = f"container:{'ab' * 32}"


def mounted(name: str) -> Move:
    def move(place: Place) -> Any:
        nas(place).volumes.create(name)
        mount = {**jellyfin(place).mounts[0], "Type": "volume", "Name": name, "Destination": f"/x/{name}"}
        jellyfin(place).mounts.append(mount)

    return move


async def stopped_jellyfin(place: Place) -> dict[str, Any]:
    nas(place).stop("jellyfin")
    return {"container": "nas/jellyfin"}


async def outdated_image(place: Place) -> dict[str, Any]:
    at = place.lab.world.story.update
    return {"image": place.lab.world.hosts[at.host].get(at.name).config["Image"], "host": at.host}


def jellyfins_tag_moved(place: Place) -> Any:
    """Its registry has a newer image, and a newer one still with each call."""
    world, tag = place.lab.world, "jellyfin/jellyfin:10.9.11"
    world._outdate(tag)


async def outdated_jellyfin(place: Place) -> dict[str, Any]:
    jellyfins_tag_moved(place)
    return JELLYFIN


def another_digest_here(place: Place) -> Any:
    image = nas(place).images.all[jellyfin(place).image_id]
    image.digests = [f"jellyfin/jellyfin@{place.lab.world.digest()}"]


def an_update_begun(place: Place) -> Any:
    old = jellyfin(place)
    nas(place).create({"Image": old.config["Image"]}, f"jellyfin.next-{old.id[:12]}")


async def updated_jellyfin(place: Place) -> dict[str, Any]:
    await place.ask(use("docker_update_container", **await outdated_jellyfin(place)))
    await place.approve()
    return JELLYFIN


async def alpine(place: Place) -> dict[str, Any]:
    return {"image": "alpine:3.19", "host": "nas"}


async def removed_container(place: Place) -> dict[str, Any]:
    await place.ask(use("docker_remove_container", container="nas/jellyfin"))
    await place.approve()
    return {"net": (await place.call()).net}


def named_again(place: Place) -> Any:
    nas(place).create({"Image": nas(place).get("sonarr").config["Image"]}, "jellyfin")


def without_its_image(place: Place) -> Any:
    images = nas(place).images.all
    for image in [image for image in images.values() if "jellyfin/jellyfin:10.9.11" in image.tags]:
        del images[image.id]


def newer_offer(place: Place) -> Any:
    """The registry has a newer image still."""
    registry, tag = place.lab.world.registry, _outdated(place)
    registry[tag] = Manifest(place.lab.world.digest(), registry[tag].image)


def pulled(place: Place) -> Any:
    """The local image is another one, and still not what the registry offers."""
    at, tag = place.lab.world.story.update, _outdated(place)
    image = place.lab.world.hosts[at.host].images.get(tag)
    image.digests = [f"{digest.partition('@')[0]}@{place.lab.world.digest()}" for digest in image.digests]


def _outdated(place: Place) -> str:
    at = place.lab.world.story.update
    return str(place.lab.world.hosts[at.host].get(at.name).config["Image"])


def image_untagged(place: Place) -> Any:
    nas(place).images.all.pop(nas(place).images.get("alpine:3.19").id)


def image_tagged(place: Place) -> Any:
    nas(place).images.tag("alpine:3.19", "mine/alpine:1")


def image_grown(place: Place) -> Any:
    nas(place).images.get("alpine:3.19").size += 5_000_000


def image_rebuilt(place: Place) -> Any:
    """Another image under the same tag."""
    images = nas(place).images
    old = images.all.pop(images.get("alpine:3.19").id)
    new = replace(old, id="sha256:" + "b" * 64)
    images.all[new.id] = new


def image_used(place: Place) -> Any:
    nas(place).create({"Image": "alpine:3.19", "Cmd": ["sleep", "1"]}, "sleeper")


def one_more_ended(place: Place) -> Any:
    container = nas(place).get("sonarr")
    container.end(1e9, 0)


def one_more_dangling(place: Place) -> Any:
    nas(place).images.get("alpine:3.19").tags.clear()


def one_more_unused(place: Place) -> Any:
    for image in nas(place).images.all.values():
        if not image.tags:
            image.tags.append("left/over:1")


def one_more_network(place: Place) -> Any:
    nas(place).networks.create({"Name": "left-over"}).created = 0.0


def one_more_volume(place: Place) -> Any:
    volume = nas(place).volumes.create("left-over")
    volume.created, volume.size = 1e9, 9_000_000


def more_cache(place: Place) -> Any:
    world = place.lab.world
    nas(place).images.cache.append(CacheRecord(world.hex_id()[:25], "step", 70_000_000, 1e9, False))


def a_size_lost(place: Place) -> Any:
    """An engine that cannot measure says -1."""
    nas(place).get("immich-import").size_rw = -1


JELLYFIN = {"container": "nas/jellyfin"}
RUNNING: dict[str, Move] = {
    "state": paused, "health": checked_otherwise, "since": restarted, "image": retagged, "lacks": without_its_carrier,
}  # fmt: skip
ENDED: dict[str, Move] = {
    "state": never_started, "since": ended_earlier, "image": retagged, "lacks": without_its_carrier,
}  # fmt: skip
VOLUMES: dict[str, Move] = {"named_volumes": mounted("more"), "unnamed_volumes": mounted("ab" * 32)}
RUBBISH: dict[str, Move] = {
    "frees_mb": more_cache,
    "frees_at_least_mb": a_size_lost,
    "dangling_images": one_more_dangling,
    "unused_images": one_more_unused,
    "stopped_containers": one_more_ended,
    "unused_networks": one_more_network,
    "unused_volumes": one_more_volume,
    "build_cache_mb": more_cache,
    "version": one_more_ended,
}

# -- memory -----------------------------------------------------------------------------------------------------------

FACT, OTHER = "The NAS is backed up on Sundays.", "The router is restarted on Mondays."


async def remembered(place: Place) -> dict[str, Any]:
    await place.stores.knowledge.add(OTHER, "tg:1", tainted=False)
    memory = await place.stores.knowledge.add(FACT, "tg:1", tainted=False)
    return {"id": memory.id}


async def to_correct(place: Place) -> dict[str, Any]:
    return {**await remembered(place), "text": "The NAS is backed up on Saturdays."}


async def several(place: Place) -> dict[str, Any]:
    await remembered(place)
    return {}


async def forgotten(place: Place) -> dict[str, Any]:
    await place.ask(use("memory_delete_memory", **await remembered(place)))
    await place.approve()
    return {"net": (await place.call()).net}


async def said_otherwise(place: Place) -> Any:
    await place.stores.knowledge.update(2, "The NAS is backed up on Fridays.", "tg:2", tainted=False)


async def deleted(place: Place) -> Any:
    await place.stores.knowledge.delete([2], "tg:2")


async def one_more(place: Place) -> Any:
    await place.stores.knowledge.add("The printer is out of ink.", "tg:2", tainted=False)


async def same_text(place: Place) -> Any:
    await place.stores.knowledge.add(FACT, "tg:2", tainted=False)


async def same_number(place: Place) -> Any:
    await place.stores.knowledge.add("The printer is out of ink.", "tg:2", tainted=False, id=2)


ABOUT_ONE = ("number", "text", "version")
COUNT = frozenset({"memories"})
"""The same facts serve one memory and all of them."""
ONE: dict[str, Move] = {"number": deleted, "text": said_otherwise, "version": said_otherwise}

# -- the tables -------------------------------------------------------------------------------------------------------

CHANGES: dict[str, Stage] = {
    "docker_start_container": Stage(stopped_jellyfin, ENDED, fixed=frozenset({"health"})),
    "docker_stop_container": Stage(JELLYFIN, RUNNING),
    "docker_restart_container": Stage(JELLYFIN, RUNNING),
    "docker_restart_project": Stage({"project": "nas/media"}, {"states": paused}),
    "docker_pull_image": Stage(outdated_image, {"local": pulled, "registry": newer_offer}),
    "docker_recreate_container": Stage(removed_container, {"state": named_again, "image_present": without_its_image}),
    "docker_remove_container": Stage(JELLYFIN, RUNNING | VOLUMES),
    "docker_update_container": Stage(
        outdated_jellyfin,
        RUNNING | VOLUMES | {"here": another_digest_here, "offered": jellyfins_tag_moved, "begun": an_update_begun},
    ),
    "docker_roll_back_update": Stage(
        updated_jellyfin, {"state": paused, "since": restarted}, fixed=frozenset({"begun"})
    ),
    "docker_remove_image": Stage(
        alpine,
        {
            "state": image_untagged,
            "tags": image_tagged,
            "size_mb": image_grown,
            "used_by": image_used,
            "id": image_rebuilt,
        },
        guards=frozenset({"forbidden"}),
    ),
    "docker_prune_system": Stage(
        {"host": "nas", "kinds": [kind for kind in KINDS if kind != "unused_volumes"], "volumes": True},
        RUBBISH,
        fixed=frozenset({"freed_mb", "freed_at_least_mb"}),
    ),
    "memory_add_memory": Stage({"text": FACT}, dict.fromkeys(ABOUT_ONE, same_text), fixed=COUNT),
    "memory_update_memory": Stage(to_correct, ONE, fixed=COUNT),
    "memory_delete_memory": Stage(remembered, ONE, fixed=COUNT),
    "memory_delete_all_memories": Stage(
        several, {"memories": one_more, "version": said_otherwise}, fixed=frozenset({"number", "text"})
    ),
    "memory_restore_memories": Stage(forgotten, dict.fromkeys(ABOUT_ONE, same_number), fixed=COUNT),
}

READS: dict[str, Args] = {
    "docker_get_container_details": JELLYFIN,
    "docker_find_oom": JELLYFIN,
    "docker_get_container_changes": JELLYFIN,
    "docker_get_container_logs": JELLYFIN,
    "docker_get_container_stats": JELLYFIN,
    "memory_search_memories": {"query": "backup"},
    "memory_get_memory_history": remembered,
}
