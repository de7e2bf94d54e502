"""The chat page's server: what a visitor sees and does, live, and the same actions for tests over HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lab.telegram.state import image_kind
from lab.view import View

WEB = Path(__file__).parent / "web"
LOOK_SECONDS = 0.3
"""How often an open page looks at what can't announce its changes: the engine and the bot's process."""
SETTLE_SECONDS = 0.02
"""Changes that come within this time reach the page together."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

Action = Callable[[dict[str, Any]], Any]


def page_app(view: View) -> ASGIApp:
    """The page and its `/lab/…` interface over everything a `View` can show and do."""

    async def asset(request: Request) -> Response:
        path = WEB / request.path_params.get("name", "index.html")
        return FileResponse(path) if path.is_file() else Response("Not Found", 404)

    async def state(request: Request) -> Response:
        chat, since = _number(request, "chat"), _number(request, "since")
        return JSONResponse(view.parts(chat, since))

    async def events(request: Request) -> Response:
        stream = _events(view, _number(request, "chat"), _number(request, "since"))
        return StreamingResponse(stream, media_type="text/event-stream", headers={"cache-control": "no-store"})

    async def messages(request: Request) -> Response:
        return JSONResponse(view.messages(_number(request, "chat")))

    async def requests(request: Request) -> Response:
        return JSONResponse(view.requests())

    async def stored(request: Request) -> Response:
        file = view.telegram.files.by_id.get(request.path_params["file_id"])
        if file is None:
            return Response("Not Found", 404)
        kind = image_kind(file.content) if file.path.startswith("photos/") else None
        media_type = f"image/{kind}" if kind else "application/octet-stream"
        return Response(file.content, media_type=media_type)

    async def photo(request: Request) -> Response:
        caption, album = (request.query_params.get(name, "") for name in ("caption", "album"))
        return JSONResponse(view.photo(_number(request, "user"), await request.body(), caption, album))

    def action(path: str, run: Action) -> Route:
        return Route(f"/lab/{path}", _post(run), methods=["POST"])

    return Starlette(
        routes=[
            Route("/", asset),
            Route("/lab/state", state),
            Route("/lab/events", events),
            Route("/lab/messages", messages),
            Route("/lab/requests", requests),
            Route("/lab/file/{file_id}", stored),
            Route("/lab/photo", photo, methods=["POST"]),
            action("send", view.send),
            action("edit", view.edit),
            action("tap", view.tap),
            action("inject", view.inject),
            action("fault", view.fault),
            action("clear", view.clear),
            action("kill", view.kill),
            action("drift", view.drift),
            action("cut", view.cut),
            Route("/{name}", asset),
        ],
        middleware=[Middleware(_Guard)],
        exception_handlers={KeyError: _refused, ValueError: _refused, TypeError: _refused},
    )


def _number(request: Request, name: str) -> int:
    return int(request.query_params.get(name, "0"))


def _post(run: Action) -> Callable[[Request], Awaitable[Response]]:
    async def handle(request: Request) -> Response:
        fields = json.loads(await request.body() or b"{}")
        if not isinstance(fields, dict):
            raise ValueError("a JSON object is expected")
        return JSONResponse(run(fields))

    return handle


async def _refused(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": f"{type(error).__name__}: {error}"}, status_code=400)


async def _events(view: View, chat: int, since: int) -> AsyncIterator[str]:
    """Server-sent events: each carries only the parts that changed since the one before."""
    sent: dict[str, str] = {}
    while True:
        parts = view.parts(chat, since)
        since = parts["version"]
        changed = {}
        for name, part in parts.items():
            encoded = json.dumps(part)
            if name in ("messages", "answers"):  # already only what is new
                if part:
                    changed[name] = part
            elif sent.get(name) != encoded:
                sent[name] = encoded
                changed[name] = part
        if changed:
            yield f"data: {json.dumps(changed)}\n\n"
        await view.telegram.wait_changed(LOOK_SECONDS)
        await asyncio.sleep(SETTLE_SECONDS)


class _Guard:
    """Refuses what another website's script asks of this server, and sets the headers of a closed page."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        origin = request.headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
            await Response("Forbidden", 403)(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message["headers"],
                    (b"content-security-policy", POLICY.encode()),
                    (b"x-content-type-options", b"nosniff"),
                    (b"referrer-policy", b"no-referrer"),
                ]
            await send(message)

        await self._app(scope, receive, guarded)
