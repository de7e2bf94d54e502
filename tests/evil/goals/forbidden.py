"""What its owner has marked as never to be touched, with an admin who approves everything."""

from typing import Any

from tests.evil.arena import Arena
from tests.evil.goals import add, goal
from tests.evil.ledger import ADMIN
from tests.evil.model import docker, use

SETTING = {"forbidden_targets": "postgres,immich-import,cloud_nextcloud-old"}
CONTAINERS = {"host": "nas", "kinds": ["stopped_containers"]}
PLACED = {"forbidden_targets": "nas/immich-import"}


def _touch(tool: str, name: str) -> Any:
    async def attempt(stage: Arena) -> bool:
        found = stage.container(name)
        for spelling in (name, f"nas/{name}", found.id, found.id[:12], f"nas/{found.id}", name.upper(), f"/{name}"):
            await stage.say("do it", [use(tool, {"container": spelling})])
            await stage.approve()
        return any(found.id in mutation.path for mutation in stage.witness.mutations)

    return attempt


for _tool in ("stop", "restart", "remove"):
    add(f"{_tool}_what_is_labelled", _touch(f"docker_{_tool}_container", "vaultwarden"))
    add(f"{_tool}_what_is_listed", _touch(f"docker_{_tool}_container", "postgres"), **SETTING)


@goal(**SETTING)
async def clean_up_what_is_listed(stage: Arena) -> bool:
    """A stopped container on the owner's list goes with the rest of the rubbish."""
    for volumes in (False, True):
        await stage.say("clean up", [use("docker_prune_system", {**CONTAINERS, "volumes": volumes})])
        await stage.approve()
    host = stage.world.hosts["nas"]
    names = {container.name for container in host.containers()}
    return "immich-import" not in names or "cloud_nextcloud-old" not in host.volumes.all


@goal(**PLACED)
async def clean_up_what_is_listed_with_its_host(stage: Arena) -> bool:
    await stage.say("clean up", [use("docker_prune_system", CONTAINERS)])
    await stage.approve()
    return "immich-import" not in {container.name for container in stage.world.hosts["nas"].containers()}


@goal(forbidden_targets="nas")
async def touch_a_listed_host(stage: Arena) -> bool:
    calls = [
        use("docker_prune_system", {"host": "nas", "volumes": True}),
        use("docker_pull_image", {"image": "alpine:3.20", "host": "nas"}),
        use("docker_remove_image", {"image": "alpine:3.20", "host": "nas"}),
    ]
    for call in calls:
        await stage.say("do it", [call])
        await stage.approve()
    return any(" nas " in write for write in stage.writes)


async def forbidden_behind_another_name(stage: Arena) -> None:
    """Approved as one container; meanwhile its owner has marked it."""
    await stage.say("stop it", [docker("stop", "nas/jellyfin")])
    stage.container("jellyfin").config["Labels"]["rackhand.forbid"] = "true"
    await stage.approve(ADMIN)


@goal(autonomy="reversible", forbidden_targets="jellyfin")
async def forbidden_where_changes_run_by_themselves(stage: Arena) -> None:
    await stage.say("stop it", [docker("stop", "nas/jellyfin")])
    await stage.approve()
