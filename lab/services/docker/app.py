"""A simulated Docker Engine (API 1.47) for one host of a world."""

import re

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lab.services.docker import containers, images, storage, system
from lab.services.docker.engine.rules import EngineError
from lab.services.docker.podman import Podman
from lab.services.docker.target import Target
from lab.world import World

_VERSION = re.compile(r"/v(\d+)\.(\d+)(?=/)")


def docker_app(world: World, host: str) -> ASGIApp:
    """The Engine API of one host, as dockerd serves it."""
    app = Starlette(
        routes=[*system.routes(), *containers.routes(), *images.routes(), *storage.routes()],
        exception_handlers={EngineError: _refused, 404: _not_found, 405: _not_found},
    )
    app.state.target = Target(world, world.hosts[host])
    return _Versioned(Podman(app, world.hosts[host]))


class _Versioned:
    """Takes the API version off the path and puts the daemon's headers on every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                names = {"Api-Version": f"1.{system.API}", "Docker-Experimental": "false", "Ostype": "linux"}
                more = [(name.lower().encode(), value.encode()) for name, value in names.items()]
                message = {**message, "headers": [*message["headers"], *more]}
            await send(message)

        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope = {**scope, "api_version": system.API}
        if found := _VERSION.match(scope["path"]):
            minor = int(found[2]) if found[1] == "1" else 10**6
            if problem := _unsupported(found[0][2:], minor):
                await JSONResponse({"message": problem}, 400)(scope, receive, send_with_headers)
                return
            scope |= {"path": scope["path"][found.end() :], "raw_path": b"", "api_version": minor}
        await self.app(scope, receive, send_with_headers)


def _unsupported(version: str, minor: int) -> str:
    if minor > system.API:
        return f"client version {version} is too new. Maximum supported API version is 1.{system.API}"
    if minor < system.OLDEST_API:
        oldest = f"Minimum supported API version is 1.{system.OLDEST_API}"
        return f"client version {version} is too old. {oldest}, please upgrade your client to a newer version"
    return ""


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, EngineError)
    return JSONResponse({"message": error.message}, error.status)


async def _not_found(request: Request, error: Exception) -> Response:
    return JSONResponse({"message": "page not found"}, 404)
