"""Errors as the Messages API words them."""

from typing import Any, NoReturn

TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    529: "overloaded_error",
}


class ApiError(Exception):
    """A request that is answered with an error status instead of a message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def bad_request(message: str) -> NoReturn:
    """Refuse the request with a 400."""
    raise ApiError(400, message)


def error_body(status: int, message: str, *, request_id: str = "", **details: Any) -> dict[str, Any]:
    """The JSON body of an error; `details` (for example `error_code`) go where the SDK looks for them."""
    error: dict[str, Any] = {"type": TYPES.get(status, "api_error"), "message": message}
    if details:
        error["details"] = details
    return {"type": "error", "error": error, "request_id": request_id or None}
