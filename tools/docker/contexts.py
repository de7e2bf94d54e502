"""The docker command's contexts: which engine it asks when neither a setting nor its environment says."""

from hashlib import sha256
from pathlib import Path
from typing import Any

from tools.kit.strict import strict_json

LARGEST = 2**20


def current(folder: Path) -> str:
    """The context that `docker context use` has chosen; empty for the default, and where nobody can tell."""
    try:
        chosen = _read(folder / "config.json").get("currentContext")
    except (OSError, ValueError):
        return ""  # the doctor tells of a damaged file
    return chosen if isinstance(chosen, str) and chosen != "default" else ""


def endpoint(folder: Path, name: str) -> tuple[str, Path]:
    """A context's address, and the folder for its certificates. Raises ValueError: docker would not go on either."""
    its = sha256(name.encode("utf-8", "replace")).hexdigest()
    try:
        address = _read(folder / "contexts" / "meta" / its / "meta.json")["Endpoints"]["docker"]["Host"]
    except (OSError, ValueError, KeyError, TypeError):
        raise ValueError(f"there is no usable context of this name in {folder}; name one, or set DOCKER_HOST") from None
    return address, folder / "contexts" / "tls" / its / "docker"


def _read(file: Path) -> dict[str, Any]:
    """Raises OSError and ValueError."""
    with file.open("rb") as opened:
        found = strict_json(opened.read(LARGEST))
    if not isinstance(found, dict):
        raise ValueError("no object")
    return found
