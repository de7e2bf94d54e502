"""The Bot API over HTTP: token, method, answer; and the files behind it."""

import asyncio
import re
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from lab.telegram import account, sending
from lab.telegram.checks import ApiError
from lab.telegram.params import Params, read_params
from lab.telegram.world import TelegramWorld

Method = Callable[[TelegramWorld, Params], Any]

METHODS: dict[str, Method] = {
    "answercallbackquery": account.answer_callback_query,
    "deletemessage": sending.delete_message,
    "deletemycommands": account.delete_my_commands,
    "deletewebhook": account.delete_webhook,
    "editmessagecaption": sending.edit_message_caption,
    "editmessagemedia": sending.edit_message_media,
    "editmessagereplymarkup": sending.edit_message_reply_markup,
    "editmessagetext": sending.edit_message_text,
    "getchat": account.get_chat,
    "getfile": account.get_file,
    "getme": account.get_me,
    "getmycommands": account.get_my_commands,
    "getwebhookinfo": account.get_webhook_info,
    "leavechat": account.leave_chat,
    "sendchataction": account.send_chat_action,
    "senddocument": sending.send_document,
    "sendmessage": sending.send_message,
    "sendphoto": sending.send_photo,
    "setmycommands": account.set_my_commands,
}
"""Method names in lower case, as Telegram compares them."""
TOKEN = re.compile(r"\d+:[\w-]+")
"""What Telegram can read as a token at all."""
CLIENT_GONE = 499
"""The status noted for a long poll whose client hung up; nobody receives it."""


def telegram_app(world: TelegramWorld) -> ASGIApp:
    """The Bot API of one simulated Telegram."""

    async def call(request: Request) -> Response:
        try:
            _check_token(world, request)
            params = read_params(request.headers.get("content-type", ""), request.url.query, await request.body())
            method = request.path_params["method"].lower()
            if method == "getupdates":
                result = await _poll(world, request, params)
                if result is None:
                    return Response(status_code=CLIENT_GONE)
            else:
                result = _result(world, method, params)
        except ApiError as error:
            return _refusal(error)
        return JSONResponse({"ok": True, "result": result})

    async def download(request: Request) -> Response:
        try:
            _check_token(world, request)
        except ApiError as error:
            return _refusal(error)
        stored = world.files.at(request.path_params["path"])
        if stored is None:
            return _refusal(ApiError(404, "Not Found"))
        return Response(stored.content, media_type="application/octet-stream")

    return Starlette(
        routes=[
            Route("/bot{token}/{method}", call, methods=["GET", "POST"]),
            Route("/file/bot{token}/{path:path}", download, methods=["GET"]),
        ],
        exception_handlers={404: _not_found},
    )


def _result(world: TelegramWorld, method: str, params: Params) -> Any:
    if method not in METHODS:
        raise ApiError(404, "Not Found")
    return METHODS[method](world, params)


async def _poll(world: TelegramWorld, request: Request, params: Params) -> list[dict[str, Any]] | None:
    """The next updates, or None when the client hung up before there were any."""
    updates = asyncio.create_task(
        world.updates.get(
            offset=params.integer("offset", 0),
            limit=params.integer("limit", 100),
            seconds=params.integer("timeout", 0),
            allowed=params.object("allowed_updates"),
        )
    )
    updates.add_done_callback(lambda task: task.cancelled() or task.exception())  # also when nobody is left to ask
    gone = asyncio.create_task(_hung_up(request))
    try:
        await asyncio.wait((updates, gone), return_when=asyncio.FIRST_COMPLETED)
        return updates.result() if updates.done() else None
    finally:
        updates.cancel()
        gone.cancel()


async def _hung_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _check_token(world: TelegramWorld, request: Request) -> None:
    token = request.path_params["token"]
    if not TOKEN.fullmatch(token):
        raise ApiError(404, "Not Found")
    if token != world.token:
        raise ApiError(401, "Unauthorized")


async def _not_found(request: Request, error: Exception) -> Response:
    return _refusal(ApiError(404, "Not Found"))


def _refusal(error: ApiError) -> Response:
    shown: dict[str, Any] = {"ok": False, "error_code": error.code, "description": error.description}
    if error.parameters:
        shown["parameters"] = error.parameters
    return JSONResponse(shown, status_code=error.code)
