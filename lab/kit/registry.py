"""Simulated registries (API v2) with tokens, pages, private repositories and a limit; each below a path of its name."""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp

from lab.kit.rest import Answer, Asked, Json, Refusal, api

HUB = "docker.io"
INDEX = "application/vnd.oci.image.index.v1+json"
LIMITED = "You have reached your pull rate limit."


@dataclass
class Registries:
    """What all registries have, and who may read it how often."""

    offers: Callable[[], Mapping[str, str]]
    """Every image by its usual name, `ghcr.io/me/app:1`, with its digest."""
    secret: Callable[[], str]
    """A new token."""
    left: int | None = None
    """How many more questions are answered before they ask to slow down; None: any number."""
    private: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Repository → who alone may read it, with the password."""
    tokens: dict[str, str] = field(default_factory=dict)
    """Token → the repository that it opens."""

    def names(self) -> list[str]:
        """The registries that there are."""
        return sorted({_parts(image)[0] for image in self.offers()})

    def app(self) -> ASGIApp:
        """Their server."""
        place = "/{registry}/v2/{name:path}"
        manifest, tags = f"{place}/manifests/{{reference}}", f"{place}/tags/list"
        routes = {"GET /token": self._login, f"HEAD {manifest}": self._manifest, f"GET {tags}": self._tags}
        return api(routes, error=_error)

    def _login(self, asked: Asked) -> Json:
        """One that opens one repository."""
        name = asked.query.get("scope", "").removeprefix("repository:").removesuffix(":pull")
        basic = base64.b64encode(":".join(self.private.get(name, ())).encode()).decode()
        if name in self.private and asked.headers.get("authorization", "") != f"Basic {basic}":
            raise Refusal(401, "UNAUTHORIZED")
        token = self.secret()
        self.tokens[token] = name
        return {"token": token, "expires_in": 300}

    def _manifest(self, asked: Asked) -> Answer:
        digest = self._of(asked).get(asked.path["reference"])
        if digest is None or INDEX not in asked.headers.get("accept", ""):
            raise Refusal(404, "MANIFEST_UNKNOWN")
        return Answer({"mediaType": INDEX}, headers={"Docker-Content-Digest": digest})

    def _tags(self, asked: Asked) -> Answer:
        every, size, name = sorted(self._of(asked)), asked.number("n", 100), asked.path["name"]
        rest = [tag for tag in every if tag > asked.query.get("last", "")]
        page = rest[:size]
        more = f'</v2/{name}/tags/list?last={page[-1]}&n={size}>; rel="next"' if len(rest) > size else ""
        return Answer({"name": name, "tags": page}, headers={"Link": more} if more else {})

    def _of(self, asked: Asked) -> dict[str, str]:
        """The tags of the repository, for whoever has a token for it. Raises Refusal."""
        registry, name = asked.path["registry"], asked.path["name"]
        if self.tokens.get(asked.headers.get("authorization", "").removeprefix("Bearer ")) != name:
            place = f"http://{asked.headers['host']}/token"
            words = f'Bearer realm="{place}",service="registry.lab",scope="repository:{name}:pull"'
            raise Refusal(401, "UNAUTHORIZED", {"WWW-Authenticate": words})
        if self.left is not None:
            if self.left < 1:
                raise Refusal(429, "TOOMANYREQUESTS", {"Retry-After": "60"})
            self.left -= 1
        found = {image.rpartition(":")[2]: digest for image, digest in self.offers().items()
                 if _parts(image) == (registry, name)}  # fmt: skip
        if not found:
            raise Refusal(404, "NAME_UNKNOWN")
        return found


def _parts(image: str) -> tuple[str, str]:
    """Registry and repository, spelled out."""
    name = image.rpartition(":")[0]
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first):
        return first, rest
    return HUB, name if slash else f"library/{name}"


def _error(status: int, words: str) -> Any:
    return {"errors": [{"code": words, "message": LIMITED if status == 429 else words.lower().replace("_", " ")}]}
