"""Updating a container: everything stays but the image, and at every step there is a way back."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from lab.services.docker.engine.model import Fault, Trait
from tests.tools import recreated
from tests.tools.conftest import Rack
from tests.tools.test_docker_recreate import build, inspect
from tools.docker import replace
from tools.docker.replace import Pair, for_image
from tools.kit import Conflict, OutcomeUnknown, Refused

FALLS = Trait(fault=Fault("broken", 1, (b"no",), runtime=0.01))


async def update(rack: Rack, name: str = "jellyfin", **more: Any) -> Any:
    return await rack.read("update_container", container=await rack.id(name), **more)


async def outdated(rack: Rack, name: str = "jellyfin") -> Any:
    """Its tag means another image by now."""
    host, container = rack.at(f"nas/{name}")
    rack.world._outdate(container.config["Image"])
    return host


def names(host: Any, *, alive: bool = False) -> list[str]:
    found = [c for c in host.containers() if c.name.startswith("jellyfin") and (c.alive or not alive)]
    return sorted(c.name.partition("-")[0] for c in found)


async def test_everything_stays_but_the_image(rack: Rack) -> None:
    host = await outdated(rack)
    old = host.get("jellyfin")
    old.config["Env"].append("MINE=1")
    before = await inspect(rack, "jellyfin")
    change = await update(rack)
    assert any("compose" in note for note in change.notes) and change.partial
    outcome = await rack.carry_out(change)
    assert outcome.error is None and outcome.verified
    assert len(rack.steps) == 8 and rack.steps[0].startswith("Pulling")
    after = await inspect(rack, "jellyfin")
    assert after["Id"] != before["Id"] and after["Image"] != before["Image"]
    found = recreated.differences(before, after)
    places = {line.partition(":")[0] for line in found}
    assigned = {f"Networks.media_default.{each}" for each in ("IPAddress", "MacAddress")}
    assert places - assigned == {"Image", "Config.Env", "Config.Labels.org.opencontainers.image.created"}, found
    assert {*after["Config"]["Env"]} == {*before["Config"]["Env"]}
    assert names(host) == ["jellyfin", "jellyfin.before"] and names(host, alive=True) == ["jellyfin"]
    assert old.host_config["RestartPolicy"]["Name"] == "no", "the engine does not start it at the next boot"
    undone = await rack.undo(outcome)
    assert undone.error is None and undone.verified
    assert host.get("jellyfin").id == old.id and names(host) == ["jellyfin"] and old.alive
    assert old.host_config["RestartPolicy"]["Name"] == "unless-stopped"
    assert host.images.get(old.config["Image"]).id == old.image_id, "its tag is its own again"


@pytest.mark.parametrize("case", recreated.CASES)
async def test_whatever_it_was_made_with(rack: Rack, case: str) -> None:
    host = build(rack, case)
    host.start("precious")
    rack.world._outdate("redis:7.4-alpine")
    before = await inspect(rack)
    outcome = await rack.carry_out(await update(rack, "precious"))
    assert outcome.error is None and outcome.verified
    after = await inspect(rack)
    moving = ["Image", *(["Networks.one.IPAddress", "Networks.one.MacAddress"] if case != "everything" else [])]
    found = [line for line in recreated.differences(before, after) if line.partition(":")[0] not in moving]
    assert [line for line in found if "opencontainers" not in line] == []


def test_what_the_old_image_has_brought_is_left_to_the_new_one() -> None:
    image = {"Cmd": ["serve"], "Entrypoint": ["/init"], "Env": ["PATH=/bin", "VERSION=1"], "Labels": {"v": "1"},
             "User": "app", "Volumes": {"/data": {}}}  # fmt: skip
    own = {**image, "Env": ["VERSION=1", "MINE=1", "PATH=/bin"], "Labels": {"v": "1", "mine": "1"}, "User": "root"}
    body = for_image({"body": own}, "a:2", image)["body"]
    assert body == {
        "Image": "a:2", "Env": ["MINE=1"], "Labels": {"mine": "1"}, "User": "root", "Volumes": {}, "ExposedPorts": {}
    }  # fmt: skip
    other = for_image({"body": {**image, "Entrypoint": ["/mine"]}}, "a:2", image)["body"]
    assert (other["Entrypoint"], other["Cmd"]) == (["/mine"], ["serve"]), "it was meant for that entry point"
    cleared = for_image({"body": {**image, "Entrypoint": [""]}}, "a:2", image)["body"]
    assert cleared["Entrypoint"] == [""]


async def test_an_unhealthy_one_is_rolled_back_by_itself(rack: Rack, monkeypatch: pytest.MonkeyPatch) -> None:
    host = await outdated(rack)
    old = host.get("jellyfin")
    host.traits[f"jellyfin.next-{old.id[:12]}"] = FALLS
    outcome = await rack.carry_out(await update(rack), within=0.1)
    assert isinstance(outcome.error, Refused) and "Rolled back" in str(outcome.error) and not outcome.verified
    assert host.get("jellyfin").id == old.id and old.alive and names(host) == ["jellyfin"]
    assert old.host_config["RestartPolicy"]["Name"] == "unless-stopped"
    monkeypatch.setattr(replace, "HEALTH_SECONDS", 0.1)
    rack.world.health_after = 100.0
    outcome = await rack.carry_out(await update(rack), within=0.1)
    assert "not healthy after" in str(outcome.error) and host.get("jellyfin").id == old.id


async def test_what_cannot_be_made_leaves_the_old_one_alone(rack: Rack) -> None:
    host = await outdated(rack)
    for path in ("containers/create", "images/create"):
        rack.traffic.fault("docker", path=path, status=500, body='{"message": "no"}', method="POST")
        outcome = await rack.carry_out(await update(rack), within=0.1)
        assert outcome.error is not None and names(host, alive=True) == ["jellyfin"] == names(host)
    rack.traffic.fault("docker", path="/connect", drop=True, method="POST")
    host.networks.connect("cloud_default", host.get("jellyfin"), {})
    outcome = await rack.carry_out(await update(rack), within=0.1)
    assert isinstance(outcome.error, Refused) and names(host) == ["jellyfin"]


@pytest.mark.parametrize("then", ["finish", "roll back"])
@pytest.mark.parametrize("at", range(1, 9))
async def test_killed_at_any_step_it_can_be_finished_or_rolled_back(rack: Rack, at: int, then: str) -> None:
    host = await outdated(rack)
    old, target = host.get("jellyfin"), await rack.id("jellyfin")
    steps: AsyncIterator[str] = (await update(rack)).do(rack.writer)
    for _ in range(at):  # the process dies when this step has been kept, and has not begun
        await anext(steps)
    assert len(names(host, alive=True)) <= 1, "the two never run at the same time"
    if (await Pair.of(rack.reader["nas"], "jellyfin", old.id)).new is None and then == "roll back":
        assert names(host, alive=True) == ["jellyfin"], "nothing has been changed"
        return
    change = await rack.read("update_container" if then == "finish" else "roll_back_update", container=target)
    if not change.fits(change.facts, change.facts):
        outcome = await rack.carry_out(change)
        assert outcome.error is None and outcome.verified
    assert names(host, alive=True) == ["jellyfin"]
    assert (host.get("jellyfin").id == old.id) == (then == "roll back")
    assert names(host) == ["jellyfin", "jellyfin.before"][: 1 if then == "roll back" else 2]
    assert host.get("jellyfin").host_config["RestartPolicy"]["Name"] == "unless-stopped"


async def test_a_rollback_that_fails_is_unknown(rack: Rack) -> None:
    host = await outdated(rack)
    host.traits[f"jellyfin.next-{host.get('jellyfin').id[:12]}"] = FALLS
    rack.traffic.fault("docker", path="/containers/", method="DELETE", drop_after=True)
    outcome = await rack.carry_out(await update(rack), within=0.1)
    assert isinstance(outcome.error, OutcomeUnknown) and "could not be rolled back" in str(outcome.error)


async def test_to_another_tag_the_card_names_what_compose_says(rack: Rack) -> None:
    host, _ = rack.at("nas/jellyfin")
    change = await update(rack, tag="10.10.7")
    assert change.title == "Update jellyfin to 10.10.7"
    assert any("still says jellyfin/jellyfin:10.9.11" in note for note in change.notes)
    outcome = await rack.carry_out(change)
    assert outcome.verified and host.get("jellyfin").config["Image"] == "jellyfin/jellyfin:10.10.7"
    assert host.get("jellyfin").config["Labels"]["org.opencontainers.image.version"] == "10.10.7"


async def test_what_is_no_update_is_refused_before_anybody_is_asked(rack: Rack) -> None:
    host, container = rack.at("nas/sonarr")
    with pytest.raises(Conflict, match="newest image of its tag already"):
        await update(rack, "sonarr")
    await outdated(rack, "sonarr")
    container.host_config["AutoRemove"] = True
    with pytest.raises(Conflict, match="removes itself"):
        await update(rack, "sonarr")
    container.host_config["AutoRemove"] = False
    host.create({"Image": container.config["Image"], "HostConfig": {"NetworkMode": f"container:{container.id}"}}, "vpn")
    host.start("vpn")
    with pytest.raises(Conflict, match="vpn lives on its network"):
        await update(rack, "sonarr")
    host.stop("sonarr")
    with pytest.raises(Conflict, match="does not run"):
        await update(rack, "sonarr")
    with pytest.raises(Conflict, match="nothing can be taken back|No update"):
        await rack.read("roll_back_update", container=await rack.id("redis"))
    container.config["Image"] = container.image_id
    with pytest.raises(Conflict, match="from one image"):
        await update(rack, "sonarr")


async def test_another_offer_than_the_card_said_changes_nothing(rack: Rack) -> None:
    host = await outdated(rack)
    change = await update(rack)
    await outdated(rack)
    outcome = await rack.carry_out(change, within=0.1)
    assert isinstance(outcome.error, Conflict) and names(host) == ["jellyfin"]
