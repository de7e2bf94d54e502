"""The model's double: three answers to every task, each in one burst, and how long it took to give them.

It is a process of its own on a core of its own, and does as little as it can: what it needs is subtracted from what its
clients take, from the first byte of a request that it sees to the last byte of the answer that it writes.
"""

import argparse
import asyncio
import json
import random
import re
import time
from typing import Any

from lab.claude.sse import encode, events
from tests.bench.clients.task import MODEL, pin

ANSWER = "Everything on the shelf answers again, and this is what I found on the way there. " * 15
USAGE = {"input_tokens": 100, "cache_read_input_tokens": 9000, "cache_creation_input_tokens": 2000, "output_tokens": 90}
NUMBER = b"00000000"
"""Stands in the ids of a prepared answer for the number of the request."""


def reply(*calls: int) -> bytes:
    """The stream of a reply that calls these tools, or answers when there are none."""
    content: list[dict[str, Any]] = [
        {
            "type": "tool_use",
            "id": f"toolu_{NUMBER.decode()}{place}",
            "name": f"shelf_read_{tool:03}",
            "input": {"name": "jellyfin", "lines": 200},
        }
        for place, tool in enumerate(calls)
    ]
    message = {
        "id": f"msg_{NUMBER.decode()}", "type": "message", "role": "assistant", "model": MODEL,
        "content": content or [{"type": "text", "text": ANSWER}], "stop_reason": "tool_use" if calls else "end_turn",
        "stop_sequence": None, "stop_details": None, "usage": USAGE,
    }  # fmt: skip
    return b"".join(map(encode, events(message, random.Random(1))))


REPLIES = (reply(0, 1, 2, 3, 4), reply(0), reply())
RESULTS = (0, 5, 6)
"""How many results a request must hold for its turn in the task: whoever leaves out the work is refused."""


class Double:
    """What has been asked since somebody looked."""

    def __init__(self, tools: int, slow: float = 0.0) -> None:
        """`slow`: seconds that each answer takes it, besides."""
        self.tools, self.slow = tools, slow
        self.requests, self.seconds, self.all = 0, 0.0, 0

    def answer(self, path: str, body: bytes) -> tuple[int, str, bytes]:
        """Status, type and body of an answer."""
        if path == "/spent":
            found = json.dumps({"requests": self.requests, "seconds": self.seconds}).encode()
            self.requests, self.seconds = 0, 0.0
            return 200, "application/json", found
        time.sleep(self.slow)
        turn = self.requests
        self.requests += 1
        self.all += 1
        if trouble := self._trouble(turn, body):
            said = {"type": "error", "error": {"type": "invalid_request_error", "message": trouble}}
            return 400, "application/json", json.dumps(said).encode()
        return 200, "text/event-stream", REPLIES[turn].replace(NUMBER, b"%08d" % self.all)

    def _trouble(self, turn: int, body: bytes) -> str:
        if turn >= len(REPLIES):
            return "a task has three requests"
        if not re.search(rb'"stream": ?true', body):
            return "this double only streams"
        if len(re.findall(rb'"tool_result"', body)) < RESULTS[turn]:
            return "results are missing"
        return "tools are missing" if body.count(b'"input_schema"') < self.tools else ""


class Connection(asyncio.Protocol):
    """One client's connection, kept open: a request at a time."""

    def __init__(self, double: Any) -> None:
        self._double, self._buffer, self._began = double, bytearray(), 0.0
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if not self._buffer:
            self._began = time.perf_counter()
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._buffer[:end]).decode("latin-1")
        length = re.search(r"content-length: *(\d+)", head, re.IGNORECASE)
        whole = end + 4 + (int(length[1]) if length else 0)
        if len(self._buffer) < whole:
            return
        body = bytes(self._buffer[end + 4 : whole])
        self._buffer.clear()
        self.asked(head.split(" ", 2)[1], body)

    def asked(self, target: str, body: bytes) -> None:
        """A whole request has arrived."""
        path = target.partition("?")[0]
        self.write(*self._double.answer(path, body))
        if path != "/spent":
            self._double.seconds += time.perf_counter() - self._began

    def write(self, status: int, kind: str, answer: bytes) -> None:
        """Answer it."""
        head = f"HTTP/1.1 {status} OK\r\ncontent-type: {kind}\r\ncontent-length: {len(answer)}\r\n\r\n"
        self._transport.write(head.encode() + answer)


async def serve(tools: int, slow: float) -> None:
    """Serve until the process is ended; its address is the line that it prints."""
    double = Double(tools, slow)
    server = await asyncio.get_running_loop().create_server(lambda: Connection(double), "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--tools", type=int, required=True)
    parser.add_argument("--slow", type=float, default=0.0)
    pin(0)
    asyncio.run(serve(**vars(parser.parse_args())))
