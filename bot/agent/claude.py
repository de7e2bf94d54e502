"""Claude, and the only import of anthropic: streaming, our own retry policy, cost booked per request."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from loguru import logger
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt, stop_after_delay
from tenacity.wait import wait_exponential_jitter

from bot.agent.budget import LEAST_OUTPUT, Budget, Reservation
from bot.agent.model import ModelUnavailable, OutOfBudget, RunStopped
from memory.models import Message, Run
from memory.text import Redactor
from memory.usage import Tokens
from tools.kit.strict import refuse, unique

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

MAX_TOKENS = 8000
ATTEMPTS, RETRY_SECONDS, LONGEST_WAIT = 4, 90.0, 30.0
REQUEST_SECONDS = 180.0
"""Total deadline of one request, streaming included."""
LOOK_SECONDS = 15.0
"""For the question whether it would answer."""
ANY: Any = [{"role": "user", "content": "?"}]
UNABLE = "I can't think now: "
COMPLETE = frozenset({"end_turn", "stop_sequence", "tool_use"})
SPEND_LIMIT = "spend_limit"
NO_CREDIT = "the Anthropic account has no credit: add some in its console."
TOO_LONG = "This conversation has become too long: /new begins a fresh one."


class Incomplete(Exception):
    """The reply broke off: nothing of it may be used; nothing was executed, so it may be asked for again."""


class Claude:
    """The model port over the Messages API."""

    def __init__(
        self, *, key: str, base_url: str, model: str, system: str, tools: list[dict[str, Any]], budget: Budget,
        redact: Redactor,
    ) -> None:  # fmt: skip
        self._key, self._base_url, self.model = key, base_url, model
        # Frozen for the life of the process: a changed system prompt or tool list voids history and cache.
        self._system = [{"type": "text", "text": system, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
        self._tools = tools
        self._prefix = len(system) + len(json.dumps(tools))
        self._budget, self._redact = budget, redact
        self._client: AsyncAnthropic | None = None
        self._lock = asyncio.Lock()

    async def warm_up(self) -> None:
        """Import the SDK off the event loop: it takes about a second."""
        async with self._lock:
            if self._client is None:
                self._client = await asyncio.to_thread(self._connect)

    async def trouble(self) -> str:
        """What keeps it from answering, found out without paying for anything; empty when nothing does."""
        if unfit := self._unfit():
            return unfit
        await self.warm_up()
        import anthropic

        assert self._client is not None, "warm_up() made it"
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                try:
                    await self._client.models.retrieve(self.model)
                except anthropic.NotFoundError:  # nor has every endpoint a list of its models
                    await self._client.messages.count_tokens(model=self.model, messages=ANY)
        except anthropic.APIStatusError as error:
            return str(_explain(error)).removeprefix(UNABLE)
        except (anthropic.APIConnectionError, TimeoutError, _transport_error()):
            return "Anthropic cannot be reached: check this machine's network, and ANTHROPIC_BASE_URL."
        return ""

    def _unfit(self) -> str:
        """What is wrong with the key before anybody is asked; the SDK would call it a lost connection."""
        if not self._key:
            return "ANTHROPIC_API_KEY is not set."
        fine = self._key.isascii() and self._key.isprintable()
        return "" if fine else "ANTHROPIC_API_KEY holds characters that no key has: copy it again."

    async def close(self) -> None:
        """Close the connection to Anthropic, if there is one."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    def _connect(self) -> AsyncAnthropic:
        from anthropic import AsyncAnthropic, DefaultAsyncHttpxClient

        return AsyncAnthropic(
            api_key=self._key,
            base_url=self._base_url or None,
            max_retries=0,
            timeout=REQUEST_SECONDS,
            # Its own client would follow, and take the key along.
            http_client=DefaultAsyncHttpxClient(trust_env=False, follow_redirects=False),
        )

    async def reply(self, run: Run, messages: list[Message], *, last: bool) -> Message:
        """The next message. Raises ModelUnavailable, OutOfBudget or RunStopped."""
        if unfit := self._unfit():
            raise ModelUnavailable(f"{UNABLE}{unfit}")
        await self.warm_up()
        import anthropic

        try:
            return await self._with_retries(run, messages, last)
        except Incomplete as error:
            raise ModelUnavailable(f"I can't think now: {error}.") from None
        except anthropic.APIStatusError as error:
            raise _explain(error) from None
        except (anthropic.APIConnectionError, TimeoutError, _transport_error()):
            raise ModelUnavailable("I can't think now: Claude cannot be reached.") from None

    async def _with_retries(self, run: Run, messages: list[Message], last: bool) -> Message:
        limit, least = MAX_TOKENS, LEAST_OUTPUT
        failures: list[BaseException | None] = []
        retrying = AsyncRetrying(
            retry=retry_if_exception(_worth_another_try),
            wait=_wait,
            stop=stop_after_attempt(ATTEMPTS) | stop_after_delay(RETRY_SECONDS),
            after=lambda state: failures.append(state.outcome.exception() if state.outcome else None),
            reraise=True,
        )
        try:
            async for attempt in retrying:
                with attempt:
                    async with self._budget.reserve(
                        run.id, self.model, self._prefix, messages, most=limit, least=least
                    ) as held:
                        reply, stop = await self._request(messages, last, held)
                    if stop in COMPLETE:
                        return reply
                    if stop == "max_tokens" and limit > MAX_TOKENS:
                        raise RunStopped("The answer became too long: ask for less at once.")
                    if stop == "max_tokens":
                        # A little more would not do, either.
                        limit, least = 2 * MAX_TOKENS, held.max_tokens * 3 // 2
                    raise _stopped(stop)
        except OutOfBudget:
            # What broke off is paid for, at its longest: what broke it is the news, not that it was dear.
            if limit == MAX_TOKENS and failures and failures[-1] is not None:
                raise failures[-1] from None
            raise
        raise AssertionError("tenacity re-raises the last error")

    async def _request(self, messages: list[Message], last: bool, held: Reservation) -> tuple[Message, str | None]:
        assert self._client is not None, "warm_up() comes first"
        request: dict[str, Any] = {"system": self._system, "messages": messages}
        if self._tools:
            request |= {"tools": self._tools, "tool_choice": {"type": "none" if last else "auto"}}
        async with (
            asyncio.timeout(REQUEST_SECONDS),
            self._client.messages.stream(
                model=self.model,
                max_tokens=held.max_tokens,
                thinking={"type": "adaptive", "display": "summarized"},
                cache_control={"type": "ephemeral"},
                **request,
            ) as stream,
        ):
            written = await _listen(stream, held)
            message = stream.current_message_snapshot
        if message.stop_reason in COMPLETE:
            _check_arguments(written)
        content = [block.to_dict() for block in message.content]
        if message.stop_reason in COMPLETE:
            _check_calls(content, message.stop_reason)
        return {"role": "assistant", "content": content}, message.stop_reason


async def _listen(stream: Any, held: Reservation) -> list[str]:
    """The arguments of the calls as they were written. What has begun is booked, whether it ends or not."""
    begun, written = False, defaultdict[int, str](str)
    try:
        async for event in stream:
            begun = begun or event.type == "message_start"
            if event.type == "content_block_delta" and event.delta.type == "input_json_delta":
                written[event.index] += event.delta.partial_json
    except (ValueError, RecursionError):
        raise Incomplete("the reply could not be read") from None
    finally:
        if begun:
            await _book(stream.current_message_snapshot, held)
    if not begun:
        raise Incomplete("the reply was empty")
    return list(written.values())


async def _book(message: Any, held: Reservation) -> None:
    """What the reply has cost; one that broke off never says how long it was, so it counts as the longest."""
    used = message.usage
    output = used.output_tokens if message.stop_reason is not None else held.max_tokens
    tokens = Tokens(used.input_tokens, used.cache_read_input_tokens or 0, used.cache_creation_input_tokens or 0, output)
    hour = used.cache_creation.ephemeral_1h_input_tokens if used.cache_creation else 0
    await held.settle(tokens, hour_write=hour)


def _check_calls(content: list[dict[str, Any]], stop: str) -> None:
    """Tool calls are only real when the model says that it stopped for them, each under its own id."""
    ids = [block["id"] for block in content if block["type"] == "tool_use"]
    if bool(ids) != (stop == "tool_use"):
        raise Incomplete("the reply's calls and its ending do not fit together")
    if len(set(ids)) != len(ids):
        raise Incomplete("the reply repeats the id of a call")
    if not content:
        raise Incomplete("the reply was empty")


def _check_arguments(written: list[str]) -> None:
    """Each call's arguments, as they were written, are one whole JSON object and nothing that JSON does not have.

    The SDK would complete what was cut off, take the last of two, and pass on NaN.
    """
    for arguments in filter(None, written):
        try:
            found = json.loads(arguments, object_pairs_hook=unique, parse_constant=refuse)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise Incomplete("a call of the reply is not proper JSON")


def _stopped(reason: str | None) -> Exception:
    if reason == "refusal":
        return RunStopped("Claude declined to answer this.")
    if reason == "model_context_window_exceeded":
        return RunStopped(TOO_LONG)
    return Incomplete(f"the reply broke off ({reason or 'no reason given'})")


def _transport_error() -> type[Exception]:
    import httpx2

    error: type[Exception] = httpx2.TransportError
    return error


def _worth_another_try(error: BaseException) -> bool:
    import anthropic

    if isinstance(error, Incomplete | anthropic.APIConnectionError | _transport_error()):
        return True
    if not isinstance(error, anthropic.APIStatusError) or SPEND_LIMIT in str(_error_code(error)):
        return False
    transient = error.status_code in (408, 409, 429) or error.status_code >= 500 or error.type == "overloaded_error"
    return transient and _retry_after(error) <= LONGEST_WAIT


def _error_code(error: Any) -> str:
    return f"{getattr(error, 'error_code', '')} {getattr(error, 'details', '')}"


def _retry_after(error: BaseException | None) -> float:
    response = getattr(error, "response", None)
    try:
        return max(0.0, float(response.headers.get("retry-after", 0))) if response is not None else 0.0
    except ValueError:
        return LONGEST_WAIT + 1


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    logger.info("Claude: attempt {} failed ({})", state.attempt_number, type(error).__name__)
    return max(_retry_after(error), wait_exponential_jitter(initial=0.5, max=8)(state))


def _explain(error: Any) -> RunStopped:
    """An API error in words that name the setting to look at. Never the API's own text: it may quote the request."""
    if "credit balance" in str(error).lower():
        return ModelUnavailable(f"{UNABLE}{NO_CREDIT}")
    if SPEND_LIMIT in _error_code(error):
        return ModelUnavailable("I can't think now: the Anthropic account has reached its own spend limit.")
    logger.warning("Claude answered {} ({})", error.status_code, error.type)
    match error.status_code:
        case 400:
            return RunStopped("Claude rejected the request; the log has the details. /new begins a fresh conversation.")
        case 413:
            return RunStopped(TOO_LONG)
        case 401:
            why = "Anthropic rejects ANTHROPIC_API_KEY: make a new one in its console."
        case 402:
            why = NO_CREDIT
        case 403:
            why = "ANTHROPIC_API_KEY may not use this model: check MODEL_BALANCED, or take another key."
        case 404:
            why = "Anthropic does not know the model; check MODEL_BALANCED."
        case 429:
            why = "Anthropic's rate limit is reached. Try again in a few minutes."
        case _:
            why = "Claude is overloaded or out of order."
    return ModelUnavailable(f"{UNABLE}{why}")
