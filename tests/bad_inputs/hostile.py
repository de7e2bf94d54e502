"""B39, B74–B79: hostile strings in every text argument of every tool. They are text, or they are refused."""

import re
import socket
from collections.abc import Iterator
from typing import Any

from bot.terminal.catalogue import describe
from tests.bad_inputs.rows import Bench, row
from tests.generated.stages import Stage, set_up, staged
from tests.place import Place
from tools.gate.proposals import Proposal
from tools.kit.registry import discover

HEADERS = ("nas\r\nX-Injected: 1", "nas\nHost: evil", "jellyfin\r\n\r\nGET / HTTP/1.1", "a\x00b", "nas\x0b")
DESTINATIONS = (
    "http://169.254.169.254/latest/meta-data", "localhost:2375", "file:///etc/passwd", "[::ffff:127.0.0.1]",
    "0177.0.0.1", "2130706433", "rebind.example:80", "user@evil.example", "nas\\@evil.example", "//evil.example/x",
    "еxample.com", "evil.example:5000/x:latest", "unix:///var/run/docker.sock", "gopher://127.0.0.1:1/x",
)  # fmt: skip
PATHS = (
    "../../etc/shadow", "/etc/passwd", "%2e%2e%2f%2e%2e", "..\\..\\x", "-rf", "x" * 300, "CON", "name.", "a/./b",
    "....//x", "nas/../mini/pihole", "nas/%2e%2e", ".", "..", "name\n",
)  # fmt: skip
SHELL = (
    "$(reboot)", "`reboot`", "; reboot", "| reboot", "a && b", "--privileged", "-v /:/host", "'; DROP TABLE x",
    "${IFS}",
)  # fmt: skip
URLS = ("100/../../access", "100?force=1", "100%2f..", "100#x", "nas/abc?all=1", "nas/abc/json", "nas/a%00b", "a;b=c")

FOR_A_PERSON_TO_JUDGE = ("memory_", "docker_pull_image", "docker_update_container", "pihole_", "proxmox_")
"""Plain text that is shown on a card: memories, the reference or the tag of an image, the domain or the list for a
Pi-hole, the name of a new guest or snapshot."""


def texts(schema: dict[str, Any]) -> list[str]:
    """The parameters of a tool that take text, or several."""
    found = []
    for name, given in schema.get("properties", {}).items():
        kinds = [given, *given.get("anyOf", ())]
        kinds += [kind.get("items", {}) for kind in kinds]
        if any(kind.get("type") == "string" for kind in kinds):
            found.append(name)
    return found


def listed(schema: dict[str, Any], name: str) -> bool:
    """Whether a parameter takes several texts."""
    given = schema["properties"][name]
    return any(kind.get("type") == "array" for kind in (given, *given.get("anyOf", ())))


def attempts() -> Iterator[tuple[str, str, bool]]:
    """Every tool with each of its text parameters, and whether that is a list."""
    for tool in describe(discover()):
        schema = tool["input_schema"]
        yield from ((tool["name"], name, listed(schema, name)) for name in texts(schema))


async def put_everywhere(bench: Bench, strings: tuple[str, ...]) -> None:
    """Each string in each text argument: no other destination, no smuggled path, nothing changed, no surprise."""
    reached: set[Any] = set()
    connect = socket.socket.connect
    bench.patch.setattr(
        socket.socket, "connect", lambda sock, address: (reached.add(address[1]), connect(sock, address))[1]
    )
    for number, (tool, parameter, several) in enumerate(attempts()):
        async with Place(bench.folder / str(number)) as place:
            stage = staged().get(tool, {})
            args = await set_up(place, stage.args if isinstance(stage, Stage) else stage)
            for text in strings:
                await put(place, tool, {**args, parameter: [text] if several else text}, text)
            ports = set(map(int, re.findall(r":(\d+)", str(place.lab.environment()))))
        assert reached <= ports, "a connection went elsewhere than to a configured service"
        reached.clear()
    assert number > 10


async def put(place: Place, tool: str, args: dict[str, Any], text: str) -> None:
    found = await place.prepare(tool, args)
    if isinstance(found, Proposal):
        assert tool.startswith(FOR_A_PERSON_TO_JUDGE), f"{tool} took {text!r} for {args}"
        shown = found.change.title + "".join(map(str, found.change.facts.shown().values()))
        assert "\r" not in shown and "\x00" not in shown
    assert place.writes() == []
    for request in place.requests():
        assert ".." not in request.path and "%2e" not in request.path.lower() and "\n" not in request.path
        assert "x-injected" not in request.headers and "evil" not in request.headers.get("host", "")
        looked_up = ("/images/", "/api/search/")
        assert "evil" not in request.path or any(place in request.path for place in looked_up), "only what is there"
    place.begin()


@row("B39", "CR, LF and NUL in names", "refused; no header and no request of their own")
async def header_injection(bench: Bench) -> None:
    await put_everywhere(bench, HEADERS)


@row("B74", "addresses, of inside and outside, in every spelling", "no tool goes there; hosts come from the settings")
async def destinations(bench: Bench) -> None:
    await put_everywhere(bench, DESTINATIONS)
    for tool in describe(discover()):
        taken = {"url", "address", "endpoint"} & tool["input_schema"].get("properties", {}).keys()
        assert not taken or tool["risk"] != "read", "what only looks goes nowhere else"


@row("B75", "path traversal, options, reserved and endless names", "no match or refused; matched as a whole")
async def traversal(bench: Bench) -> None:
    await put_everywhere(bench, PATHS)


@row("B76", "shell metacharacters and options in every argument", "text, never a command")
async def shell(bench: Bench) -> None:
    await put_everywhere(bench, SHELL)


@row("B77", "further segments, queries and escapes in ids", "never another path")
async def segments(bench: Bench) -> None:
    await put_everywhere(bench, URLS)


@row("B79", "arguments that would escalate a container", "there is no such parameter and no such tool")
async def escalation(bench: Bench) -> None:
    words = ("privileged", "bind", "mount", "cap_add", "command", "entrypoint", "exec", "env", "network_mode", "user")
    for tool in describe(discover()):
        if tool["service"] == "docker":
            assert not [name for name in tool["input_schema"].get("properties", {}) if name in words]
            assert "exec" not in tool["name"] and "run_" not in tool["name"]
    place = await bench.place()
    answer = await place.prepare("docker_restart_container", {"container": "nas/jellyfin", "privileged": True})
    assert answer.block["is_error"] and "privileged" in answer.block["content"]  # type: ignore[union-attr]
