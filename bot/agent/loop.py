"""The loop: ask the model, run what it asked, until it answers or waits for a person."""

from typing import Literal

from bot.agent.model import Model, RunStopped, open_calls, steps
from bot.agent.toolbox import Toolboxes, merged
from memory.points import point
from memory.runs import Runs
from tools.gate.gate import Gate

MAX_STEPS = 12


class Loop:
    """Advances a run from wherever it stands. A message, a tap, a schedule and a restart all come through here."""

    def __init__(self, runs: Runs, gate: Gate, model: Model, toolboxes: Toolboxes, max_steps: int = MAX_STEPS) -> None:
        self._runs, self._gate, self._model = runs, gate, model
        self._toolboxes, self._max_steps = toolboxes, max_steps

    async def advance(self, run_id: str, *, thinking: bool = True) -> Literal["waiting", "done"]:
        """Carry the run on; not `thinking`: what is open is settled, and the model is not asked about it.

        Raises RunStopped when it cannot.
        """
        async with self._runs.exclusive(run_id):  # a second caller waits, then reads afresh
            messages = await self._runs.messages(run_id)
            while run := await self._runs.get(run_id):
                if run.state in ("done", "failed", "stopped"):
                    break
                if calls := open_calls(messages):
                    found = self._toolboxes.of(run.actor.id).answers(calls)
                    rest = [call for call in calls if call.id not in found]
                    settled = await self._gate.settle(run, rest, messages) if rest else None
                    if rest and settled is None:
                        return "waiting"  # a card is on the table; a tap advances the run again
                    settled = merged(calls, found, settled)
                    point("settled")
                    # What was read can be read again, and the journal has what was done.
                    messages = self._runs.append_later(run_id, messages, settled.message, tainted=settled.tainted)
                    if not (run.thinks and thinking and settled.go_on):
                        break
                elif messages[-1]["role"] == "assistant" or not (run.thinks and thinking):
                    break
                point("thinking")
                last = steps(messages) >= self._max_steps - 1
                reply = await self._model.reply(run, messages, last=last)
                if last and open_calls([reply]):
                    raise RunStopped(f"I did not come to an end within {self._max_steps} steps.")
                point("thought")
                if not open_calls([reply]):
                    self._runs.append_later(run_id, messages, reply)  # with the end of the run, which comes now
                    break
                messages = await self._runs.append(run_id, messages, reply)
            return "done"
