"""Names of images in their parts, and how registries are called."""

import re
from dataclasses import dataclass

Credentials = dict[str, str]
"""username and password, or registrytoken, as the docker command keeps them; empty where it keeps nothing."""
HUB = "docker.io"
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Reference:
    """An image's name in its parts."""

    registry: str
    repository: str
    tag: str
    digest: str = ""

    @classmethod
    def of(cls, image: str) -> "Reference | None":
        """The parts of a name; None for what is none, such as the id of an image."""
        name, _, digest = image.partition("@")
        head, slash, last = name.rpartition("/")
        last, colon, tag = last.partition(":")
        registry, path = registry_of(name), f"{head}{slash}{last}"
        if registry != HUB or re.match(r"(index\.)?docker\.io/", path):
            path = path.partition("/")[2]
        if not path or DIGEST.fullmatch(image) or re.fullmatch(r"[0-9a-f]{12,64}", image):
            return None
        if registry == HUB and "/" not in path:
            path = f"library/{path}"
        return cls(registry, path, tag or ("" if digest else "latest"), digest)


def registry_of(image: str) -> str:
    """The registry that an image comes from."""
    first, slash, _ = image.partition("/")
    elsewhere = slash and (first == "localhost" or "." in first or ":" in first)
    return host_of(first) if elsewhere else HUB


def host_of(address: str) -> str:
    """A registry's host, however its address is written."""
    host = re.sub(r"^https?://", "", address).partition("/")[0]
    return HUB if host == f"index.{HUB}" else host
