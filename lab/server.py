"""HTTP servers of the lab: several in one event loop, stopped at once, able to hang up on a client."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

HANG_UP = "lab.hang_up"
"""Key in the ASGI scope of a function that closes the client's socket without finishing the answer."""


class Protocol(H11Protocol):
    """uvicorn's HTTP/1.1 connection, plus a way for an app to hang up on its client."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._handle: Any = self.app
        self.app = self._serve_request

    async def _serve_request(self, scope: Any, receive: Any, send: Any) -> None:
        scope[HANG_UP] = self.hang_up
        try:
            await self._handle(scope, receive, send)
        except asyncio.CancelledError:
            # Only Server.stop cancels a request; swallowed here because uvicorn logs it as a crash.
            self.hang_up()

    def hang_up(self) -> None:
        """Close the socket after what is already written; later writes of this request go nowhere."""
        if self.cycle is not None:
            self.cycle.disconnected = True
        self.transport.close()


@dataclass
class Server:
    """A running server: its address, and a way to stop it."""

    url: str
    port: int
    _listener: asyncio.Server
    _state: ServerState
    _path: Path | None = field(default=None)

    async def stop(self) -> None:
        """Close the port, end every open request (long polls, event streams) and every connection."""
        self._listener.close()
        tasks = list(self._state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for connection in list(self._state.connections):
            connection.transport.abort()
        await self._listener.wait_closed()
        await asyncio.sleep(0)  # lets the aborted transports close their sockets
        if self._path is not None:
            self._path.unlink(missing_ok=True)


async def serve(app: ASGIApp, *, port: int = 0, uds: str | None = None, tls: ssl.SSLContext | None = None) -> Server:
    """Serve `app` on 127.0.0.1 (port 0: a free one) or on a unix socket, in the running event loop.

    Raises OSError when the port is taken.
    """
    config = Config(
        _typed(app),
        http=Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        timeout_keep_alive=120,
    )
    config.load()
    state = ServerState()
    loop = asyncio.get_running_loop()

    def connection() -> Protocol:
        return Protocol(config, state, {}, loop)

    if uds is not None:
        listener = await loop.create_unix_server(connection, path=uds)
        return Server(f"unix://{uds}", 0, listener, state, Path(uds))
    listener = await loop.create_server(connection, host="127.0.0.1", port=port, family=socket.AF_INET, ssl=tls)
    bound = listener.sockets[0].getsockname()[1]
    return Server(f"http{'s' if tls else ''}://127.0.0.1:{bound}", bound, listener, state)


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class LineServer:
    """A server of a line protocol on a free port of 127.0.0.1."""

    def __init__(self, handler: Handler) -> None:
        self._handler, self._open = handler, set[asyncio.Task[None]]()
        self.url, self.port = "", 0

    async def start(self) -> "LineServer":
        """Listen."""
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._listener.sockets[0].getsockname()[1]
        self.url = f"tcp://127.0.0.1:{self.port}"
        return self

    async def stop(self) -> None:
        """Close the port and every conversation."""
        self._listener.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "each conversation is one"
        self._open.add(task)
        task.add_done_callback(self._open.discard)
        await self._handler(reader, writer)


def _typed(app: ASGIApp) -> Any:
    """The app as a plain coroutine function, which uvicorn recognises whatever the app's class is."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await app(scope, receive, send)

    return application
