"""A tool that is not in view is found by words, and what it would change comes on a card like anything else."""

from lab.claude.reply import Json
from tests.e2e.harness import Home

FINDS = [{"type": "tool_use", "name": "find_tools", "input": {"query": "update gravity: fetch all lists anew"}}]


def call_what_was_found(request: Json) -> list[Json]:
    """The model calls the first tool that it has been referred to."""
    [result] = request["messages"][-1]["content"]
    return [{"type": "tool_use", "name": result["content"][0]["tool_name"], "input": {}}]


async def test_a_change_that_had_to_be_found_is_asked_and_done(home: Home) -> None:
    home.lab.claude.script.extend([FINDS, call_what_was_found])
    home.say("refresh my ad lists, please")
    card = await home.card("block lists")
    assert not [r for r in home.lab.traffic.requests if r.service.startswith("pihole") and r.path.endswith("gravity")]
    home.tap(card, card.buttons[0]["text"])
    await home.hear("✓")
    sent = [request["tools"] for request in home.lab.claude.requests]
    assert all(tools == sent[0] for tools in sent) and any(tool.get("defer_loading") for tool in sent[0])
    assert sum(not tool.get("defer_loading") for tool in sent[0]) == 40
