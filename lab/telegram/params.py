"""The parameters of a Bot API request, whichever of Telegram's encodings it came in."""

import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from lab.telegram.checks import bad_request, words

PLAIN = words(
    "text caption parse_mode callback_query_id url photo document file_id description language_code action",
    "short_description name title emoji message_effect_id business_connection_id",
)
"""Parameters that are text even when they look like a number or an object."""


@dataclass(frozen=True)
class Upload:
    """A file in a multipart request."""

    name: str
    content: bytes


@dataclass
class Params:
    """Parameters by name, with typed readers that refuse the way Telegram does."""

    raw: dict[str, Any]
    """As sent, JSON inside form fields already decoded."""
    files: dict[str, Upload] = field(default_factory=dict)

    def text(self, name: str, default: str = "") -> str:
        """A text, or the default when it is missing."""
        value = self.raw.get(name)
        if value is None:
            return default
        if not isinstance(value, str):
            raise bad_request(f'field "{name}" must be of type String')
        return value

    def integer(self, name: str, default: int | None = None) -> int:
        """A whole number; refused when it is missing and has no default."""
        value = self.raw.get(name)
        if value is None and default is not None:
            return default
        if isinstance(value, str) and re.fullmatch(r"-?\d+", value):
            return int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            missing = "is missing" if value is None else "must be an Integer"
            raise bad_request(f'parameter "{name}" {missing}')
        return value

    def flag(self, name: str) -> bool:
        """Whether a switch is on."""
        return self.raw.get(name) in (True, 1, "true", "True", "1")

    def object(self, name: str) -> Any:
        """A decoded JSON value, or None."""
        value = self.raw.get(name)
        if isinstance(value, str):
            try:
                return json.loads(value)
            except ValueError:
                raise bad_request(f'can\'t parse "{name}": not valid JSON') from None
        return value


def read_params(content_type: str, query: str, body: bytes) -> Params:
    """Parameters of the query string and of a JSON, form or multipart body."""
    params = Params({name: _decoded(name, value) for name, value in parse_qsl(query)})
    if content_type.startswith("application/json"):
        try:
            fields = json.loads(body or b"{}")
        except ValueError:
            raise bad_request("can't parse JSON object") from None
        if not isinstance(fields, dict):
            raise bad_request("JSON object expected")
        params.raw |= {name: value for name, value in fields.items() if value is not None}
    elif content_type.startswith("application/x-www-form-urlencoded"):
        pairs = parse_qsl(body.decode(), keep_blank_values=True)
        params.raw |= {name: _decoded(name, value) for name, value in pairs}
    elif content_type.startswith("multipart/form-data"):
        _read_multipart(content_type, body, params)
    return params


def _decoded(name: str, value: str) -> Any:
    if name in PLAIN:
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _read_multipart(content_type: str, body: bytes, params: Params) -> None:
    match = re.search(r'boundary="?([^";,]+)', content_type)
    if match is None:
        raise bad_request("multipart body without a boundary")
    for part in (b"\r\n" + body).split(b"\r\n--" + match.group(1).encode())[1:]:
        if part.startswith(b"--"):
            return
        head, _, content = part.partition(b"\r\n\r\n")
        names = dict(re.findall(r'\b(name|filename)="([^"]*)"', head.decode("utf-8", "replace")))
        name = names.get("name", "")
        if "filename" in names:
            params.files[name] = Upload(names["filename"], content)
        else:
            params.raw[name] = _decoded(name, content.decode())
