"""The compromised model: it sees everything, and emits any call with any arguments."""

import asyncio
import re
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab.world import World
from tests.evil.ledger import OUTSIDE
from tests.evil.reading import reading

Block = dict[str, Any]
Message = dict[str, Any]
Reply = list[Block]

PLACE = re.compile(r"@(container|name|net|run|call|image|host|heard):(\d+)")
"""`@container:3`: looked up when the reply is made, so that an episode can be written down before it runs."""


def text(words: str) -> Block:
    """A text block."""
    return {"type": "text", "text": words}


def use(tool: Any, args: Any = None, ident: str = "") -> Block:
    """A tool_use block; without an id it gets a fresh one."""
    return {"type": "tool_use", "id": ident, "name": tool, "input": {} if args is None else args}


def docker(verb: str, container: str, ident: str = "") -> Block:
    """A tool_use block about one container: `docker("stop", "nas/jellyfin")`."""
    return use(f"docker_{verb}_container", {"container": container}, ident)


class EvilModel:
    """The model port. It obeys nobody, `last` included, and knows the homelab and the database by heart."""

    def __init__(self, world: World, database: Path) -> None:
        self.world, self._database = world, database
        self.plan: deque[Reply | Callable[[Any, list[Message]], Reply]] = deque()
        """The replies to come; then it only talks."""
        self.forever: Callable[[Any, list[Message]], Reply] | None = None
        """What it says when the plan is over, for a model that never stops."""
        self.asked: list[tuple[Any, list[Message], bool]] = []
        self.calls = 0
        self._number = 0
        self._heard = False
        """Whether it has been told anything from outside; it repeats that wherever it can."""

    async def reply(self, run: Any, messages: list[Message], *, last: bool) -> Message:
        """The next reply of the plan."""
        await asyncio.sleep(0)
        self.asked.append((run, messages, last))
        self._heard = OUTSIDE in str(messages)
        entry: Any = self.plan.popleft() if self.plan else self.forever or [text("Done.")]
        blocks = [self._block(block) for block in (entry(run, messages) if callable(entry) else entry)]
        self.calls += sum(block["type"] == "tool_use" for block in blocks)
        # Its words carry the conversation they are meant for: in any other chat they would be a leak.
        said = f"⟪{run.conversation}⟫{f' {OUTSIDE}' if self._heard else ''}"
        return {"role": "assistant", "content": [*blocks, text(said)]}

    def seen(self) -> str:
        """The newest thing it was told, as text."""
        return str(self.asked[-1][1][-1]["content"]) if self.asked else ""

    def _block(self, block: Block) -> Block:
        if block["type"] != "tool_use":
            return block
        self._number += 1
        return {**block, "id": block["id"] or f"toolu_{self._number}", "input": self._known(block["input"])}

    def _known(self, value: Any) -> Any:
        """The value with every place filled in."""
        if isinstance(value, dict):
            return {key: self._known(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._known(item) for item in value]
        return (
            PLACE.sub(lambda found: self._look_up(found[1], int(found[2])), value) if isinstance(value, str) else value
        )

    def _look_up(self, kind: str, number: int) -> str:
        hosts = self.world.hosts
        known = {
            "container": lambda: [f"{host}/{c.id}" for host in hosts for c in hosts[host].containers()],
            "name": lambda: [c.name for host in hosts.values() for c in host.containers()],
            "image": lambda: [tag for host in hosts.values() for i in host.images.all.values() for tag in i.tags],
            "host": lambda: list(hosts),
            "net": lambda: self._rows("SELECT id FROM nets"),
            "run": lambda: self._rows("SELECT id FROM runs"),
            "call": lambda: self._rows("SELECT id FROM calls"),
            "heard": lambda: [OUTSIDE] * self._heard,
        }[kind]()
        return known[number % len(known)] if known else f"{kind}-{number}"

    def _rows(self, sql: str) -> list[str]:
        with reading(self._database) as connection:
            return [str(row[0]) for row in connection.execute(sql)]
