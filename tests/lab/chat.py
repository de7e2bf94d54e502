"""A conversation with the stand-in as the bot has it: the real gate settles its calls, over the lab's HTTP."""

from pathlib import Path
from typing import Any

from bot.agent.model import open_calls
from lab.services.docker.engine.model import Container, Fault
from memory.runs import final_text
from tests.place import Place

Json = dict[str, Any]
PASSWORD = 'FATAL: password authentication failed for user "paperless"'
FIND = "find_tools"
MISTAKES = ("There is no tool called", "was called wrongly")
"""What the gate says to a model that does not know its tools."""


class Chat(Place):
    """A place whose model is the stand-in, and what it has asked for at last."""

    def __init__(self, folder: Path, seed: int = 1, **settings: str) -> None:
        plenty = {"BUDGET_TASK_USD": "50", "BUDGET_DAILY_USD": "50"}
        super().__init__(folder, seed=seed, model=None, **{**plenty, **settings})
        self.batches: list[list[tuple[str, Json]]] = []
        self.last = ""
        """The run of the last line."""

    async def open(self) -> None:
        await super().open()
        await self.core.model.warm_up()  # type: ignore[attr-defined]

    @property
    def used(self) -> list[tuple[str, Json]]:
        """The calls of the last line, in their order, without the search for tools that are not in view."""
        return [call for batch in self.batches for call in batch]

    async def told(self, line: str, answer: str = "y", **more: Any) -> str:
        """The last word on a line; whatever card it brings up is answered like this."""
        self.last = run = await self.say(line, **more)
        messages = await self.stores.runs.messages(run)
        while await self.has_card():
            await (self.approve() if answer == "y" else self.tap("n", who=self.admin))
            messages = await self.stores.runs.messages(run)
        calls = [open_calls([message]) for message in messages]
        self.batches = [[(use.tool, use.args) for use in batch] for batch in calls if batch and batch[0].tool != FIND]
        results = [str(block["content"]) for block in await self.results(run)]
        assert not [text for text in results if any(mistake in text for mistake in MISTAKES)], results
        assert (await self.run(run)).state == "done", (await self.run(run)).error
        return final_text(messages)

    def container(self, name: str, host: str = "nas") -> Container:
        return self.lab.world.hosts[host].get(name)

    def prints(self, *lines: str, name: str = "paperless", host: str = "nas", **more: Any) -> None:
        """From now on a container fails with these lines, and has never said anything else."""
        container, now = self.container(name, host), self.lab.world.now()
        container.fault = Fault("x", 1, tuple(line.encode() for line in lines), **more)
        container.log.lines.clear()
        container.log.write(now - 1, container.fault.lines)
