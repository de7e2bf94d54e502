"""What has happened, why something was killed, what was written; and compose projects."""

import pytest

from tests.tools.bench import Bench
from tests.tools.conftest import Rack


async def test_events_of_a_span_that_has_ended(rack: Rack) -> None:
    host, _ = rack.at("nas/jellyfin")
    host.restart("jellyfin")
    host.crash("sonarr", 3)
    found = await rack.read("get_events", host="nas")
    actions = [each.action for each in found.events if each.name == "jellyfin"]
    assert actions[:2] == ["restart", "start"] and actions[-1] == "kill", "the newest first"
    assert [each.exit_code for each in found.events if each.name == "sonarr"] == [3]
    assert (await rack.read("get_events", host="mini", minutes=1)).events == []


@pytest.mark.parametrize(
    ("name", "limit", "code", "oom", "verdict"),
    [
        ("immich", 1024, 137, True, "the kernel killed it: it reached its own memory limit"),
        ("sonarr", 0, 137, True, "the kernel killed it: the host had no memory left"),
        ("sonarr", 0, 137, False, "killed, and not for memory as far as the engine knows"),
        ("sonarr", 0, 1, False, "not killed: it was stopped or ended by itself"),
    ],
)
async def test_why_it_was_killed(rack: Rack, name: str, limit: int, code: int, oom: bool, verdict: str) -> None:
    host, container = rack.at(f"nas/{name}")
    container.host_config["RestartPolicy"]["Name"] = "no"
    host.crash(name, code, out_of_memory=oom)
    found = await rack.read("find_oom", container=await rack.id(name))
    assert found.verdict == verdict and (found.memory_limit_mb or 0) == limit and found.oom_events == int(oom)


async def test_what_it_wrote(rack: Rack) -> None:
    found = await rack.read("get_container_changes", container=await rack.id("jellyfin"))
    assert [(each.path, each.kind) for each in found.paths] == [
        ("/etc/hosts", "changed"), ("/run/app.pid", "added"), ("/var/cache/app", "deleted")
    ]  # fmt: skip
    rack.at("nas/jellyfin")[1].size_rw = 0
    assert (await rack.read("get_container_changes", container=await rack.id("jellyfin"))).paths == []


async def test_projects_and_what_they_take(rack: Rack) -> None:
    host, redis = rack.at("nas/redis")
    host.stop("redis")
    found = await rack.read("list_compose_projects", host="nas")
    [databases] = [each for each in found.projects if each.name == "databases"]
    assert (databases.running, databases.off, databases.containers) == (1, ["redis"], ["postgres", "redis"])
    assert databases.folder == "/srv/databases"
    disk = await rack.read("get_disk_by_project", host="nas")
    [row] = [each for each in disk.projects if each.project == "databases"]
    volumes = sum(host.volumes.all[f"databases_{name}"].size for name in ("postgres", "redis"))
    assert row.volumes_mb == pytest.approx(volumes / 1e6, abs=0.1) and row.containers_mb > 0


async def test_a_project_is_restarted_in_order_and_what_is_off_stays_off(rack: Rack) -> None:
    host, redis = rack.at("nas/redis")
    redis.config["Labels"]["com.docker.compose.depends_on"] = "postgres:service_started:false"
    change = await rack.read("restart_project", project="nas/databases")
    assert (await rack.carry_out(change)).verified
    at = [each.attributes["name"] for each in host.events if each.action == "restart"]
    assert at == ["postgres", "redis"]
    host.stop("redis")
    assert "stay off" in (await rack.read("restart_project", project="nas/databases")).notes[0]


@pytest.mark.engine
async def test_real_engines_tell_the_same(bench: Bench) -> None:
    target = await bench.make("scribe", "echo x > /written; sleep 1000")
    assert "/written" in [each.path for each in (await bench.read("get_container_changes", container=target)).paths]
    assert (await bench.read("find_oom", container=target)).verdict == "not killed: it runs"
    events = await bench.read("get_events", minutes=5)
    seen = {each.action for each in events.events if each.name == f"scribe-{bench.mark}"}
    assert {"create", "start"} <= seen or bench.podman  # which forgets them where its own log of events is off
    for tool in ("list_compose_projects", "get_disk_by_project", "check_image_updates"):
        assert (await bench.read(tool)).down == [], tool
