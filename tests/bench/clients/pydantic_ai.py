"""Pydantic AI's agent, streaming; it stores nothing."""

from pydantic_ai import Agent, Tool
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.providers.anthropic import AnthropicProvider

from tests.bench.clients.task import KEY, MODEL, Task, main, measure


async def client(task: Task) -> None:
    """Measure it."""

    async def run(**arguments: object) -> str:
        return task.result

    tools = [
        Tool.from_schema(run, name=tool["name"], description=tool["description"], json_schema=tool["input_schema"])
        for tool in task.tools
    ]
    provider = AnthropicProvider(api_key=KEY, base_url=task.url)
    agent = Agent(AnthropicModel(MODEL, provider=provider), instructions=task.system, tools=tools)

    async def turn(number: int) -> str:
        async with agent.run_stream(task.question) as result:
            pieces = [piece async for piece in result.stream_text(delta=True, debounce_by=None)]
        return "".join(pieces)

    await measure(task, turn)


if __name__ == "__main__":
    main(client)
