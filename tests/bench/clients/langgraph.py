"""LangGraph's prebuilt agent, streaming, with its SQLite checkpointer: the framework that also stores what it does."""

from langchain_anthropic import ChatAnthropic
from langchain_core.tools import StructuredTool
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.prebuilt import create_react_agent

from tests.bench.clients.task import KEY, MODEL, Task, main, measure


async def client(task: Task) -> None:
    """Measure it, each task in a thread of its own."""

    async def run(**arguments: object) -> str:
        return task.result

    tools = [
        StructuredTool(
            name=tool["name"], description=tool["description"], args_schema=tool["input_schema"], coroutine=run
        )
        for tool in task.tools
    ]
    model = ChatAnthropic(model=MODEL, api_key=KEY, base_url=task.url, max_tokens=8000)
    async with AsyncSqliteSaver.from_conn_string(str(task.database)) as saver:
        agent = create_react_agent(model, tools, prompt=task.system, checkpointer=saver)

        async def turn(number: int) -> str:
            asked = {"messages": [("user", task.question)]}
            thread = {"configurable": {"thread_id": str(number)}}
            text = ""
            async for chunk, about in agent.astream(asked, thread, stream_mode="messages"):
                if about["langgraph_node"] == "agent":
                    text += chunk.text if isinstance(chunk.text, str) else chunk.text()
            return text

        await measure(task, turn)


if __name__ == "__main__":
    main(client)
