"""Registries (API v2): which digest a tag stands for now, and which tags there are. The host comes from an image's
name: nothing is sent to it but what a pull of that image would send."""

import asyncio
import base64
import re
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx

from tools.kit.context import Access
from tools.kit.errors import BadAnswer, Refused, ToolFailed, Unauthorised
from tools.kit.http import Api
from tools.kit.masking import seen
from tools.kit.raw import record, text
from tools.kit.registries.names import DIGEST, HUB, Credentials, Reference
from tools.kit.strict import strict_json

ADDRESSES = {HUB: "https://registry-1.docker.io", "lscr.io": "https://ghcr.io"}
"""Where registries are really asked whose name is another; the second one only redirects there."""
MANIFESTS = ", ".join(
    f"application/vnd.{kind}+json"
    for kind in ("oci.image.index.v1", "docker.distribution.manifest.list.v2", "oci.image.manifest.v1",
                 "docker.distribution.manifest.v2")
)  # fmt: skip
"""What an engine would accept: its digest of an image is that of the first of these that there is."""
DEADLINE = 8.0
PAGE = 1000
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
_PATH = re.compile(r"/v2/(.+)/(?:manifests|tags)/")


class Registries:
    """Asks registries, each with what the docker command keeps for it. Nothing is sent before the first question."""

    def __init__(self, find: Callable[[str], Credentials], addresses: Mapping[str, str]) -> None:
        """`find` gives what is kept for a registry; `addresses`, where one is asked instead of under its name."""
        self._find, self._addresses = find, {**ADDRESSES, **addresses}
        self._apis: dict[str, Api] = {}

    async def digest(self, image: Reference) -> str:
        """The digest that the tag stands for now. Raises ToolFailed."""
        api = await self._api(image)
        path, segments = _path(image, "manifests", image.tag)
        answer = await api.request("HEAD", path, *segments, headers={"Accept": MANIFESTS})
        found: str = answer.headers.get("Docker-Content-Digest", "")
        if not DIGEST.fullmatch(found):
            raise BadAnswer(f"{api.service} did not say which digest the tag has: look at it there.")
        return found

    async def tags(self, image: Reference) -> list[str]:
        """Every tag of the image's repository. Raises ToolFailed, also where there are too many to be read."""
        api = await self._api(image)
        path, segments = _path(image, "tags", "list")
        found, more = await api.pages(str, path, *segments, turn=_next, at=("tags",), params={"n": PAGE})
        if more:
            raise BadAnswer(f"{api.service} has more tags of it than I read: look at it there.")
        return found

    async def close(self) -> None:
        """Hang up."""
        apis, self._apis = self._apis, {}
        for api in apis.values():
            await api.close()

    async def _api(self, image: Reference) -> Api:
        if image.registry not in self._apis:
            address = self._addresses.get(image.registry) or _address(image.registry)
            auth = Pass(address, await asyncio.to_thread(self._find, image.registry))
            name = f"The registry {image.registry}"
            self._apis.setdefault(image.registry, Api(name, address, access=Access.READ, auth=auth, deadline=DEADLINE))
        return self._apis[image.registry]


class Pass(httpx.Auth):
    """Gets a token for one repository at a time, for reading alone, as the registry's own answer says where."""

    requires_response_body = True

    def __init__(self, address: str, kept: Credentials) -> None:
        self._address, self._kept = urlsplit(address), kept
        self._headers: dict[str, str] = {}
        """Repository → what lets us read it."""

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Send it; after a 401 once more, with what the answer asks for. Raises ToolFailed."""
        found = _PATH.search(request.url.path)
        repository = found[1] if found else ""
        if header := self._headers.get(repository):
            request.headers["Authorization"] = header
        answer = yield request
        if answer.status_code != 401:
            return
        kind, _, given = answer.headers.get("WWW-Authenticate", "").partition(" ")
        match kind.lower():
            case "bearer" if token := self._kept.get("registrytoken"):
                header = f"Bearer {token}"
            case "bearer":
                told = yield self._ask(dict(_CHALLENGE.findall(given)), repository)
                header = f"Bearer {_token(told)}"
            case "basic" if self._kept.get("password"):
                header = self._basic()
            case _:
                return
        self._headers[repository] = request.headers["Authorization"] = header
        yield request

    def _ask(self, challenge: Mapping[str, str], repository: str) -> httpx.Request:
        realm, here = challenge.get("realm", ""), self._address
        there = urlsplit(realm)
        # The registry chooses where the password goes: nowhere in the clear, and not to whom it has not come from.
        if there.scheme != "https" and (there.scheme, there.netloc) != (here.scheme, here.netloc):
            raise Refused("The registry wants a login at a place that is not encrypted: nothing was sent there.")
        params = {"scope": f"repository:{repository}:pull"}
        if service := challenge.get("service"):
            params["service"] = service
        headers = {"Authorization": self._basic()} if self._kept.get("password") else {}
        return httpx.Request("GET", realm, params={**dict(parse_qsl(there.query)), **params}, headers=headers)

    def _basic(self) -> str:
        pair = f"{self._kept.get('username', '')}:{self._kept['password']}"
        return f"Basic {base64.b64encode(pair.encode()).decode()}"


def _token(answer: httpx.Response) -> str:
    if answer.status_code in (401, 403):
        raise Unauthorised("The registry does not accept what is kept for it: docker login mends it.")
    if not answer.is_success:
        raise ToolFailed(f"The registry's login answered HTTP {answer.status_code}: try again later.")
    try:
        told = record(strict_json(answer.content))
    except ValueError:
        told = {}
    token = text(told.get("token")) or text(told.get("access_token"))
    if not re.fullmatch(r"[!-~]+", token):
        raise BadAnswer("The registry's login was answered with something that holds no token.")
    seen.learn([f"REGISTRY_TOKEN={token}"])
    return token


def _path(image: Reference, *last: str) -> tuple[str, list[str]]:
    segments = [*image.repository.split("/"), *last]
    return "/v2" + "/{}" * len(segments), segments


def _next(body: Any, headers: Mapping[str, str]) -> dict[str, str] | None:
    """The parameters of the page that a Link header names."""
    found = re.search(r'<([^>]*)>;\s*rel="?next"?', headers.get("Link", ""))
    return dict(parse_qsl(urlsplit(found[1]).query)) if found else None


def _address(registry: str) -> str:
    """Where a registry is: encrypted, but for this very machine, as the engine has it."""
    try:
        name = urlsplit(f"//{registry}").hostname or ""
    except ValueError:
        name = ""
    return f"{'http' if name in ('localhost', '127.0.0.1', '::1') else 'https'}://{registry}"
