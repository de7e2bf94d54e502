"""Podman speaks Docker's API with words of its own; against the twin that speaks them too. Podman itself is tested in
`test_docker_engine.py`."""

from typing import Any

import pytest

from tests.tools import recreated
from tests.tools.conftest import Rack
from tests.tools.test_docker_recreate import build, inspect
from tools.docker.podman import LEFT_OUT, in_dockers_words, unsayable
from tools.docker.recreate import _create
from tools.kit import Conflict, OutcomeUnknown, Refused


@pytest.fixture
def podman(rack: Rack) -> Rack:
    """`nas` is Podman."""
    rack.world.hosts["nas"].podman = True
    return rack


async def raw(rack: Rack, name: str = "precious") -> Any:
    """An inspection as it comes over the wire."""
    engine = rack.reader["nas"]
    return await engine.ask(lambda api: api._asked("GET", f"/containers/{name}/json").json())


@pytest.mark.parametrize("case", recreated.CASES)
async def test_it_comes_back_as_it_was(podman: Rack, case: str) -> None:
    build(podman, case)
    before = await inspect(podman)
    assert "RLIMIT_NOFILE" in str(await raw(podman)) and "RLIMIT_" not in str(before)
    change = await podman.read("remove_container", container=await podman.id("nas/precious"))
    assert LEFT_OUT in change.notes
    removed = await podman.carry_out(change)
    assert removed.verified and removed.error is None
    again = await podman.undo(removed)
    assert again.error is None and again.verified
    assert recreated.differences(before, await inspect(podman)) == []


async def test_dockerds_own_words_are_not_touched(rack: Rack) -> None:
    build(rack, "everything")
    assert await inspect(rack) == await raw(rack)
    meant = {
        "HostConfig": {"MemorySwappiness": 0, "Devices": [{"CgroupPermissions": ""}]},
        "Config": {"StopTimeout": 0},
    }
    assert in_dockers_words(meant, podman=False) == meant


@pytest.mark.parametrize(
    ("word", "restarts", "state"),
    [("stopped", 0, "exited"), ("stopped", 23, "restarting"), ("exited", 23, "exited"), ("configured", 0, "created")],
)
def test_podmans_words_for_a_state(word: str, restarts: int, state: str) -> None:
    said = in_dockers_words({"State": {"Status": word}, "RestartCount": restarts}, podman=True)
    assert said["State"]["Status"] == state


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"Pod": "a" * 64}, "belongs to a pod"),
        ({"Secrets": [{"Name": "key"}]}, "secrets"),
        ({"HostConfig": {"UsernsMode": "private"}}, "user mapping"),
        ({"HostConfig": {"Ulimits": [{"Name": "as", "Soft": 1, "Hard": 1}]}}, "limits"),
        ({"Healthcheck": {"Test": ["CMD", "sh", "-c", "true || exit 1"]}}, "health check"),
    ],
)
async def test_what_cannot_be_said_back_has_no_undo(rack: Rack, more: dict[str, Any], why: str) -> None:
    host, redis = rack.at("nas/redis")
    host.create({"Image": redis.config["Image"], **more}, "precious")
    host.podman = True
    change = await rack.read("remove_container", container=await rack.id("precious"))
    assert change.net is None and change.way_back("") is None and LEFT_OUT not in change.notes
    assert any(note.startswith("No undo: ") and why in note for note in change.notes)
    assert (await rack.carry_out(change)).verified, "it can be removed all the same"


def test_a_health_check_that_survives_is_no_obstacle() -> None:
    for test in (["CMD", "true"], ["CMD-SHELL", "true || exit 1"], ["NONE"], []):
        assert unsayable({"Config": {"Image": "a", "Healthcheck": {"Test": test}}}, {}) == ""


async def test_podman_that_tells_too_little_has_no_undo(podman: Rack) -> None:
    podman.traffic.fault("docker:nas", path="/libpod/", status=403, times=None)
    change = await podman.read("remove_container", container=await podman.id("gitea"))
    assert change.net is None and any("does not tell enough" in note for note in change.notes)


async def test_a_refusal_to_make_it_again_is_no_unknown_outcome(podman: Rack) -> None:
    """Podman has HTTP 500 for all of them; the way back must stay open."""
    removed = await podman.carry_out(await podman.read("remove_container", container=await podman.id("gitea")))
    podman.traffic.fault("docker:nas", path="/create$", status=500, body='{"message": "no such plugin"}', times=None)
    again = await podman.undo(removed, within=0.1)
    assert type(again.error) is Refused and "no such plugin" in str(again.error) and again.error.outside
    podman.traffic.clear()
    podman.traffic.fault("docker:nas", path="/create$", status=502)
    assert type((await podman.undo(removed, within=0.1)).error) is OutcomeUnknown, "a gateway knows nothing of it"
    podman.traffic.clear()
    podman.traffic.fault("docker:nas", path="/create$", status=500)
    podman.traffic.fault("docker:nas", path="/containers/json", status=403, times=None)
    kept = removed.change.net
    with pytest.raises(OutcomeUnknown):  # nobody can look
        await _create(podman.writer["nas"], kept["body"], "gitea")
    podman.traffic.clear()
    assert (await podman.undo(removed)).verified


@pytest.mark.parametrize("tool", ["stop", "restart", "remove"])
async def test_a_paused_one_goes_on_before_podman_ends_it(podman: Rack, tool: str) -> None:
    podman.at("nas/redis")[0].pause("redis")
    outcome = await podman.carry_out(await podman.read(f"{tool}_container", container=await podman.id("nas/redis")))
    assert outcome.error is None and outcome.verified
    assert any(write.endswith("/unpause") for write in podman.writes())


async def test_one_that_was_woken_and_no_more_is_an_unknown_outcome(podman: Rack) -> None:
    podman.at("nas/redis")[0].pause("redis")
    change = await podman.read("stop_container", container=await podman.id("nas/redis"))
    podman.traffic.fault("docker:nas", method="POST", path="/stop$", status=409)
    outcome = await podman.carry_out(change, within=0.1)
    assert isinstance(outcome.error, OutcomeUnknown) and "woken" in str(outcome.error)


async def test_what_podman_would_only_stop_is_not_removed(podman: Rack) -> None:
    _, gitea = podman.at("nas/gitea")
    podman.at("nas/sonarr")[1].host_config["PidMode"] = f"container:{gitea.id}"
    with pytest.raises(Conflict, match="only after sonarr"):
        await podman.read("remove_container", container=await podman.id("gitea"))


async def test_who_shares_a_network_is_found_though_the_list_does_not_say(podman: Rack) -> None:
    _, gitea = podman.at("nas/gitea")
    podman.at("nas/sonarr")[1].host_config["NetworkMode"] = f"container:{gitea.id}"
    change = await podman.read("stop_container", container=await podman.id("gitea"))
    assert any(note.startswith("Needed by") and "sonarr" in note for note in change.notes)


async def test_nobody_having_said_how_long_is_not_at_once(podman: Rack) -> None:
    change = await podman.read("stop_container", container=await podman.id("nas/redis"))
    assert (await raw(podman, "redis"))["Config"]["StopTimeout"] == 0 and change.facts.grace == 10


async def test_a_digest_proves_nothing_about_a_registry(podman: Rack) -> None:
    change = await podman.read("remove_image", image="alpine:3.19", host="nas")
    assert change.way_back("") is None and any(note.startswith("No undo") for note in change.notes)
