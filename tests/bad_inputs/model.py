"""B17, B81–B83: what Claude can answer, and when it does not."""

import json
from typing import Any

from lab.claude.reply import Reply
from lab.claude.sse import encode
from lab.server import serve
from lab.services.docker.app import docker_app
from lab.traffic import Traffic
from lab.world import World
from tests.bad_inputs.rows import Bench, row
from tests.invariants import every_use_has_one_result
from tests.place import Place

MESSAGES = "/v1/messages$"
STOP: dict[str, Any] = {"type": "tool_use", "name": "docker_stop_container", "input": {"container": "nas/jellyfin"}}
LOOK: dict[str, Any] = {"type": "tool_use", "name": "docker_list_containers", "input": {}}
TEXT: dict[str, Any] = {"type": "text", "text": "I stopped it."}
BLANK: dict[str, Any] = {"type": "text", "text": " \n "}
THOUGHT: dict[str, Any] = {"type": "thinking", "thinking": "hm"}
TRIES = 6
"""More than any reply is asked for again."""


async def thinking(bench: Bench) -> Place:
    """A place with the real model port; nobody waits between attempts."""
    bench.patch.setattr("bot.agent.claude._wait", lambda state: 0.0)
    return await bench.place(model=None)


async def asked(place: Place, *replies: Any) -> tuple[str, str]:
    """A line that is answered like this, over and over; the run's state and what went wrong."""
    place.lab.claude.script.clear()
    place.lab.claude.script.extend(replies)
    run = await place.say("stop jellyfin")
    found = await place.run(run)
    place.lab.claude.script.clear()
    every_use_has_one_result(await place.stores.runs.messages(run))
    assert place.writes() == []
    return found.state, found.error or ""


def spoken(arguments: str, *, stop: str = "tool_use", name: str = "docker_stop_container") -> bytes:
    """A streamed reply with one call whose arguments are written exactly like this."""
    usage = {"input_tokens": 10, "output_tokens": 5, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0}
    message = {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-5-5", "content": [],
        "stop_reason": None, "stop_sequence": None, "usage": usage,
    }  # fmt: skip
    block = {"type": "tool_use", "id": "toolu_1", "name": name, "input": {}}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": arguments}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": None}, "usage": usage},
        {"type": "message_stop"},
    ]
    return b"".join(map(encode, events))


async def streamed(place: Place, body: bytes) -> tuple[str, str]:
    """The same for a stream given byte by byte."""
    headers = {"content-type": "text/event-stream"}
    place.lab.traffic.fault("claude", path=MESSAGES, status=200, body=body, headers=headers, times=None)
    try:
        return await asked(place)
    finally:
        place.lab.traffic.clear()


@row("B17", "arguments that name a thing twice, are nested for ever, or are no object", "never run, never shown as one")
async def twice(bench: Bench) -> None:
    place = await thinking(bench)
    assert (await streamed(place, spoken('{"container": "nas/jellyfin"}')))[0] == "waiting", "the control"
    for arguments in (
        '{"container": "nas/redis", "container": "nas/jellyfin"}',
        '{"container": {"a": 1, "a": 2}}',
        '{"container": ' + "[" * 3000 + "]" * 3000 + "}",
        '{"container": "nas/jel',
        "[1, 2]",
        '"nas/jellyfin"',
        '{"container": NaN}',
        "null",
    ):
        cards = len(await place.stores.approvals.open_cards())
        state, _ = await streamed(place, spoken(arguments))
        assert state in ("failed", "done"), arguments[:60]
        assert len(await place.stores.approvals.open_cards()) == cards


@row(
    "B81",
    "no content, only thoughts, 30 calls, an unknown ending, a cut call, a refusal, one id twice, no text",
    "said; nothing half-said runs",
)
async def odd_replies(bench: Bench) -> None:
    place = await thinking(bench)
    same = {**STOP, "id": "toolu_same"}
    for reply in (
        Reply([TEXT], "a_new_reason"),
        Reply([STOP], "max_tokens", cut_json=True),
        Reply([TEXT], "max_tokens"),
        Reply([STOP], "end_turn"),
        Reply([TEXT], "tool_use"),
        Reply([same, same], "tool_use"),
        Reply([TEXT, STOP], "refusal"),
        Reply([STOP], "pause_turn"),
        Reply([], "pause_turn"),
        Reply([], "refusal"),
        Reply([THOUGHT], "max_tokens"),
    ):
        state, error = await asked(place, *[reply] * TRIES)
        assert state in ("failed", "done") and (error or state == "done"), reply
        assert not await place.has_card() and not await place.calls()
    state, _ = await asked(place, Reply([LOOK] * 30, "tool_use"), [TEXT])
    assert state == "done" and not await place.calls()
    unknown = [{"type": "tool_use", "name": "docker_format_disk\n", "input": {}}, {**STOP, "input": {"x": [1]}}]
    state, _ = await asked(place, unknown, [TEXT])
    assert state == "done" and not await place.calls()


@row("B81", "an ending without a word, and blank text beside a call", "an answer by code, paid once, and it goes on")
async def wordless(bench: Bench) -> None:
    live = await bench.live(model=None)
    for ending in (
        [],
        [THOUGHT],
        [BLANK],
        [{"type": "redacted_thinking", "data": "x"}],
        [{"type": "text", "text": ""}],
    ):
        before = len(live.lab.claude.requests)
        live.lab.claude.script.append(Reply(ending, "end_turn"))
        await live.write("how is it?", "ask again")
        live.lab.claude.script.extend([Reply([BLANK, LOOK], "tool_use"), Reply(ending, "end_turn")])
        await live.write("how is it?", "docker list containers.*running 2")
        assert len(live.lab.claude.requests) == before + 3
        await live.quiet()
    states = await live.stores.database.all("SELECT DISTINCT state FROM runs")
    assert [row["state"] for row in states] == ["done"]


@row(
    "B82",
    "Anthropic 400, 401, 413, 429, 500, 529, a cut stream, an overload for ever",
    "few attempts, a sentence, and it goes on",
)
async def bad_days(bench: Bench) -> None:
    place = await thinking(bench)
    for status in (400, 401, 402, 403, 404, 413, 429, 500, 502, 529):
        body = json.dumps({"type": "error", "error": {"type": "x_error", "message": "canary: the request said so"}})
        place.lab.traffic.fault("claude", path=MESSAGES, status=status, body=body, times=None)
        before = len([r for r in place.lab.traffic.requests if r.service == "claude"])
        state, error = await asked(place)
        place.lab.traffic.clear()
        tries = len([r for r in place.lab.traffic.requests if r.service == "claude"]) - before
        assert state == "failed" and error and "canary" not in error and 1 <= tries <= TRIES
    for broken in ("drop", "error", "end"):
        place.lab.claude.mid_stream.extend([broken] * TRIES)  # type: ignore[list-item]
        state, error = await asked(place, *[[TEXT]] * TRIES)
        place.lab.claude.mid_stream.clear()
        assert state == "failed" and "can't think" in error
    for body in (b"", b"<html>", b"data: {}\n\n", b"event: message_start\ndata: {]\n\n", b"\x00\xff" * 50):
        state, error = await streamed(place, body)
        assert state == "failed" and error and "Something broke" not in error, body
    place.lab.claude.cut = True
    assert "cannot be reached" in (await asked(place))[1]
    place.lab.claude.cut = False
    assert (await asked(place, [TEXT]))[0] == "done"


@row("B35", "a redirect from Claude's address to another host", "not followed; neither the key nor a word goes there")
async def redirected(bench: Bench) -> None:
    place, traffic = await thinking(bench), Traffic()
    elsewhere = await serve(traffic.wrap("elsewhere", docker_app(World(1), "nas")))
    bench.stack.push_async_callback(elsewhere.stop)
    for status in (301, 302, 303, 307, 308):
        there = {"location": f"{elsewhere.url}/v1/messages"}
        place.lab.traffic.fault("claude", path=MESSAGES, status=status, headers=there, times=None)
        state, error = await asked(place)
        place.lab.traffic.clear()
        assert state == "failed" and "can't think" in error
    assert traffic.requests == []


@row(
    "B83",
    "a conversation longer than the model's window",
    "said, with the way out; older exchanges are not carried for ever",
)
async def too_long(bench: Bench) -> None:
    place = await thinking(bench)
    state, error = await asked(place, *[Reply([TEXT], "model_context_window_exceeded")] * TRIES)
    assert state == "failed" and "/new" in error
    words = "prompt is too long: 2000000 tokens > 1000000 maximum"
    body = json.dumps({"type": "error", "error": {"type": "invalid_request_error", "message": words}})
    place.lab.traffic.fault("claude", path=MESSAGES, status=400, body=body, times=None)
    state, error = await asked(place)
    place.lab.traffic.clear()
    assert state == "failed" and "/new" in error
    for number in range(12):
        place.lab.claude.script.append([{"type": "text", "text": f"answer {number}"}])
        await place.say(f"question {number}")
    sent = json.dumps(place.lab.claude.requests[-1]["messages"])
    assert "question 10" in sent and "question 2" not in sent
