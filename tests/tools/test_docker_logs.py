"""Reading logs: bounded while they stream, demultiplexed even when broken, cleaned."""

import struct

import pytest

from tests.tools.conftest import TOOLS, Rack
from tools.docker import logs
from tools.docker.logs import Frames, readable
from tools.kit import Refused, ToolFailed
from tools.kit.types import outside_text


def frame(data: bytes, stream: int = 1) -> bytes:
    return struct.pack(">BxxxL", stream, len(data)) + data


def fed(stream: bytes, step: int, tty: bool = False) -> bytes:
    frames = Frames(tty)
    return b"".join(frames.feed(stream[at : at + step]) for at in range(0, len(stream), step))


@pytest.mark.parametrize("step", [1, 3, 8, 11, 1000])
def test_frames_are_taken_apart_wherever_the_network_cuts_them(step: int) -> None:
    stream = frame(b"one\n") + frame(b"") + frame(b"two\n", 2) + frame(b"\x00\x00\x00\x00three\n")
    assert fed(stream, step) == b"one\ntwo\n\x00\x00\x00\x00three\n"


@pytest.mark.parametrize("step", [1, 5, 1000])
def test_broken_frames_lose_nothing_readable(step: int) -> None:
    assert fed(frame(b"one\n") + b"plain text\n", step) == b"one\nplain text\n"
    assert fed(frame(b"one\n") + frame(b"two\n")[:-2], step) == b"one\ntw"
    assert fed(frame(b"one\n") + frame(b"two")[:5], step) == b"one\n"
    assert fed(b"\x01\x00\x00\x00\xff\xff\xff\xffendless", step) == b"endless"
    assert fed(b"\x01\x00\x00\x00raw from a terminal", step, tty=True) == b"\x01\x00\x00\x00raw from a terminal"


def test_lines_are_made_readable() -> None:
    assert readable(b"\x1b[32mgreen\x1b[0m\x00 \xc2\x9bbell\x07", []) == "green bell"
    assert readable(b"\x1b]0;title\x07text\xe2\x80\xae", []) == "text"
    assert readable(b"caf\xc3\xa9 \xff\xfe", []) == "café \N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}"
    assert readable(b"10%\r50%\r100%\r", []) == "100%"
    assert readable(b"", []) == readable(b"  \t", []) == ""
    assert readable(bytes(range(128, 256)), []) == "(binary, 128 bytes)"
    assert readable(b"DB_PASSWORD=geheim99 and hunter22", ["hunter22"]) == "DB_PASSWORD=••• and •••"
    assert readable(b"A" * 5_000_000, []).endswith("… (line of 5000000 bytes)")
    assert len(readable(b"A" * 5_000_000, [])) < 1100


async def test_reads_the_newest_lines(rack: Rack) -> None:
    culprit = rack.world.story.culprit
    target = await rack.id(f"{culprit.host}/{culprit.name}")
    result = await rack.read("get_container_logs", container=target, lines=6)
    assert result.shown == len(result.lines) <= 6 and result.name == culprit.name
    assert culprit.fault.lines[-1].decode().strip()[:40] in "\n".join(result.lines)
    assert list(outside_text(result)) == list(result.lines)
    [request] = [each for each in rack.traffic.requests if each.path.endswith("/logs")]
    assert "follow=0" in request.query and "tail=6" in request.query


async def test_searches_and_limits_the_time(rack: Rack) -> None:
    noisy = rack.world.story.noisy
    target = await rack.id(f"{noisy.host}/{noisy.name}")
    found = await rack.read("get_container_logs", container=target, lines=2, contains="UPSTREAM")
    assert found.lines and all("upstream" in line for line in found.lines)
    assert (await rack.read("get_container_logs", container=target, contains="no such text")).note == (
        "No line contains this text."
    )
    await rack.read("get_container_logs", container=target, since_minutes=5)
    since = rack.traffic.requests[-1].query.partition("since=")[2]
    assert abs(rack.world.now() - 300 - int(since.partition("&")[0])) < 5


async def test_a_log_without_end_is_cut(rack: Rack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "LARGEST_READ", 100_000)
    target = await rack.id("jellyfin")
    flood = "".join(f"line {number:06} {'x' * 80}\n" for number in range(5000))
    rack.traffic.fault("docker:nas", path="/logs$", status=200, body=flood)
    result = await rack.read("get_container_logs", container=target, lines=2000)
    assert result.truncated and len(result.model_dump_json()) < 6000
    assert result.note.startswith("The log is larger")
    assert (await rack.read("get_container_logs", container=target)).lines, "the connection is still good"


async def test_one_endless_line_and_silence(rack: Rack) -> None:
    target = await rack.id("jellyfin")
    rack.traffic.fault("docker:nas", path="/logs$", status=200, body="A" * 5_000_000)
    result = await rack.read("get_container_logs", container=target)
    assert len(result.lines) == 1 and result.truncated and len(result.lines[0]) < 1100
    rack.traffic.fault("docker:nas", path="/logs$", status=200, body="")
    result = await rack.read("get_container_logs", container=target)
    assert result.lines == [] and result.note == "Nothing was printed in this span." and not result.truncated


async def test_secrets_of_the_container_do_not_leave_with_its_log(rack: Rack) -> None:
    _, container = rack.at("nas/paperless")
    secret = next(line.partition("=")[2] for line in container.config["Env"] if "DBPASS" in line)
    assert secret in rack.world.canaries
    rack.traffic.fault("docker:nas", path="/logs$", status=200, body=f"connecting with {secret}\n")
    result = await rack.read("get_container_logs", container=await rack.id("paperless"))
    assert result.lines == ["connecting with •••"]


async def test_terminals_are_read_raw(rack: Rack) -> None:
    _, container = rack.at("nas/jellyfin")
    container.config["Tty"] = True
    result = await rack.read("get_container_logs", container=await rack.id("jellyfin"), lines=5)
    assert result.lines and not any("\r" in line for line in result.lines)


@pytest.mark.parametrize("driver", ["none", "syslog", "gelf", "awslogs", "fluentd", "splunk", "loki:latest"])
async def test_a_log_that_nobody_keeps_names_its_driver(rack: Rack, driver: str) -> None:
    _, container = rack.at("nas/jellyfin")
    container.host_config["LogConfig"] = {"Type": driver, "Config": {"cache-disabled": "true"}}
    with pytest.raises(Refused, match=rf"log driver is {driver}: .*log driver local or json-file") as caught:
        await rack.read("get_container_logs", container=await rack.id("jellyfin"))
    assert "try again" not in str(caught.value) and "HTTP" not in str(caught.value)
    container.host_config["LogConfig"]["Config"] = {}
    if driver != "none":
        assert (await rack.read("get_container_logs", container=await rack.id("jellyfin"))).lines, "a copy is kept"


async def test_other_failures_of_a_log_stay_what_they_are(rack: Rack) -> None:
    _, container = rack.at("nas/jellyfin")
    target = await rack.id("jellyfin")
    for driver, status, words in (
        ("journald", 500, "log driver is journald"), ("json-file", 500, "try again"), ("json-file", 501, "at all"),
        ("syslog", 404, "does not have this"), ("evil driver", 501, "log driver is another one"),
    ):  # fmt: skip
        container.host_config["LogConfig"] = {"Type": driver, "Config": {}}
        rack.traffic.fault("docker:nas", path="/logs$", status=status, body='{"message": "no"}', times=3)
        with pytest.raises(ToolFailed, match=words):
            await rack.read("get_container_logs", container=target)
        rack.traffic.clear()


@pytest.mark.parametrize(
    "args", [{"lines": 0}, {"lines": 2001}, {"contains": ""}, {"follow": True}, {"since_minutes": 0}]
)
def test_arguments_are_bounded(args: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        TOOLS["get_container_logs"].parameters.model_validate({"container": "x", **args})
