"""Connections to engines: settings, a reading client that cannot write, and everything that goes wrong."""

import json
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from pydantic import ValidationError

from lab.server import serve
from lab.services.docker.app import docker_app
from lab.world import World
from tests.tools.conftest import Rack
from tools.docker import service, settings
from tools.docker.facts import container_facts
from tools.docker.hosts import DockerHosts, Engine
from tools.docker.settings import Settings
from tools.kit import (
    Access,
    BadAnswer,
    Conflict,
    Gone,
    NoAnswer,
    OutcomeUnknown,
    RateLimited,
    Refused,
    ToolFailed,
    Unauthorised,
    Unreachable,
)
from tools.kit.http import ATTEMPTS
from tools.kit.transport import WriteRefused


@pytest.fixture(autouse=True)
def no_docker_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(settings, "DEFAULT_SOCKET", tmp_path / "docker.sock")
    for name in ("DOCKER_HOST", "DOCKER_HOSTS"):
        monkeypatch.delenv(name, raising=False)


def test_hosts_come_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert not Settings().configured
    (tmp_path / "docker.sock").touch()
    assert Settings().hosts == {"local": f"unix://{tmp_path}/docker.sock"}
    monkeypatch.setenv("DOCKER_HOST", "tcp://nas:2375")
    assert Settings().hosts == {"nas": "tcp://nas:2375"}
    both = {"nas": "ssh://admin@nas:2222", "mini": "unix:///run/docker.sock", "other": "unix:///run/other.sock"}
    monkeypatch.setenv("DOCKER_HOSTS", json.dumps(both))
    assert Settings().hosts == both and Settings().configured
    monkeypatch.setenv("DOCKER_HOSTS", "")
    assert Settings().hosts == {"nas": "tcp://nas:2375"}


@pytest.mark.parametrize(
    "value",
    [
        "{", "[]", '"tcp://hunter22:1"', '{"a": 1}', '{"a": "tcp://hunter22"}', '{"a": "http://hunter22:1"}',
        '{"a/b": "tcp://hunter22:1"}', '{"": "tcp://hunter22:1"}', '{"a": "tcp://bob:hunter22@nas:1"}',
        '{"a": "unix://hunter22"}', '{"a": "ssh://bob:hunter22@nas"}', '{"a": "tcp://hunter22:99999"}',
        '{"a": "tcp://hunter22:1", "a": "tcp://y:1"}', '{"a": "tcp://hunter22:1/x"}', "[" * 100_000,
    ],
)  # fmt: skip
def test_bad_addresses_name_the_setting_and_never_the_value(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("DOCKER_HOSTS", value)
    with pytest.raises(ValidationError) as caught:
        Settings()
    assert caught.value.errors()[0]["loc"] == ("docker_hosts",) and "hunter22" not in str(caught.value)
    if value.startswith('{"a": "'):
        monkeypatch.delenv("DOCKER_HOSTS")
        monkeypatch.setenv("DOCKER_HOST", json.loads(value)["a"] if value.count('"a"') == 1 else "nonsense")
        with pytest.raises(ValidationError, match="docker_host"):
            Settings()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("tcp://nas:2375", "tcp://nas:2375"), ("tcp://nas:2375", "tcp://NAS:2375/"), ("tcp://nas:2375", "tcp://nas.:2375"),
        ("tcp://127.0.0.1:2375", "tcp://localhost:2375"), ("tcp://[::1]:2375", "tcp://[0:0:0:0:0:0:0:1]:2375"),
        ("tcp://[fd00::1]:2375", "tcp://[fd00:0::01]:2375"), ("ssh://admin@nas", "ssh://admin@nas:22/"),
        ("unix:///run/d.sock", "unix:///run/./d.sock"), ("unix:///run/d.sock", "unix:///run//x/../d.sock"),
        ("unix://TMP/real/d.sock", "unix://TMP/link/d.sock"),
    ],
)  # fmt: skip
def test_two_names_for_one_address_are_refused(tmp_path: Path, one: str, other: str) -> None:
    """A rule that names a host would bind under one of its names only."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    one, other = (address.replace("TMP", str(tmp_path)) for address in (one, other))
    with pytest.raises(ValidationError, match="two names for one address, nas and mini: keep one of them") as caught:
        Settings(docker_hosts={"nas": one, "mini": other})
    assert caught.value.errors()[0]["loc"] == ("docker_hosts",)


def test_different_addresses_are_different_hosts() -> None:
    addresses = [
        "tcp://nas:2375", "tcp://nas:2376", "tcp://mini:2375", "ssh://admin@nas", "ssh://root@nas", "ssh://admin@nas:2222",
        "unix:///run/a.sock", "unix:///run/b.sock", "tcp://10.0.0.1:2375", "tcp://127.0.0.1:2375",
    ]  # fmt: skip
    hosts = {f"h{number}": address for number, address in enumerate(addresses)}
    assert Settings(docker_hosts=hosts).hosts == hosts


@pytest.mark.parametrize("method", ["start", "stop", "restart", "remove_container"])
async def test_the_reading_client_cannot_write(rack: Rack, method: str) -> None:
    engine, reference = rack.reader.at(await rack.id("jellyfin"))
    with pytest.raises(WriteRefused):
        await engine.ask(lambda api: getattr(api, method)(reference))
    for verb in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        with pytest.raises(WriteRefused):
            await engine.ask(lambda api, verb=verb: api.request(verb, f"{api.base_url}/x"))
    assert rack.writes() == []


async def test_nothing_is_sent_before_the_first_call(rack: Rack) -> None:
    hosts = await service.open(Settings(docker_hosts={"a": "ssh://nobody@192.0.2.1"}), Access.WRITE)
    await hosts.close()
    assert rack.traffic.requests == []


async def test_the_version_is_negotiated_once(rack: Rack) -> None:
    for _ in range(3):
        await rack.read("list_networks", host="nas")
    paths = [request.path for request in rack.traffic.requests if request.service == "docker:nas"]
    assert paths.count("/version") <= 2, "two questions may start together"
    assert all(path == "/version" or path.startswith("/v1.47/") for path in paths)


async def test_no_proxy_is_used(rack: Rack, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert (await rack.read("list_containers")).down == []


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, Refused), (401, Unauthorised), (403, Unauthorised), (409, Conflict), (429, RateLimited), (500, ToolFailed),
     (302, Refused)],
)  # fmt: skip
async def test_refusals_of_a_read(rack: Rack, status: int, error: type[ToolFailed]) -> None:
    target = await rack.id("redis")
    rack.traffic.fault(
        "docker:nas",
        path=target.partition("/")[2],
        status=status,
        body='{"message": "no: http://u:hunter22@x/?token=geheim99"}',
        headers={"Location": "http://127.0.0.1:1/"},
        times=ATTEMPTS if status == 429 else 1,
    )
    with pytest.raises(ToolFailed) as caught:
        await container_facts(rack.reader, target)
    assert type(caught.value) is error and not caught.value.sent
    assert str(caught.value).startswith("Docker on nas ") and str(caught.value).endswith(".")
    assert not [secret for secret in ("hunter22", "geheim99") if secret in str(caught.value)]


@pytest.mark.parametrize("fault", [{"drop": True}, {"truncate": 40}])
async def test_a_connection_lost_while_reading(rack: Rack, fault: dict[str, object]) -> None:
    target = await rack.id("redis")
    rack.traffic.fault("docker:nas", path=target.partition("/")[2], times=ATTEMPTS, **fault)  # type: ignore[arg-type]
    with pytest.raises(ToolFailed) as caught:
        await container_facts(rack.reader, target)
    assert not caught.value.sent
    assert (await container_facts(rack.reader, target)).state == "running"


@pytest.mark.parametrize("fault", [{"drop": True}, {"status": 429}, {"status": 502}, {"status": 503}, {"status": 504}])
async def test_a_read_is_tried_again_while_the_host_is_away(rack: Rack, fault: dict[str, object]) -> None:
    target = await rack.id("redis")
    rack.traffic.fault("docker:nas", path=target.partition("/")[2], times=ATTEMPTS - 1, **fault)  # type: ignore[arg-type]
    assert (await container_facts(rack.reader, target)).state == "running"


async def test_a_write_that_never_left_is_not_unknown(rack: Rack) -> None:
    change = await rack.read("restart_container", container=await rack.id("redis"))
    nowhere = DockerHosts({"nas": "tcp://127.0.0.1:1"}, Access.WRITE)
    with pytest.raises(Unreachable) as caught:
        await change.do(nowhere)
    await nowhere.close()
    assert not caught.value.sent


async def test_no_answer_in_time(rack: Rack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.docker.hosts.READ_PATIENCE", 0.3)
    impatient = DockerHosts({"nas": rack.reader["nas"].address}, Access.READ)
    target = await rack.id("redis")
    rack.traffic.fault("docker:nas", path=target.partition("/")[2], stall=True)
    with pytest.raises(NoAnswer, match="in time"):
        await container_facts(impatient, target)
    rack.traffic.fault("docker:nas", path="/containers/json", stall=True)
    assert [down.name for down in (await impatient.each(_containers))[1]] == ["nas"]
    await impatient.close()


async def test_a_thread_that_does_not_come_back(rack: Rack) -> None:
    """A host that sends a byte now and then keeps the SDK waiting for ever; the deadline of the thread holds."""
    gate = threading.Event()
    for hosts, error in ((rack.reader, NoAnswer), (rack.writer, OutcomeUnknown)):
        engine = hosts["nas"]
        engine._threads._deadline = 0.2
        with pytest.raises(ToolFailed, match="did not answer within") as caught:
            await engine.ask(lambda api: gate.wait(10))
        assert type(caught.value) is error and caught.value.sent is (error is OutcomeUnknown)
    gate.set()


@pytest.mark.parametrize("body", ["<html>login</html>", '{"Id": '])
async def test_a_write_whose_answer_is_no_json_is_unknown(rack: Rack, body: str) -> None:
    rack.traffic.fault("docker:nas", method="POST", path="/containers/create", status=201, body=body)
    with pytest.raises(OutcomeUnknown, match="look at the target"):
        await rack.writer["nas"].ask(lambda api: api.create({"Image": "redis"}, "x"))


async def test_a_lost_connection_is_opened_anew(rack: Rack) -> None:
    """Over SSH the same connection would stay dead."""
    engine = rack.reader["nas"]
    await _containers(engine)
    before = set(engine._sessions.values())
    rack.traffic.fault("docker:nas", path="/containers/json", drop=True, times=ATTEMPTS)
    with pytest.raises(NoAnswer, match="was lost"):
        await _containers(engine)
    assert not before & set(engine._sessions.values())
    await _containers(engine)


async def _containers(engine: Engine) -> object:
    return await engine.ask(lambda api: api.containers())


async def test_gone_between_list_and_look(rack: Rack) -> None:
    rack.traffic.fault("docker:nas", path="/containers/[0-9a-f]{64}/json", status=404, body='{"message": "gone"}')
    assert (await container_facts(rack.reader, await rack.id("redis"))).state == "gone"
    rack.traffic.fault("docker:nas", path="/containers/[0-9a-f]+/json", status=404)
    result = await rack.read("list_containers", host="nas")
    assert len(result.containers) == 14 and result.down == []
    rack.traffic.fault("docker:nas", path="/images/", status=404)
    with pytest.raises(Gone):
        await rack.reader["nas"].ask(lambda api: api.image("redis"))


async def test_speaks_over_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "d.sock"
    hosts = await service.open(Settings(docker_host=f"unix://{path}"), Access.READ)
    [engine] = hosts.values()
    with pytest.raises(Unreachable, match="socket does not exist"):
        await _containers(engine)
    path.write_text("")
    with pytest.raises(Unreachable, match="refused"):
        await _containers(engine)
    path.unlink()
    server = await serve(docker_app(World(1), "nas"), uds=str(path))
    assert isinstance(await _containers(engine), list)
    await hosts.close()
    await server.stop()


@pytest.mark.parametrize(
    ("error", "mode", "group", "then"),
    [
        (PermissionError(13, "x"), 0o660, 999, "put the bot's user into the group docker (a unit: docker-group.conf)"),
        (PermissionError(13, "x"), 0o600, 999, "let the bot's user use /run/x.sock"),
        (PermissionError(13, "x"), 0o660, 0, "let the bot's user use /run/x.sock"),
        (PermissionError(13, "x"), None, 0, "let the bot's user reach /run/x.sock"),
        (TimeoutError(), 0o660, 999, "look at Docker's own log"),
        (OSError(22, "Invalid argument"), 0o660, 999, "(invalid argument): check unix:///run/x.sock"),
    ],
)
async def test_a_socket_that_cannot_be_used_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, error: OSError, mode: int | None, group: int, then: str
) -> None:
    def refuse(sock: object, path: object) -> None:
        raise error

    def look(path: Path) -> SimpleNamespace:
        if mode is None:
            raise PermissionError
        return SimpleNamespace(st_mode=mode, st_gid=group)

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr(Path, "stat", look)
    monkeypatch.setattr("grp.getgrgid", lambda number: SimpleNamespace(gr_name="docker"))
    hosts = DockerHosts({"nas": "unix:///run/x.sock"}, Access.READ)
    with pytest.raises(Unreachable) as caught:
        await _containers(hosts["nas"])
    await hosts.close()
    assert then in str(caught.value)


async def test_an_error_is_read_no_further_than_any_answer(rack: Rack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the answer would have been a stream."""
    monkeypatch.setattr("tools.kit.session.LARGEST_ANSWER", 1000)
    rack.traffic.fault("docker:nas", path="/logs$", status=409, body="x" * 5000, times=ATTEMPTS)
    with pytest.raises(BadAnswer, match="unreadable"):
        await rack.reader["nas"].ask(lambda api: api.log_stream("redis", 10, None))


async def test_the_engines_clock_is_heard(rack: Rack) -> None:
    rack.traffic.fault(
        "docker:nas", path="/containers/json", status=200, body="[]", headers={"Date": "Sun, 06 Nov 1994 08:49:37 GMT"}
    )
    engine = rack.reader["nas"]
    now = await engine.ask(lambda api: (api.containers(), api.now())[1])
    assert abs(now - 784111777) < 60
    absurd = {"Date": "Sun, 06 Nov 99999999999999999999 08:49:37 GMT"}
    rack.traffic.fault("docker:nas", path="/containers/json", status=200, body="[]", headers=absurd)
    await _containers(engine)
    assert abs(await engine.ask(lambda api: api.now()) - time.time()) > 1e8


async def test_ssh_that_nobody_answers() -> None:
    hosts = DockerHosts({"nas": "ssh://admin@127.0.0.1:1"}, Access.READ)
    found, down = await hosts.each(_containers)
    assert found == {} and down[0].reason.startswith("cannot be reached (connection refused): ")
    await hosts.close()
