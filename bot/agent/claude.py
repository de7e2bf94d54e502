"""Claude, and the only import of anthropic: streaming, our own retry policy, cost booked per request."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from loguru import logger
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt, stop_after_delay
from tenacity.wait import wait_exponential_jitter

from bot.agent.budget import LEAST_OUTPUT, Budget, Reservation
from bot.agent.model import ModelUnavailable, OutOfBudget, RunStopped
from bot.agent.reply import UNREADABLE, Incomplete, Reply, parsed
from bot.agent.sse import events
from bot.agent.toolbox import Toolbox
from memory.models import Message, Run
from memory.secrets import Redactor

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
TOO_MUCH = "The answer became too long: ask for less at once."
NO_END = "I thought about this for too long and came to no answer: ask for less at once."
OF_A_STREAM = {
    "invalid_request_error": 400, "authentication_error": 401, "billing_error": 402, "permission_error": 403,
    "not_found_error": 404, "request_too_large": 413, "rate_limit_error": 429, "overloaded_error": 529,
}  # fmt: skip
"""The status that an error would have had if it had not come in the middle of a reply."""


class Claude:
    """The model port over the Messages API."""

    def __init__(
        self, *, key: str, base_url: str, model: str, system: str, tools: Callable[[str], Toolbox], budget: Budget,
        redact: Redactor,
    ) -> None:  # fmt: skip
        """`tools` gives the toolbox of whoever asks."""
        self._key, self._base_url, self.model = key, base_url, model
        # Frozen for the life of the process: a changed system prompt or tool list voids history and cache.
        self._system = json.dumps(
            [{"type": "text", "text": system, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
        )
        self._tools = tools
        self._prefix = len(system)
        self._budget, self._redact = budget, redact
        self._client: AsyncAnthropic | None = None
        self._lock = asyncio.Lock()

    async def warm_up(self) -> None:
        """Import the SDK off the event loop, which takes seconds, if there is a key to use it with."""
        async with self._lock:
            if self._client is None and not self._unfit():
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
        limit, least, box = MAX_TOKENS, LEAST_OUTPUT, self._tools(run.actor.id)
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
                        run.id, self.model, self._prefix + box.size, box.in_full(messages), most=limit, least=least
                    ) as held:
                        reply = await self._request(messages, box, last, held)
                    if reply.stop in COMPLETE:
                        return reply.message(messages, box.unseen(messages))
                    if reply.stop == "max_tokens" and limit > MAX_TOKENS:
                        raise RunStopped(TOO_MUCH if reply.spoke else NO_END)
                    if reply.stop == "max_tokens":
                        # A little more would not do, either.
                        limit, least = 2 * MAX_TOKENS, held.max_tokens * 3 // 2
                    raise _stopped(reply.stop)
        except OutOfBudget:
            # What broke off is paid for, at its longest: what broke it is the news, not that it was dear.
            if limit == MAX_TOKENS and failures and failures[-1] is not None:
                raise failures[-1] from None
            raise
        raise AssertionError("tenacity re-raises the last error")

    async def _request(self, messages: list[Message], box: Toolbox, last: bool, held: Reservation) -> Reply:
        """What has arrived when the stream ends. What has begun is booked, whether it ends well or not."""
        assert self._client is not None, "warm_up() comes first"
        from anthropic import AsyncStream

        body = self._body(messages, box, last, held.max_tokens)
        reply = Reply()
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                stream = await self._client.post(
                    "/v1/messages", content=body, cast_to=object, stream=True, stream_cls=AsyncStream[object]
                )
                async with stream:
                    await _listen(stream.response, reply)
        finally:
            if reply.begun:
                _book(reply, held)
        if not reply.begun:
            raise Incomplete("the reply was empty")
        return reply

    def _body(self, messages: list[Message], box: Toolbox, last: bool, most: int) -> bytes:
        """The request as JSON; tools and prompt are written down already, since they are the same each time."""
        request: dict[str, Any] = {
            "model": self.model,
            "max_tokens": most,
            "thinking": {"type": "adaptive", "display": "summarized"},
            "cache_control": {"type": "ephemeral"},
            "stream": True,
            "messages": messages,
        }
        written = [f'"system": {self._system}']
        if box.definitions:
            request["tool_choice"] = {"type": "none" if last else "auto"}
            written.append(f'"tools": {box.json}')
        text = json.dumps(request, ensure_ascii=False, allow_nan=False)
        return f"{', '.join([text[:-1], *written])}}}".encode()


async def _listen(response: Any, reply: Reply) -> None:
    """Take in the events of a stream, read by ourselves: the SDK's reading trips over whatever is null or missing."""
    from anthropic import APIStatusError

    try:
        async with aclosing(events(response.aiter_bytes())) as stream:
            async for name, data in stream:
                event = parsed(data)
                if "error" in (name, event.get("type")):
                    raise APIStatusError("", response=response, body=event)
                reply.take(event)
    except UnicodeDecodeError:
        raise Incomplete(UNREADABLE) from None


def _book(reply: Reply, held: Reservation) -> None:
    """What the reply has cost; where it does not say, what was set aside."""
    if (used := reply.used(held.max_tokens)) is None:
        held.keep()
    else:
        tokens, hour = used
        held.settle(tokens, hour_write=hour)


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
    transient = _status(error) in (408, 409, 429) or _status(error) >= 500
    return transient and _retry_after(error) <= LONGEST_WAIT


def _status(error: Any) -> int:
    """The status of an error; one in the middle of a reply follows a 200 and has only its type."""
    status: int = error.status_code
    return status if status >= 400 else OF_A_STREAM.get(str(error.type), 500)


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
    match _status(error):
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
