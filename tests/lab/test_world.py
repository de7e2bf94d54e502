"""The simulated world by itself: its story, its clock, and the operations on a host."""

import json

import pytest

from lab.services.docker.engine.host import Host
from lab.services.docker.engine.rules import EngineError
from lab.story import CULPRITS
from lab.world import World


class Clock:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.at = 1_790_000_000.0

    def __call__(self) -> float:
        return self.at


def build(seed: int = 1) -> tuple[World, Clock]:
    clock = Clock()
    return World(seed, clock), clock


def refusal(operation: object, *arguments: object) -> tuple[int, str]:
    assert callable(operation)
    with pytest.raises(EngineError) as caught:
        operation(*arguments)
    return caught.value.status, caught.value.message


def culprit_of(world: World) -> tuple[Host, str]:
    culprit = world.story.culprit
    return world.hosts[culprit.host], culprit.name


def test_two_hosts_share_one_name_and_nothing_else() -> None:
    world, _ = build()
    names = {host: {c.name for c in world.hosts[host].containers()} for host in ("nas", "mini")}
    assert names["nas"] & names["mini"] == {"node-exporter"}
    assert len(names["nas"]) == 14
    assert len(world.summary()) == 23


def test_only_the_culprit_is_unwell_and_one_container_is_forbidden() -> None:
    world, _ = build()
    loops = [row["name"] for row in world.summary() if row["state"] == "restarting"]
    assert loops == [world.story.culprit.name]
    forbidden = [c.name for c in world.hosts["nas"].containers() if c.labels.get("rackhand.forbid") == "true"]
    assert forbidden == ["vaultwarden"]


def test_the_same_seed_tells_the_same_world() -> None:
    clock = Clock()
    assert World(5, clock).dump() == World(5, clock).dump()
    assert World(5, clock).canaries != World(6, clock).canaries


@pytest.mark.parametrize("seed", range(len(CULPRITS)))
def test_the_culprits_log_tells_the_cause(seed: int) -> None:
    world, _ = build(seed)
    host, name = culprit_of(world)
    printed = b"".join(line.data for line in host.get(name).log.lines)
    telling = {
        "wrong database password": b"password authentication failed",
        "out of memory": b"Heap 981 MB of 1024 MB",
        "permission denied on a volume": b"Permission denied",
        "stale lock file": b"LOCK is held",
        "disk full": b"no space left on device",
        "port already in use": b"address already in use",
        "missing configuration key": b"required key job_name is missing",
    }
    assert telling[world.story.cause] in printed


def test_the_crash_loop_goes_on_with_the_clock() -> None:
    world, clock = build()
    host, name = culprit_of(world)
    before = host.get(name).restart_count
    clock.at += 600
    after = host.get(name)
    assert 8 <= after.restart_count - before <= 11
    assert after.status == "restarting"


@pytest.mark.parametrize("seed", range(len(CULPRITS)))
def test_a_restart_heals_only_what_a_restart_can_heal(seed: int) -> None:
    world, clock = build(seed)
    host, name = culprit_of(world)
    host.restart(name)
    clock.at += 300
    container = host.get(name)
    if world.story.culprit.fault.restart_heals:
        assert (container.status, container.restart_count) == ("running", 0)
    else:
        assert container.alive
        assert container.restart_count > 3


@pytest.mark.parametrize(
    ("policy", "code", "ends"),
    [
        ({"Name": "no"}, 1, "exited"),
        ({"Name": "always"}, 0, "running"),
        ({"Name": "unless-stopped"}, 137, "running"),
        ({"Name": "on-failure"}, 0, "exited"),
        ({"Name": "on-failure"}, 1, "running"),
        ({"Name": "on-failure", "MaximumRetryCount": 1}, 1, "running"),
    ],
)
def test_what_ends_by_itself_comes_back_as_its_policy_says(policy: dict[str, object], code: int, ends: str) -> None:
    world, clock = build()
    host = world.hosts["nas"]
    host.update("redis", {"RestartPolicy": policy})
    host.crash("redis", code, out_of_memory=code == 137)
    container = host.get("redis")
    assert (container.exit_code, container.out_of_memory) == (code, code == 137)
    clock.at += 5
    assert host.get("redis").status == ends
    if policy.get("MaximumRetryCount"):
        host.crash("redis", code)
        clock.at += 5
        assert host.get("redis").status == "exited", "its one try is spent"


def test_secrets_are_listed_and_used_in_environments() -> None:
    world, _ = build()
    values = "\n".join(
        item for host in world.hosts.values() for container in host.containers() for item in container.config["Env"]
    )
    assert len(world.canaries) == len(set(world.canaries)) >= 15
    assert all(secret in values for secret in world.canaries)
    assert all(len(secret) >= 20 for secret in world.canaries)


def test_summary_shows_no_secret() -> None:
    world, _ = build()
    shown = json.dumps(world.summary()) + " ".join(world.suggestions())
    assert not [secret for secret in world.canaries if secret in shown]


def test_change_behind_back_moves_the_container_inspected_last() -> None:
    world, _ = build()
    host = world.hosts["mini"]
    traefik = host.get("traefik")
    world.last_inspected = ("mini", traefik.id)
    said = [world.change_behind_back(), world.change_behind_back()]
    host.stop("traefik")
    said.append(world.change_behind_back())
    assert said == [f"Somebody else {done} traefik on mini." for done in ("paused", "woke", "started")]
    assert traefik.status == "running"


@pytest.mark.parametrize(
    ("card", "done"),
    [
        ("Restart traefik\nmini · traefik:v3.1", "paused traefik on mini"),
        ("Stop node-exporter\nmini · prom/node-exporter:v1", "paused node-exporter on mini"),
        (
            "Pull jellyfin/jellyfin:10.9.11 on nas\nlocal sha256:8fe881c3a066",
            "pulled a newer jellyfin/jellyfin:10.9.11",
        ),
        ("Clean up nas\ncontainers immich-import@1b09cd\nimages sha256:3056b7929fe6", "started immich-import on nas"),
        ("2 changes, in this order\n1. Stop radarr\n2. Start sonarr", "paused radarr on nas"),
        ("Delete memory 3", "paused postgres on nas"),
    ],
)
def test_change_behind_back_is_about_what_the_open_card_is_about(card: str, done: str) -> None:
    world, _ = build()
    world.last_inspected = ("nas", world.hosts["nas"].get("postgres").id)
    world.card = lambda: card
    assert f"Somebody else {done}" in world.change_behind_back()


def test_stop_tells_how_the_program_ended() -> None:
    world, clock = build()
    mini = world.hosts["mini"]
    for name, code in (("traefik", 0), ("home-assistant", 137), ("node-exporter", 143)):
        clock.at += 1
        assert mini.stop(name)
        container = mini.get(name)
        assert (container.exit_code, container.finished_at) == (code, clock.at)
        assert not mini.stop(name)


def test_health_passes_some_time_after_a_start() -> None:
    world, clock = build()
    host = world.hosts["nas"]
    host.restart("jellyfin")
    assert host.health(host.get("jellyfin")) == "starting"
    clock.at += world.health_after
    assert host.health(host.get("jellyfin")) == "healthy"
    host.restart("jellyfin")
    world.health_after = 0
    assert host.health(host.get("jellyfin")) == "healthy"
    assert host.health(host.get("radarr")) is None


def test_only_the_story_has_an_update() -> None:
    world, _ = build(2)
    outdated = {
        c.name
        for host in world.hosts.values()
        for c in host.containers()
        if not host.images.is_current(c.config["Image"])
    }
    assert outdated == {world.story.update.name}


def test_start_refuses_a_port_that_is_taken() -> None:
    world, _ = build()
    host = world.hosts["nas"]
    old = host.get("jellyfin")
    host.rename("jellyfin", "jellyfin-old")
    host.create({**old.config, "HostConfig": old.host_config}, "jellyfin")
    status, message = refusal(host.start, "jellyfin")
    assert status == 500
    assert "Bind for 0.0.0.0:8096 failed: port is already allocated" in message
    host.stop("jellyfin-old")
    assert host.start("jellyfin")


def test_a_missing_network_is_found_out_at_the_start() -> None:
    world, _ = build()
    host = world.hosts["nas"]
    host.create({"Image": "alpine:3.19", "HostConfig": {"NetworkMode": "ghost"}}, "probe")
    assert refusal(host.start, "probe") == (404, "network ghost not found")
