"""What needs a person and what does not: what should run and does not, why, and who stopped it."""

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lab.services.docker.engine.model import Container, Json
from lab.services.docker.engine.rules import EngineError
from tests.tools.conftest import Rack
from tools.docker.hosts import service
from tools.docker.models import ContainerRow
from tools.kit import Deed

DAY = 86_400.0
SHOP = {"com.docker.compose.project": "shop", "com.docker.compose.service": "web"}
ONE_OFF = {**SHOP, "com.docker.compose.oneoff": "True"}
SWARM = {"com.docker.swarm.task.id": "x7", "com.docker.swarm.service.name": "web"}


def made(rack: Rack, name: str = "thing", policy: str = "no", labels: Any = None, **more: Any) -> Container:
    """A container on nas, never started."""
    body: Json = {"Image": "redis:7.4-alpine", "Labels": labels or {}, **more}
    body["HostConfig"] = {"RestartPolicy": {"Name": policy}, **more.get("HostConfig", {})}
    return rack.world.hosts["nas"].create(body, name)


def ended(rack: Rack, code: int = 0, ran: float = 0.01, ago: float = 0.1, **how: Any) -> Container:
    """A container on nas that ran and ended, in days."""
    container, now = made(rack, **how), rack.world.now()
    container.begin(now - (ran + ago) * DAY, 7, None)
    container.end(now - ago * DAY, code)
    return container


async def said(rack: Rack, name: str = "thing") -> str:
    """The line of one container in /status and the digest; empty when there is none."""
    glance = await rack.glance()
    return next((str(note) for note in (*glance.troubles, *glance.quiet) if note.name == name), "")


async def row(rack: Rack, name: str = "thing") -> ContainerRow:
    listed: list[ContainerRow] = (await rack.read("list_containers")).containers
    return next(row for row in listed if row.name == name)


def deed(rack: Rack, place: str, tool: str = "docker_stop_container", ago: float = 0.0) -> Deed:
    host, container = rack.at(place)
    return Deed(tool, f"{host.name}/{container.id}", "Ana", datetime.fromtimestamp(time.time() - ago, UTC), False)


CASES = {
    # What ended and how → what is said of it.
    "policy always, asked to stop": ({"policy": "always", "code": 143}, "🔴 stopped"),
    "policy unless-stopped, stopped well": ({"policy": "unless-stopped"}, "🔴 stopped"),
    "killed": ({"policy": "unless-stopped", "code": 137}, "🔴 killed (exit code 137)"),
    "on-failure, finished": ({"policy": "on-failure"}, ""),
    "on-failure, given up": ({"policy": "on-failure", "code": 3}, "🔴 failed (exit code 3)"),
    "an errand that finished": ({}, ""),
    "an errand that somebody stopped": ({"code": 143}, ""),
    "an errand that somebody killed": ({"code": 137}, ""),
    "an errand that failed": ({"code": 2}, "🔴 failed (exit code 2)"),
    "an errand that failed weeks ago": ({"code": 2, "ago": 9}, "⚪ failed (exit code 2)"),
    "no such command": ({"code": 127}, "🔴 its command is not there (exit code 127)"),
    "a segmentation fault": ({"code": 139}, "🔴 crashed: segmentation fault (exit code 139)"),
    "no policy, and it ran for days": ({"ran": 5}, "🔴 stopped"),
    "no policy, killed after days": ({"ran": 5, "code": 137}, "🔴 killed (exit code 137)"),
    "an open shell, closed after days": ({"ran": 5, "code": 1, "AttachStdin": True}, ""),
    "compose, set-up that finished": ({"labels": SHOP}, ""),
    "compose, failed": ({"labels": SHOP, "code": 1, "ago": 9}, "🔴 failed (exit code 1)"),
    "compose, put away as a whole": ({"labels": SHOP, "code": 137}, ""),
    "compose run, failed weeks ago": ({"labels": ONE_OFF, "code": 1, "ago": 9}, "⚪ failed (exit code 1)"),
    "a task that swarm has replaced": ({"labels": SWARM, "code": 137, "ran": 40}, ""),
    "off for longer than anybody remembers": ({"policy": "always", "ago": 40}, "⚪ stopped"),
}


@pytest.mark.parametrize("case", CASES)
async def test_how_it_ended_and_what_it_was_made_for_decide(rack: Rack, case: str) -> None:
    how, expected = CASES[case]
    ended(rack, **how)
    dot, _, words = expected.partition(" ")
    assert await said(rack) == (f"{dot} thing · nas · {words}" if expected else "")
    listing = await rack.read("list_containers")
    assert ("nas/thing" in listing.troubled) is (dot == "🔴")


async def test_one_service_that_its_running_siblings_miss_is_trouble(rack: Rack) -> None:
    ended(rack, labels=SHOP, code=137)
    made(rack, "db", labels={**SHOP, "com.docker.compose.service": "db"})
    assert await said(rack) == ""
    rack.world.hosts["nas"].start("db")
    assert await said(rack) == "🔴 thing · nas · killed (exit code 137)"


async def test_what_happened_behind_its_back_is_named_with_the_reason(rack: Rack) -> None:
    nas = rack.world.hosts["nas"]
    before = (await rack.read("list_containers")).running
    nas.kill("postgres")
    nas.stop("nextcloud")
    nas.pause("watchtower")
    nas.get("redis").host_config["RestartPolicy"]["Name"] = "no"
    nas.crash("redis", out_of_memory=True)
    told = {name: await said(rack, name) for name in ("postgres", "nextcloud", "watchtower", "redis")}
    assert told == {
        "postgres": "🔴 postgres · nas · killed (exit code 137)",
        "nextcloud": "🔴 nextcloud · nas · stopped",
        "watchtower": "🟡 watchtower · nas · paused",
        "redis": "🔴 redis · nas · out of memory",
    }
    listing = await rack.read("list_containers")
    assert listing.running == before - 4 and listing.paused == 1
    assert set(listing.troubled) >= {f"nas/{name}" for name in told}
    for name, why in (("postgres", "killed"), ("redis", "out of memory"), ("watchtower", "paused")):
        details = await rack.read("get_container_details", container=await rack.id(name))
        assert (await row(rack, name)).why == details.why == why


async def test_what_keeps_crashing_does_not_count_as_running(rack: Rack) -> None:
    culprit = rack.world.story.culprit
    host, container = rack.at(f"{culprit.host}/{culprit.name}")
    container.fault = None
    container.end(rack.world.now(), 0)
    calm = (await rack.read("list_containers")).running
    container.begin(rack.world.now(), 7, culprit.fault)
    container.restart_count = 60  # between two crashes the engine says that it runs
    for state in ("running", "restarting"):
        assert host.get(culprit.name).status == state
        glance, listing = await rack.glance(), await rack.read("list_containers")
        assert listing.running == calm and f"{calm} containers running, 1 restarting" in glance.summary
        assert "restarting again and again" in await said(rack, culprit.name)
        container.crash(rack.world.now(), 1)


async def test_a_loop_that_takes_its_time_is_not_taken_for_well(rack: Rack) -> None:
    container = rack.at("nas/redis")[1]
    container.restart_count, container.started_at = 40, rack.world.now() - 600
    assert await said(rack, "redis") == "🟡 redis · nas · crashed and came back, 40 restarts"
    container.started_at -= 3600
    assert await said(rack, "redis") == "", "whatever it was, it is over"


async def test_out_of_memory_in_a_loop_is_said(rack: Rack) -> None:
    rack.at("nas/redis")[1].backoff = 60.0
    rack.world.hosts["nas"].crash("redis", out_of_memory=True)
    assert (await row(rack, "redis")).why == "out of memory" and await said(rack, "redis")


STARTS = {
    "driver failed programming external connectivity: Bind for 0.0.0.0:80 failed: port is already allocated":
        "its port is taken",
    "cannot join network of a non running container: 2fbc": "the container whose network it uses does not run",
    "network shop_default not found": "its network is gone",
    'invalid mount config for type "bind": bind source path does not exist: /no/such/dir':
        "something it mounts is missing",
    'error gathering device information while adding custom device "/dev/nosuch": no such file or directory':
        "a device is missing",
    'could not select device driver "" with capabilities: [[gpu]]': "a device is missing",
    'runc create failed: unable to start container process: exec: "/no/such": stat /no/such: no such file or directory':
        "its command is not there",
    'exec: "web": executable file not found in $PATH: unknown': "its command is not there",
    'runc create failed: unable to start container process: exec: "/bin": permission denied: unknown':
        "its command may not be run",
    "exec /bin/web: exec format error": "it is built for another processor",
}  # fmt: skip


@pytest.mark.parametrize("error", STARTS)
async def test_a_start_that_came_to_nothing_says_why_in_words(rack: Rack, error: str) -> None:
    made(rack).error = error
    assert await said(rack) == f"🔴 thing · nas · could not be started: {STARTS[error]}"


async def test_the_engine_s_own_words_for_a_failed_start_reach_the_details(rack: Rack) -> None:
    ports = {"PortBindings": {"80/tcp": [{"HostPort": "8096"}]}}  # jellyfin has it
    thing = made(rack, policy="always", HostConfig=ports | {"RestartPolicy": {"Name": "always"}})
    assert await said(rack) == "", "never started is no trouble by itself"
    with pytest.raises(EngineError):
        rack.world.hosts["nas"].start("thing")
    assert await said(rack) == "🔴 thing · nas · could not be started: its port is taken"
    details = await rack.read("get_container_details", container=await rack.id("thing"))
    assert "port is already allocated" in details.error and details.exit_code == 128 and details.why
    thing.error = "it rained"
    assert (await row(rack)).why == "could not be started"


async def test_what_a_person_stopped_here_is_listed_quietly_with_who_and_when(rack: Rack) -> None:
    rack.world.hosts["nas"].stop("gitea")
    assert await said(rack, "gitea") == "🔴 gitea · nas · stopped"
    rack.deeds = [deed(rack, "nas/gitea")]
    glance, listing = await rack.glance(), await rack.read("list_containers")
    [note] = glance.quiet
    assert str(note) == "⚪ gitea · nas · stopped by Ana" and note.target.startswith("nas/")
    assert note.at and abs(note.at - datetime.now(UTC)) < timedelta(minutes=1)
    assert "gitea" not in [trouble.name for trouble in glance.troubles] and "nas/gitea" not in listing.troubled
    assert (await row(rack, "gitea")).stopped_by == "Ana"
    details = await rack.read("get_container_details", container=await rack.id("gitea"))
    assert (details.stopped_by, details.why) == ("Ana", "stopped")


async def test_what_people_stopped_comes_before_what_is_merely_old(rack: Rack) -> None:
    ended(rack, name="aaa", code=2, ago=9)
    for name in ("gitea", "redis"):
        rack.world.hosts["nas"].stop(name)
        rack.deeds.append(deed(rack, f"nas/{name}"))
    rack.at("nas/gitea")[1].finished_at -= 600
    assert [note.name for note in (await rack.glance()).quiet] == ["redis", "gitea", "aaa"]


async def test_only_the_last_deed_counts_and_only_for_the_run_that_it_ended(rack: Rack) -> None:
    nas, stopped = rack.world.hosts["nas"], deed(rack, "nas/gitea", ago=600)
    nas.stop("gitea")
    rack.deeds = [deed(rack, "nas/gitea", "docker_restart_container"), stopped]
    assert await said(rack, "gitea") == "🔴 gitea · nas · stopped", "it was started again, here"
    rack.deeds = [stopped]
    assert await said(rack, "gitea") == "⚪ gitea · nas · stopped by Ana"
    nas.start("gitea")
    nas.stop("gitea")
    assert await said(rack, "gitea") == "🔴 gitea · nas · stopped", "somebody else has started it since, and stopped it"
    nas.get("gitea").error, rack.deeds = "it rained", [deed(rack, "nas/gitea")]
    assert await said(rack, "gitea") == "🔴 gitea · nas · could not be started", "somebody has tried to start it since"
    nas.get("gitea").error, rack.deeds = "", [deed(rack, "nas/redis")]
    assert await said(rack, "gitea") == "🔴 gitea · nas · stopped"


async def test_a_clock_that_is_ahead_does_not_turn_a_stop_into_trouble(
    rack: Rack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine that is an hour ahead dates the start after the stop that ended it."""
    monkeypatch.setattr("tools.docker.session.Session.now", lambda _: time.time() + 3600)
    rack.world.clock = lambda: time.time() + 3600
    nas = rack.world.hosts["nas"]
    nas.restart("gitea")
    nas.stop("gitea")
    rack.deeds = [deed(rack, "nas/gitea")]
    assert await said(rack, "gitea") == "⚪ gitea · nas · stopped by Ana"


async def test_nothing_is_green_where_nothing_could_be_seen(rack: Rack) -> None:
    glance = await rack.glance()
    assert glance.dot == "⚪" and glance.summary.endswith(" · 2 hosts"), "its culprit needs a person"
    rack.traffic.fault("docker:mini", drop=True, times=None)
    glance = await rack.glance()
    assert glance.dot == "⚪" and glance.summary.endswith(" · 1 of 2 hosts") and glance.unseen == ("mini/",)
    rack.traffic.fault("docker:nas", drop=True, times=None)
    glance = await rack.glance()
    assert (glance.dot, glance.summary, glance.items) == ("⚪", "no host answers", {})


async def test_green_is_for_where_nobody_is_needed(rack: Rack) -> None:
    for host in rack.world.hosts.values():
        host.all.clear()
    ended(rack, labels=SHOP)
    rack.world.hosts["nas"].start(made(rack, "web").id)
    glance = await rack.glance()
    assert (glance.dot, glance.summary) == ("🟢", "1 container running, 1 stopped · 2 hosts")


async def test_what_could_not_be_looked_into_is_not_taken_for_well(rack: Rack) -> None:
    """An engine that lists a container and has no answer about it."""
    for host in rack.world.hosts.values():
        host.all.clear()
    ended(rack, policy="always")
    rack.traffic.fault("docker:nas", path="/containers/[0-9a-f]+/json$", status=500, body="{}", times=None)
    glance, listing = await rack.glance(), await rack.read("list_containers")
    assert [str(trouble) for trouble in glance.troubles] == ["🟡 1 container · nas · could not be looked into"]
    assert listing.unread == 1 and listing.containers[0].why is None


def inspections(rack: Rack) -> int:
    return sum(
        re.search("/containers/[0-9a-f]{64}/json", request.path) is not None for request in rack.traffic.requests
    )


async def test_of_what_has_run_well_for_a_while_the_list_tells_enough(rack: Rack) -> None:
    rack.world.hosts["mini"].all.clear()
    rack.world.hosts["nas"].all.clear()
    for number in range(40):
        rack.world.hosts["nas"].start((container := made(rack, f"calm-{number:02}")).id)
        container.started_at -= 3 * DAY
    [page] = service.pages
    rows = (await page.read(rack.ctx)).rows
    assert inspections(rack) == 12 and {row.detail for row in rows} == {"up 3 d · healthy"}
    for number in range(150):
        rack.world.hosts["nas"].start((container := made(rack, f"young-{number}")).id)
    container.restart_count = 60
    assert (await rack.glance()).summary.startswith("189 containers running, 1 restarting")
    assert inspections(rack) == 12 + 162, "whatever is young may be a loop"
    await page.one(rack.ctx, await rack.id("calm-30"))
    assert inspections(rack) == 12 + 162 + 2


async def test_a_glance_sees_beyond_the_end_of_a_list(rack: Rack) -> None:
    for name in (*(f"many-{number}" for number in range(230)), "zy"):
        rack.world.hosts["nas"].start((container := made(rack, name)).id)
        container.started_at -= 86400
    container.started_at, container.restart_count = rack.world.now(), 60
    ended(rack, name="zz", policy="always", code=1)
    glance = await rack.glance()
    assert len(glance.items or {}) == 23 + 232 and "looked into" not in str(glance.troubles)
    assert await said(rack, "zz") == "🔴 zz · nas · failed (exit code 1)"
    assert "again and again" in await said(rack, "zy"), "how young it is tells a loop from what runs well"
