"""What the model port's messages say: which calls are open, how many replies there were."""

from typing import Any

from bot.agent.model import open_calls, steps

LINE: dict[str, Any] = {"role": "user", "content": [{"type": "text", "text": "x"}]}
ANSWER: dict[str, Any] = {"role": "assistant", "content": [{"type": "text", "text": "x"}]}
CALLS: dict[str, Any] = {
    "role": "assistant",
    "content": [
        {"type": "thinking", "thinking": "", "signature": "s"},
        {"type": "tool_use", "id": "a", "name": "rack_press", "input": {"item": "lamp"}},
        {"type": "tool_use", "id": "b", "name": "rack_press", "input": {}},
    ],
}
RESULTS: dict[str, Any] = {
    "role": "user",
    "content": [{"type": "tool_result", "tool_use_id": name, "content": ""} for name in "ab"],
}


def test_calls_are_open_until_they_have_results() -> None:
    assert [(call.id, call.tool, call.args) for call in open_calls([LINE, CALLS])] == [
        ("a", "rack_press", {"item": "lamp"}), ("b", "rack_press", {}),
    ]  # fmt: skip
    assert open_calls([LINE, CALLS, RESULTS]) == open_calls([LINE]) == open_calls([LINE, ANSWER]) == []
    assert open_calls([]) == []


def test_steps_count_replies_since_the_persons_line() -> None:
    assert steps([]) == 0
    assert steps([LINE]) == 0
    assert steps([LINE, CALLS, RESULTS]) == 1
    assert steps([LINE, CALLS, RESULTS, CALLS, RESULTS]) == 2
    assert steps([LINE, ANSWER, LINE, ANSWER, LINE]) == 0
    assert steps([LINE, ANSWER, LINE, CALLS, RESULTS]) == 1
