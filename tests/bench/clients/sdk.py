"""The plainest peer: a streaming tool loop as the documentation of Anthropic's SDK writes it; it stores nothing."""

import asyncio
from typing import Any

from anthropic import AsyncAnthropic

from tests.bench.clients.task import KEY, MODEL, Task, main, measure


async def client(task: Task) -> None:
    """Measure it."""
    anthropic = AsyncAnthropic(api_key=KEY, base_url=task.url)

    async def run(name: str, arguments: Any) -> str:
        return task.result

    async def turn(number: int) -> str:
        messages: list[Any] = [{"role": "user", "content": task.question}]
        while True:
            async with anthropic.messages.stream(
                model=MODEL, max_tokens=8000, system=task.system, tools=task.tools, messages=messages
            ) as stream:
                async for _ in stream.text_stream:
                    pass
                message = await stream.get_final_message()
            if message.stop_reason != "tool_use":
                return "".join(block.text for block in message.content if block.type == "text")
            messages.append({"role": "assistant", "content": message.content})
            uses = [block for block in message.content if block.type == "tool_use"]
            results = await asyncio.gather(*(run(use.name, use.input) for use in uses))
            content = [
                {"type": "tool_result", "tool_use_id": use.id, "content": result}
                for use, result in zip(uses, results, strict=True)
            ]
            messages.append({"role": "user", "content": content})

    await measure(task, turn)


if __name__ == "__main__":
    main(client)
