"""What the Messages API double refuses with a 400, rule by rule, each beside a request that passes."""

from typing import Any

import pytest

from lab.claude import Claude
from lab.claude.errors import ApiError

Json = dict[str, Any]
HAIKU, SONNET, OPUS, OLD = "claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5-5", "claude-haiku-4-5"
TOOL: Json = {"name": "look", "input_schema": {"type": "object"}}
MARK: Json = {"type": "ephemeral"}
HOUR: Json = {"type": "ephemeral", "ttl": "1h"}
BUDGET: Json = {"type": "enabled", "budget_tokens": 2000}


def user(*content: Json) -> Json:
    return {"role": "user", "content": list(content)}


def assistant(*content: Json) -> Json:
    return {"role": "assistant", "content": list(content)}


def text(words: str = "hello", **more: Any) -> Json:
    return {"type": "text", "text": words, **more}


def thought(signature: str | None) -> Json:
    return {"type": "thinking", "thinking": "hm", "signature": signature}


def use(use_id: str = "toolu_1") -> Json:
    return {"type": "tool_use", "id": use_id, "name": "look", "input": {}}


def result(use_id: str = "toolu_1", **more: Any) -> Json:
    return {"type": "tool_result", "tool_use_id": use_id, "content": "{}", **more}


def request(**changed: Any) -> Json:
    """A good request with some parameters changed; None removes one."""
    body: Json = {"model": SONNET, "max_tokens": 4000, "messages": [user(text())], "tools": [TOOL], **changed}
    return {name: value for name, value in body.items() if value is not None}


GOOD: dict[str, Json] = {
    "plain": request(),
    "string content": request(messages=[{"role": "user", "content": "hello"}], system="Be kind."),
    "tools none": request(tool_choice={"type": "none"}),
    "no parallel": request(tool_choice={"type": "auto", "disable_parallel_tool_use": True}),
    "adaptive": request(thinking={"type": "adaptive", "display": "summarized"}, output_config={"effort": "max"}),
    "between tools": request(thinking={"type": "between_tools"}, output_config={"effort": "high"}),
    "haiku may stop thinking": request(model=HAIKU, thinking={"type": "disabled"}),
    "old budget": request(model=OLD, thinking=BUDGET),
    "old forced": request(model=OLD, tool_choice={"type": "tool", "name": "look"}),
    "old prefill": request(model=OLD, messages=[user(text()), assistant(text())]),
    "answered": request(messages=[user(text()), assistant(use()), user(result(), text())]),
    "answered in two messages": request(
        messages=[user(text()), assistant(use("a"), use("b")), user(result("a")), user(result("b"))]
    ),
    "unknown name in history": request(messages=[user(text()), assistant({**use(), "name": "gone"}), user(result())]),
    "empty result": request(messages=[user(text()), assistant(use()), user(result(content=""))]),
    "system in between": request(messages=[user(text()), {"role": "system", "content": "Later."}]),
    "hour then minutes": request(system=[text(cache_control=HOUR)], cache_control=MARK),
    "four marks": request(messages=[user(*[text(cache_control=MARK)] * 3)], cache_control=MARK),
    "nulls of a reply": request(messages=[user(text()), assistant(text(citations=None)), user(text())]),
    "warm-up": request(max_tokens=0),
}


@pytest.mark.parametrize("name", GOOD)
def test_good_requests_pass(name: str) -> None:
    claude = Claude()
    claude.script.append([text("fine")])
    message, _ = claude.answer(GOOD[name])
    assert message["stop_reason"] in ("end_turn", "max_tokens")


BAD: list[tuple[str, Json]] = [
    ("temperature", request(temperature=1.0)),
    ("top_p", request(top_p=1)),
    ("top_k", request(top_k=5)),
    ("wings: Extra inputs", request(wings=2)),
    ("max_tokens: Field required", request(max_tokens=None)),
    ("max_tokens: 200000 >", request(max_tokens=200_000)),
    ("max_tokens: Input should be", request(max_tokens="many")),
    ("messages: Field required", request(messages=None)),
    ("at least one message", request(messages=[])),
    ("first message must use", request(messages=[assistant(text()), user(text())])),
    ("prefill", request(messages=[user(text()), assistant(text("The answer is"))])),
    ("role: Input should be", request(messages=[{"role": "tool", "content": "x"}])),
    ("role: Input should be", request(model=OLD, messages=[user(text()), {"role": "system", "content": "x"}])),
    ("non-empty content", request(messages=[user()])),
    ("non-empty", request(messages=[user(text(""))])),
    ("non-whitespace", request(messages=[user(text("  \n"))])),
    ("non-empty", request(system=[text("")])),
    ("text.mood: Extra inputs", request(messages=[user(text(mood="good"))])),
    ("name: Extra inputs", request(messages=[{**user(text()), "name": "x"}])),
    ("can only be in `assistant`", request(messages=[user(use())])),
    ("can only be in `user`", request(messages=[user(text()), assistant(result()), user(text())])),
    ("tool_use.name", request(messages=[user(text()), assistant({**use(), "name": "look around"}), user(result())])),
    ("tool_use.id", request(messages=[user(text()), assistant(use("a.b:0")), user(result("a.b:0"))])),
    ("tool_use.caller", request(messages=[user(text()), assistant({**use(), "caller": None}), user(result())])),
    ("parsed_output", request(messages=[user(text()), assistant(text(parsed_output=None)), user(text())])),
    ("citations: Input", request(messages=[user(text()), assistant(text(citations="x")), user(text())])),
    ("Input tag 'hologram'", request(messages=[user(text()), assistant({"type": "hologram"}), user(text())])),
    ("signature: Field", request(messages=[user(text()), assistant(thought(None), text()), user(text())])),
    ("Invalid `signature`", request(messages=[user(text()), assistant(thought(""), text()), user(text())])),
    ("data: Field", request(messages=[user(text()), assistant({"type": "redacted_thinking"}, text()), user(text())])),
    ("cannot be `thinking`", request(messages=[user(text()), assistant(text(), thought("AAAA")), user(text())])),
    ("trailing whitespace", request(model=OLD, messages=[user(text()), assistant(text("The answer is "))])),
    ("tool_use.input", request(messages=[user(text()), assistant({**use(), "input": "{}"}), user(result())])),
    ("without `tool_result`", request(messages=[user(text()), assistant(use()), user(text())])),
    ("without `tool_result`", request(messages=[user(text()), assistant(use("a"), use("b")), user(result("a"))])),
    ("without `tool_result`", request(model=OLD, messages=[user(text()), assistant(use())])),
    ("must come first", request(messages=[user(text()), assistant(use()), user(text(), result())])),
    ("unexpected `tool_use_id`", request(messages=[user(result())])),
    ("unexpected `tool_use_id`", request(messages=[user(text()), assistant(use()), user(result(), result("b"))])),
    ("single result", request(messages=[user(text()), assistant(use()), user(result(), result())])),
    ("must be unique", request(messages=[user(text()), assistant(use(), use()), user(result())])),
    ("must be unique", request(messages=[user(text()), assistant(use()), user(result())] * 2)),
    ("cannot be empty", request(messages=[user(text()), assistant(use()), user(result(is_error=True, content=""))])),
    ("Found 5", request(messages=[user(*[text(cache_control=MARK)] * 5)])),
    ("Found 5", request(messages=[user(*[text(cache_control=MARK)] * 4)], cache_control=MARK)),
    ("must not come after", request(system=[text(cache_control=MARK)], cache_control=HOUR)),
    ("must not come after", request(tools=[{**TOOL, "cache_control": MARK}], system=[text(cache_control=HOUR)])),
    ("ttl", request(cache_control={"type": "ephemeral", "ttl": "1d"})),
    ("forced tool use", request(tool_choice={"type": "any"})),
    ("forced tool use", request(model=HAIKU, tool_choice={"type": "tool", "name": "look"})),
    ("not found in provided", request(model=OLD, tool_choice={"type": "tool", "name": "fly"})),
    ("forces tool use", request(model=OLD, thinking=BUDGET, tool_choice={"type": "any"})),
    ("only be specified while", request(tools=None, tool_choice={"type": "auto"})),
    ("'disabled' is not supported", request(thinking={"type": "disabled"})),
    ("'disabled' is not supported", request(model=OPUS, thinking={"type": "disabled"})),
    ("high or lower", request(model=HAIKU, thinking={"type": "disabled"}, output_config={"effort": "max"})),
    ("budget_tokens is not supported", request(thinking=BUDGET)),
    ("budget_tokens is not supported", request(model=HAIKU, thinking=BUDGET)),
    ("'between_tools' is not supported", request(model=OPUS, thinking={"type": "between_tools"})),
    ("'adaptive' is not supported", request(model=OLD, thinking={"type": "adaptive"})),
    ("greater than", request(model=OLD, thinking={"type": "enabled", "budget_tokens": 4000})),
    ("effort", request(model=OLD, output_config={"effort": "low"})),
    ("effort", request(output_config={"effort": "heroic"})),
    ("name: String should match", request(tools=[{**TOOL, "name": "look around"}])),
    ("must be unique", request(tools=[TOOL, TOOL])),
    ("input_schema: Field required", request(tools=[{"name": "look"}])),
    ("input_schema.type", request(tools=[{"name": "look", "input_schema": {"type": "array"}}])),
    ("risk: Extra inputs", request(tools=[{**TOOL, "risk": "read"}])),
    ("additionalProperties", request(tools=[{**TOOL, "strict": True}])),
    ("defer_loading=false", request(tools=[{**TOOL, "defer_loading": True}])),
    ("both defer_loading", request(tools=[TOOL, {**TOOL, "name": "b", "defer_loading": True, "cache_control": MARK}])),
    ("not found in available", request(messages=[
        user(text()), assistant(use()), user(result(content=[{"type": "tool_reference", "tool_name": "fly"}]))])),
    ("cannot be combined", request(messages=[user(text()), assistant(use()), user(result(
        content=[text(), {"type": "tool_reference", "tool_name": "look"}]))])),
    ("tool_name: Field required", request(messages=[user(text()), assistant(use()), user(result(
        content=[{"type": "tool_reference"}]))])),
    ("prompt is too long", request(model=OLD, messages=[user(text("word " * 130_000))])),
]  # fmt: skip


@pytest.mark.parametrize(("words", "body"), BAD)
def test_bad_requests_are_refused_in_the_apis_words(words: str, body: Json) -> None:
    claude = Claude()
    claude.script.append([text("fine")])
    with pytest.raises(ApiError) as refused:
        claude.answer(body)
    assert refused.value.status == 400
    assert words in refused.value.message
    assert len(claude.script) == 1
