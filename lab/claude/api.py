"""The Messages API over HTTP: authentication, JSON and streamed answers, errors in Anthropic's shape."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import NoReturn

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from lab.claude.double import Break, Claude
from lab.claude.errors import ApiError, bad_request, error_body
from lab.claude.models import MODELS, find_model, model_info
from lab.claude.reply import Json
from lab.claude.sse import encode, events, half_way
from lab.server import HANG_UP

VERSIONS = {"2023-06-01", "2026-10-21"}
Handler = Callable[[Request], Awaitable[Response]]


def claude_app(claude: Claude) -> ASGIApp:
    """The app that serves `claude`; its root is what the SDK takes as `base_url`."""

    async def create(request: Request) -> Response:
        body = await _body(request)
        message, reply = claude.answer(body)
        if not body.get("stream"):
            return JSONResponse(message)
        stream = list(events(message, claude.rng, cut_json=reply.cut_json))
        broken = claude.mid_stream.popleft() if claude.mid_stream else None
        return StreamingResponse(
            _streamed(stream, broken, claude, request), media_type="text/event-stream; charset=utf-8"
        )

    async def count(request: Request) -> Response:
        return JSONResponse({"input_tokens": claude.count(await _body(request))})

    async def models(request: Request) -> Response:
        listed = [model_info(model) for model in MODELS.values()]
        return JSONResponse(
            {"data": listed, "has_more": False, "first_id": listed[0]["id"], "last_id": listed[-1]["id"]}
        )

    async def model(request: Request) -> Response:
        return JSONResponse(model_info(find_model(request.path_params["id"])))

    async def nothing(request: Request) -> Response:
        raise ApiError(404, "Not found")

    routes: list[tuple[str, str, Handler]] = [
        ("POST", "/v1/messages", create),
        ("POST", "/v1/messages/count_tokens", count),
        ("GET", "/v1/models", models),
        ("GET", "/v1/models/{id}", model),
    ]
    app = Starlette(
        routes=[Route(path, _guarded(claude, handler), methods=[method]) for method, path, handler in routes]
        + [Route("/{path:path}", _guarded(claude, nothing), methods=["GET", "POST", "PUT", "PATCH", "DELETE"])]
    )

    async def reachable(scope: Scope, receive: Receive, send: Send) -> None:
        if claude.cut and scope["type"] == "http" and HANG_UP in scope:
            scope[HANG_UP]()
        else:
            await app(scope, receive, send)

    return reachable


def _guarded(claude: Claude, handler: Handler) -> Handler:
    """The handler behind authentication and version check, its errors in the API's shape."""

    async def guarded(request: Request) -> Response:
        request_id = f"req_{secrets.token_hex(12)}"
        try:
            if claude.cut:
                raise ApiError(529, "Overloaded")
            _authenticate(claude, request)
            response = await handler(request)
        except ApiError as error:
            body = error_body(error.status, error.message, request_id=request_id)
            response = JSONResponse(body, status_code=error.status)
        response.headers["request-id"] = request_id
        return response

    return guarded


def _authenticate(claude: Claude, request: Request) -> None:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme != "Bearer" or not key.strip():
        raise ApiError(401, "Authorization: Bearer header is required")
    if claude.keys is not None and key not in claude.keys:
        raise ApiError(401, "invalid api key")
    version = request.headers.get("anthropic-version")
    if version is None:
        bad_request("anthropic-version: header is required")
    if version not in VERSIONS:
        bad_request(f"anthropic-version: {version} is not a valid version")


async def _body(request: Request) -> Json:
    try:
        body = json.loads(await request.body(), parse_constant=_no_constant)
    except ValueError:
        bad_request("The request body is not valid JSON")
    if not isinstance(body, dict):
        bad_request("The request body must be a JSON object")
    return body


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


async def _streamed(stream: list[Json], broken: Break | None, claude: Claude, request: Request) -> AsyncIterator[bytes]:
    stop = half_way(stream) if broken else len(stream)
    for event in stream[:stop]:
        if event.get("delta", {}).get("type") == "text_delta" and claude.pace:
            await asyncio.sleep(claude.pace)
        yield encode(event)
    if broken == "error":
        yield encode(error_body(529, "Overloaded"))
    elif broken == "stall":
        await asyncio.Event().wait()
    elif broken == "drop":
        request.scope[HANG_UP]()
