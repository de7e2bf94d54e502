"""Reading what a Docker client asks: query values, filters and JSON bodies."""

import json
import re
from collections.abc import Callable, Iterable
from datetime import datetime

from starlette.requests import Request

from lab.services.docker.engine.model import Json
from lab.services.docker.engine.rules import EngineError

Filters = dict[str, list[str]]


def flag(request: Request, name: str, default: bool = False) -> bool:
    """A boolean as dockerd reads it: everything but a few words for no is yes."""
    value = request.query_params.get(name)
    return default if value is None else value.lower() not in ("", "0", "no", "false", "none")


def integer(request: Request, name: str, default: int | None = None) -> int | None:
    """A whole number, or 400."""
    value = request.query_params.get(name)
    if value in (None, ""):
        return default
    try:
        return int(str(value))
    except ValueError:
        raise EngineError(400, f'strconv.Atoi: parsing "{value}": invalid syntax') from None


def moment(request: Request, name: str) -> float | None:
    """A time given as Unix seconds or RFC 3339, or 400."""
    value = request.query_params.get(name)
    if value in (None, "", "0"):
        return None
    try:
        return float(str(value))
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(str(value)).timestamp()
    except ValueError:
        raise EngineError(400, f'strconv.ParseInt: parsing "{value}": invalid syntax') from None


def filters(request: Request, known: Iterable[str]) -> Filters:
    """The filters, from both spellings: a map of lists and a map of maps."""
    text = request.query_params.get("filters")
    if not text:
        return {}
    try:
        given = json.loads(text)
    except ValueError as error:
        raise EngineError(400, f"invalid filter: {error}") from None
    if not isinstance(given, dict):
        raise EngineError(400, "invalid filter: json: cannot unmarshal into map[string]map[string]bool")
    result: Filters = {}
    for name, values in given.items():
        if name not in known:
            raise EngineError(400, f"invalid filter '{name}'")
        if not isinstance(values, list | dict):
            raise EngineError(400, f"invalid filter '{name}'")
        result[name] = [str(value) for value in values if not isinstance(values, dict) or values[value]]
    return result


def truth(given: Filters, name: str, default: bool) -> bool:
    """A filter that holds one boolean, or 400."""
    values = {value.lower() for value in given.get(name, [])}
    if not values:
        return default
    if values <= {"1", "true"}:
        return True
    if values <= {"0", "false"}:
        return False
    raise EngineError(400, f"invalid filter '{name}={sorted(values)}'")


def labelled(given: Filters) -> Callable[[dict[str, str] | None], bool]:
    """Whether labels pass the `label` and `label!` filters."""

    def has(labels: dict[str, str], wanted: str) -> bool:
        name, equals, value = wanted.partition("=")
        return name in labels and (not equals or labels[name] == value)

    def passes(labels: dict[str, str] | None) -> bool:
        mine = labels or {}
        refused = any(has(mine, wanted) for wanted in given.get("label!", []))
        return not refused and all(has(mine, wanted) for wanted in given.get("label", []))

    return passes


def before_until(given: Filters, now: float) -> Callable[[float], bool]:
    """Whether a creation time passes the `until` filter, a duration such as 24h or a time."""
    limits = [_until(value, now) for value in given.get("until", [])]
    return lambda created: all(created < limit for limit in limits)


def _until(value: str, now: float) -> float:
    parts = re.findall(r"(\d+)([dhms])", value)
    if parts and "".join(number + unit for number, unit in parts) == value:
        seconds = {"d": 86400, "h": 3600, "m": 60, "s": 1}
        return now - sum(int(number) * seconds[unit] for number, unit in parts)
    try:
        return float(value) if value.isdigit() else datetime.fromisoformat(value).timestamp()
    except ValueError:
        raise EngineError(400, f"invalid filter 'until={value}'") from None


async def body(request: Request) -> Json:
    """The JSON object in the request's body, or 400."""
    kind = request.headers.get("content-type", "")
    if kind.partition(";")[0].strip() != "application/json":
        raise EngineError(400, f"unsupported Content-Type header ({kind}): must be 'application/json'")
    raw = await request.body()
    if not raw.strip():
        raise EngineError(400, "invalid JSON: got EOF while reading request body")
    try:
        given = json.loads(raw)
    except ValueError as error:
        raise EngineError(400, f"invalid JSON: {error}") from None
    if not isinstance(given, dict):
        raise EngineError(400, "invalid JSON: json: cannot unmarshal into Go value of type struct")
    return given
