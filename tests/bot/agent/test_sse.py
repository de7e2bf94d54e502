"""Events are read as the SDK reads them, whatever their lines end with and wherever the network has cut them."""

from collections.abc import AsyncIterator

from anthropic._streaming import SSEDecoder
from hypothesis import given
from hypothesis import strategies as some

from bot.agent.sse import events

LINES = some.sampled_from(
    ["data: {}", "data:{}", "data", "data:  x", "event: error", "event:ping", ": a comment", ":", "id: 1", "é"]
)


async def _cut(stream: bytes, at: list[int]) -> AsyncIterator[bytes]:
    places = sorted({min(place, len(stream)) for place in [0, *at, len(stream)]})
    for begin, end in zip(places, places[1:], strict=False):
        yield stream[begin:end]


@given(
    some.lists(LINES | some.just("")),
    some.sampled_from(["\n", "\r\n"]),
    some.lists(some.integers(0, 200)),
    some.booleans(),
)
async def test_events_are_read_as_the_sdk_reads_them(lines: list[str], end: str, at: list[int], whole: bool) -> None:
    stream = (end.join(lines) + (2 * end if whole else "")).encode()
    theirs = [(sent.event or "", sent.data) for sent in SSEDecoder().iter_bytes(iter([stream])) if sent.data]
    assert [sent async for sent in events(_cut(stream, at))] == theirs
