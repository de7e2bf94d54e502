"""A service that is spoken to in lines over TCP: a connection for each question, bounded in time and in size."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

from tools.kit.breaker import Breaker
from tools.kit.context import Access
from tools.kit.errors import BadAnswer, NoAnswer, OutcomeUnknown
from tools.kit.failures import late, unreachable
from tools.kit.reasons import ADDRESS, unconnected
from tools.kit.transport import WriteRefused

T = TypeVar("T")

DEADLINE, CONNECT_SECONDS = 10.0, 5.0
LARGEST_ANSWER = 2**18


class Talk:
    """One conversation."""

    def __init__(self, service: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._service, self._reader, self._writer, self._left = service, reader, writer, LARGEST_ANSWER

    async def say(self, line: str) -> str:
        """The line that answers this one. Raises ToolFailed."""
        if not line.isprintable():
            raise BadAnswer(f"{self._service} was not asked: a line cannot hold this.")
        self._writer.write(f"{line}\n".encode())
        await self._writer.drain()
        return await self.hear()

    async def hear(self) -> str:
        """The next line. Raises ToolFailed."""
        try:
            found = await self._reader.readuntil(b"\n")
        except asyncio.LimitOverrunError:
            found = b"x" * LARGEST_ANSWER
        self._left -= len(found)
        if self._left <= 0:
            raise BadAnswer(f"{self._service} answered with more than anyone can read: check its address.")
        return found.decode("utf-8", "replace").rstrip("\r\n")


class Lines:
    """One address. Nothing is sent before its first question."""

    def __init__(self, service: str, host: str, port: int, *, access: Access, breaker: Breaker | None = None) -> None:
        """`service` is what messages call it."""
        self.service, self.host, self._port, self._access = service, host, port, access
        self._breaker = breaker or Breaker(service)

    def asking(self) -> AbstractAsyncContextManager[None]:
        """Wrap what is asked of this service: raises CircuitOpen at once while it is given a pause."""
        return self._breaker.asking_host()

    async def close(self) -> None:
        """Nothing is open between questions."""

    async def talk(self, work: Callable[[Talk], Awaitable[T]], *, write: bool = False) -> T:
        """What `work` finds in a conversation; `write` when it may change something. Raises ToolFailed."""
        if write and self._access is not Access.WRITE:
            raise WriteRefused(f"The reading client of {self.service} was asked to change something.")
        async with self.asking():
            reader, writer = await self._connected()
            try:
                async with asyncio.timeout(DEADLINE):
                    return await work(Talk(self.service, reader, writer))
            except TimeoutError:
                raise late(self.service, write=write) from None
            except (OSError, asyncio.IncompleteReadError) as error:
                lost = f"The connection to {self.service} was lost: "
                if write:
                    raise OutcomeUnknown(f"{lost}look at the target before asking again.") from error
                raise NoAnswer(f"{lost}try again, then check that it runs.") from error
            finally:
                writer.close()

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                return await asyncio.open_connection(self.host, self._port, limit=LARGEST_ANSWER)
        except (OSError, TimeoutError) as error:
            why = "no answer while connecting" if isinstance(error, TimeoutError) else "connection refused"
            raise unreachable(self.service, unconnected(error) or (why, ADDRESS)) from error
