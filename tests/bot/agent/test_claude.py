"""The Claude client, against a strict double over HTTP: complete replies only, bounded retries, every cent booked."""

import json
from typing import Any

import pytest

from bot.agent.claude import ATTEMPTS, MAX_TOKENS
from bot.agent.model import ModelUnavailable, OutOfBudget, RunStopped, open_calls
from lab.claude import Reply
from tests.bot.agent.bench import RUN, SAID, TEXT, USE, Bench, answers, text_of

THOUGHT = {"type": "thinking", "thinking": "Let me see."}

# -- replies ------------------------------------------------------------------------------------------------------


async def test_a_streamed_reply_arrives_whole(bench: Bench) -> None:
    bench.double.script.append(TEXT)
    reply = await bench.reply()
    assert reply["role"] == "assistant" and text_of(reply) == "It is up."
    assert bench.double.requests[0]["stream"] is True and bench.requests == 1


async def test_calls_are_open_and_the_history_can_be_continued(bench: Bench) -> None:
    bench.double.script.extend([[USE], TEXT])
    reply = await bench.reply()
    [call] = open_calls([*SAID, reply])
    assert (call.tool, call.args) == ("look", {"at": "jellyfin"})
    stored = json.loads(json.dumps([*SAID, reply, answers(reply)]))
    assert text_of(await bench.reply(messages=stored)) == "It is up."


async def test_with_last_it_may_call_nothing(bench: Bench) -> None:
    bench.double.script.extend([TEXT, TEXT])
    await bench.reply(last=True)
    await bench.reply()
    assert [request["tool_choice"]["type"] for request in bench.double.requests] == ["none", "auto"]


async def test_the_prefix_never_changes_and_is_kept_for_an_hour(bench: Bench) -> None:
    bench.double.script.extend([TEXT, TEXT])
    await bench.reply()
    await bench.reply(last=True)
    first, second = bench.double.requests
    assert first["system"] == second["system"] and first["tools"] == second["tools"]
    assert first["system"][0]["cache_control"]["ttl"] == "1h"


async def test_the_key_is_sent_and_never_said(bench: Bench, log: list[str]) -> None:
    bench.fault(401)
    with pytest.raises(ModelUnavailable) as error:
        await bench.reply()
    assert bench.traffic.requests[0].headers["authorization"] == "Bearer sk-ant-test-key"
    assert "sk-ant" not in str(error.value) + "".join(log)


# -- what may be tried again ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 500, 502, 529])
async def test_a_passing_fault_is_tried_again(bench: Bench, status: int) -> None:
    bench.fault(status, times=2)
    bench.double.script.append(TEXT)
    assert text_of(await bench.reply()) == "It is up."
    assert bench.requests == 3


@pytest.mark.parametrize("fault", [{"drop": True}, {"truncate": 40}, {"truncate": 0}])
async def test_a_lost_connection_is_tried_again(bench: Bench, fault: dict[str, Any]) -> None:
    bench.traffic.fault("claude", **fault)
    bench.double.script.extend([TEXT, TEXT])
    assert text_of(await bench.reply()) == "It is up."


@pytest.mark.parametrize("kind", ["error", "end", "drop"])
async def test_a_stream_that_breaks_is_tried_again_and_nothing_of_it_is_used(bench: Bench, kind: Any) -> None:
    bench.double.mid_stream.append(kind)
    bench.double.script.extend([[USE], TEXT])
    reply = await bench.reply()
    assert text_of(reply) == "It is up." and open_calls([reply]) == []
    assert bench.requests == 2


async def test_an_empty_answer_is_tried_again(bench: Bench) -> None:
    bench.traffic.fault("claude", status=200, body="", headers={"content-type": "text/event-stream"})
    bench.double.script.append(TEXT)
    assert text_of(await bench.reply()) == "It is up."


async def test_it_gives_up_in_the_end(bench: Bench) -> None:
    bench.fault(529, times=99)
    with pytest.raises(ModelUnavailable, match="overloaded"):
        await bench.reply()
    assert bench.requests == ATTEMPTS


async def test_a_long_pause_is_told_rather_than_waited_for(bench: Bench) -> None:
    bench.fault(429, times=99, headers={"retry-after": "600"})
    with pytest.raises(ModelUnavailable, match="rate limit"):
        await bench.reply()
    assert bench.requests == 1


@pytest.mark.parametrize("code", ["enforced_spend_limit_reached", "contract_spend_limit_reached"])
async def test_a_spend_limit_is_never_tried_again(bench: Bench, code: str) -> None:
    bench.fault(429, times=99, error_code=code)
    with pytest.raises(ModelUnavailable, match="spend limit"):
        await bench.reply()
    assert bench.requests == 1


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "/new"), (401, "ANTHROPIC_API_KEY"), (402, "credit"), (403, "may not use"), (404, "MODEL_BALANCED"),
        (413, "too long"),
    ],
)  # fmt: skip
async def test_what_cannot_get_better_is_explained_at_once(bench: Bench, status: int, words: str) -> None:
    bench.fault(status, times=99)
    with pytest.raises(RunStopped) as error:
        await bench.reply()
    assert words in str(error.value) and "secret words" not in str(error.value)
    assert bench.requests == 1


async def test_nobody_at_home(bench: Bench) -> None:
    bench.double.cut = True
    with pytest.raises(ModelUnavailable, match="cannot be reached"):
        await bench.reply()


# -- what may not be used -----------------------------------------------------------------------------------------


async def test_out_of_tokens_gets_twice_as_many_once(bench: Bench) -> None:
    bench.double.script.extend([(TEXT, "max_tokens"), TEXT])
    assert text_of(await bench.reply()) == "It is up."
    assert [request["max_tokens"] for request in bench.double.requests] == [MAX_TOKENS, 2 * MAX_TOKENS]


@pytest.mark.parametrize(("content", "words"), [(TEXT, "answer became too long"), ([THOUGHT], "came to no answer")])
async def test_out_of_tokens_twice_is_the_end(bench: Bench, content: list[Any], words: str) -> None:
    bench.double.script.extend([(content, "max_tokens")] * 9)
    with pytest.raises(RunStopped, match=words):
        await bench.reply()
    assert bench.requests == 2


async def test_a_call_cut_by_the_token_limit_is_not_a_call(bench: Bench) -> None:
    bench.double.script.extend([Reply([USE], "max_tokens", cut_json=True), TEXT])
    assert open_calls([await bench.reply()]) == []


@pytest.mark.parametrize("stop", ["tool_use", "end_turn"])
async def test_cut_json_never_becomes_a_call(bench: Bench, stop: str) -> None:
    bench.double.script.extend([Reply([USE], stop, cut_json=True)] * 9)
    with pytest.raises(RunStopped):
        await bench.reply()


@pytest.mark.parametrize(
    "reply",
    [
        Reply([USE], "end_turn"),
        Reply(TEXT, "tool_use"),
        Reply([{**USE, "id": "toolu_1"}, {**USE, "id": "toolu_1"}], "tool_use"),
        Reply([], "tool_use"),
        Reply([], "pause_turn"),
    ],
)
async def test_a_reply_that_contradicts_itself_is_asked_for_again(bench: Bench, reply: Reply) -> None:
    bench.double.script.extend([reply, TEXT])
    assert text_of(await bench.reply()) == "It is up."
    assert bench.requests == 2


@pytest.mark.parametrize(
    ("stop", "words"), [("refusal", "declined"), ("model_context_window_exceeded", "/new")]
)  # fmt: skip
async def test_an_ending_that_will_not_change_is_told(bench: Bench, stop: str, words: str) -> None:
    bench.double.script.extend([(TEXT, stop)] * 9)
    with pytest.raises(RunStopped, match=words):
        await bench.reply()
    assert bench.requests == 1


# -- money --------------------------------------------------------------------------------------------------------


async def test_every_request_is_booked_under_its_run(bench: Bench) -> None:
    bench.double.script.extend([(TEXT, "max_tokens"), TEXT])
    await bench.reply()
    spent = await bench.stores.usage.of_run(RUN.id)
    assert spent.requests == 2 and spent.usd > 0 and spent.tokens_in + spent.tokens_cached > 0


async def test_a_stream_that_broke_off_is_paid_for_too(bench: Bench) -> None:
    bench.double.mid_stream.append("drop")
    bench.double.script.extend([TEXT, TEXT])
    await bench.reply()
    assert (await bench.stores.usage.of_run(RUN.id)).requests == 2


async def test_without_a_key_nothing_is_asked(bench: Bench) -> None:
    bench.client._key = ""
    with pytest.raises(ModelUnavailable, match="not set"):
        await bench.reply()
    assert bench.requests == 0


async def test_the_budget_is_looked_at_before_every_attempt(bench: Bench) -> None:
    def spend_it_all(request: Any) -> Any:
        bench.budget.task = 0.0
        return TEXT, "max_tokens"

    bench.double.script.extend([spend_it_all, TEXT])
    with pytest.raises(OutOfBudget):
        await bench.reply()
    assert bench.requests == 1


LONGEST = [{"type": "text", "text": "word " * 40_000}]
"""More than any limit lets through: the double cuts it, and all of `max_tokens` is used."""


@pytest.mark.parametrize("limit", [0.03, 0.05, 0.1, 0.25])
@pytest.mark.parametrize("which", ["task", "daily"])
async def test_no_reply_passes_a_limit_even_when_it_uses_all_it_may(bench: Bench, which: str, limit: float) -> None:
    setattr(bench.budget, which, limit)
    bench.double.script.extend([LONGEST] * 9)
    for _ in range(9):
        with pytest.raises(RunStopped):
            await bench.reply()
        assert (await bench.stores.usage.since(0)).usd <= limit
    spent = await bench.stores.usage.since(0)
    assert spent.requests >= 1 and spent.usd > limit / 2, "it was used, not refused"
    asked = [request["max_tokens"] for request in bench.double.requests]
    assert spent.tokens_out == sum(asked), "all of it, thinking included"
    with pytest.raises(OutOfBudget):
        await bench.reply()


@pytest.mark.parametrize("kind", ["error", "end", "drop"])
async def test_a_reply_that_broke_off_counts_as_the_longest(bench: Bench, kind: Any) -> None:
    bench.double.mid_stream.append(kind)
    bench.double.script.extend([TEXT, TEXT])
    await bench.reply()
    rows = await bench.stores.database.all("SELECT output FROM usage ORDER BY id")
    assert [row["output"] for row in rows] == [MAX_TOKENS, 3]


async def test_what_broke_off_is_told_when_there_is_no_money_to_ask_again(bench: Bench) -> None:
    bench.budget.task = 0.1
    bench.double.mid_stream.extend(["drop"] * 9)
    bench.double.script.extend([TEXT] * 9)
    with pytest.raises(ModelUnavailable, match="cannot be reached"):
        await bench.reply()
    assert bench.requests < ATTEMPTS and (await bench.stores.usage.of_run(RUN.id)).usd <= 0.1
    with pytest.raises(OutOfBudget):
        await bench.reply()


@pytest.mark.parametrize("fault", [{"status": 529}, {"drop": True}])
async def test_what_was_never_answered_costs_nothing(bench: Bench, fault: dict[str, Any]) -> None:
    bench.traffic.fault("claude", times=None, **fault)
    with pytest.raises(ModelUnavailable):
        await bench.reply()
    assert bench.requests == ATTEMPTS and (await bench.stores.usage.of_run(RUN.id)).requests == 0
