"""The one map from client errors to ours: what may have taken effect, and what is said about it."""

import errno
import socket
import ssl
from http.client import BadStatusLine, RemoteDisconnected

import pytest
import requests
from requests import exceptions as lost
from urllib3.connection import HTTPConnection
from urllib3.exceptions import MaxRetryError, NameResolutionError, NewConnectionError, ProtocolError

from tools.kit import (
    BadAnswer,
    Conflict,
    Gone,
    NoAnswer,
    OutcomeUnknown,
    RateLimited,
    Refused,
    ToolFailed,
    Unauthorised,
    Unreachable,
)
from tools.kit.failures import from_requests, quote

HERE = HTTPConnection("nas")


def answered(status: int, body: str = "", **headers: str) -> requests.HTTPError:
    response = requests.Response()
    response.status_code = status
    response._content = body.encode()
    response.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return requests.HTTPError(response=response)


def wrapped(cause: Exception) -> lost.ConnectionError:
    return lost.ConnectionError(MaxRetryError(None, "/", cause))  # type: ignore[arg-type]


@pytest.mark.parametrize("write", [False, True])
@pytest.mark.parametrize(
    ("status", "error"),
    [(301, Refused), (400, Refused), (401, Unauthorised), (403, Unauthorised), (404, Gone), (409, Conflict),
     (418, Refused), (429, RateLimited), (204, BadAnswer)],
)  # fmt: skip
def test_an_answer_below_500_is_final(status: int, error: type[ToolFailed], write: bool) -> None:
    found = from_requests(answered(status), "Docker on nas", write=write)
    assert type(found) is error and not found.sent


@pytest.mark.parametrize(("status", "error"), [(500, ToolFailed), (502, NoAnswer), (503, NoAnswer), (504, NoAnswer)])
def test_a_failure_inside_is_unknown_only_for_a_write(status: int, error: type[ToolFailed]) -> None:
    assert type(from_requests(answered(status), "Docker on nas", write=True)) is OutcomeUnknown
    assert type(from_requests(answered(status), "Docker on nas", write=False)) is error


def test_a_change_may_miss_something_else_than_its_target() -> None:
    """The words say what; without any, and for a read, it can only be the target."""
    words = '{"message": "network media not found"}'
    change = from_requests(answered(404, words), "Docker on nas", write=True)
    assert change.said == "network media not found"
    assert str(change).startswith("Docker on nas does not have this or what it needs (network media not found): ")
    for body, write in (("", True), (words, False)):
        said = str(from_requests(answered(404, body), "Docker on nas", write=write))
        assert "does not have this" in said and "what it needs" not in said


@pytest.mark.parametrize(("status", "answered_itself"), [(500, True), (501, True), (502, False), (503, False)])
def test_only_the_service_itself_is_done_when_it_has_answered(status: int, answered_itself: bool) -> None:
    found = from_requests(answered(status), "Docker on nas", write=True)
    assert isinstance(found, OutcomeUnknown) and found.answered is answered_itself
    assert not from_requests(lost.ReadTimeout(), "Docker on nas", write=True).answered  # type: ignore[attr-defined]


def test_what_is_not_implemented_is_not_worth_another_try() -> None:
    found = from_requests(answered(501, '{"message": "no such thing"}'), "Docker on nas", write=False)
    assert type(found) is Refused and "(no such thing): asking again does not help" in str(found)
    assert type(from_requests(answered(501), "Docker on nas", write=True)) is OutcomeUnknown


def test_only_a_401_rejects_the_credential_itself() -> None:
    rejected = {status: from_requests(answered(status), "Docker on nas", write=False) for status in (401, 403)}
    assert {status: getattr(error, "rejected", None) for status, error in rejected.items()} == {401: True, 403: False}


def test_a_redirect_of_a_write_to_its_result_is_unknown() -> None:
    assert type(from_requests(answered(303), "Docker on nas", write=True)) is OutcomeUnknown
    assert type(from_requests(answered(303), "Docker on nas", write=False)) is Refused


@pytest.mark.parametrize(
    "body",
    ['{"message": "no room"}', '{"error": {"key": "x", "message": "no room"}}', '{"errors": [{"message": "no room"}]}',
     '{"detail": "no room"}', '{"meta": {"rc": "error", "msg": "no room"}}', '"no room"'],
)  # fmt: skip
def test_the_services_own_words_are_found_wherever_they_are(body: str) -> None:
    assert "(no room)" in str(from_requests(answered(400, body), "Docker on nas", write=True))


def alert(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, f"[SSL: {reason}]")
    error.reason = reason
    return error


def while_connecting(cause: Exception) -> lost.ConnectionError:
    begun = NewConnectionError(HERE, "no")
    begun.__cause__ = cause
    return wrapped(begun)


@pytest.mark.parametrize("write", [False, True])
@pytest.mark.parametrize(
    ("error", "why"),
    [
        (
            while_connecting(OSError(errno.EHOSTUNREACH, "No route to host")),
            "(no route to host): check that its machine",
        ),
        (while_connecting(OSError(errno.ENETUNREACH, "Network is unreachable")), "(network is unreachable)"),
        (while_connecting(ssl.SSLEOFError()), "hung up instead of speaking TLS"),
        (while_connecting(alert("TLSV13_ALERT_CERTIFICATE_REQUIRED")), "does not accept our certificate"),
        (while_connecting(alert("TLSV1_ALERT_UNKNOWN_CA")), "does not accept our certificate"),
        (while_connecting(alert("UNSUPPORTED_PROTOCOL")), "no TLS connection came about"),
        (lost.SSLError(alert("WRONG_VERSION_NUMBER")), "speaks no TLS there"),
        (wrapped(NewConnectionError(HERE, "refused")), "no connection"),
        (wrapped(NameResolutionError("nas", HERE, socket.gaierror())), "name is unknown"),
        (lost.ConnectTimeout(), "while connecting"),
        (lost.SSLError(ssl.SSLCertVerificationError()), "not trusted"),
        (lost.SSLError(ssl.SSLError("wrong version number")), "no TLS"),
        (lost.ConnectionError(ProtocolError("Connection aborted.", FileNotFoundError())), "does not exist"),
        (lost.ConnectionError(ProtocolError("Connection aborted.", PermissionError())), "permission denied"),
        (lost.ConnectionError(ProtocolError("Connection aborted.", ConnectionRefusedError())), "refused"),
        (lost.InvalidURL("http://u:hunter22@"), "not valid"),
    ],
)
def test_what_never_left_is_unreachable(error: Exception, why: str, write: bool) -> None:
    found = from_requests(error, "Docker on nas", write=write)
    assert type(found) is Unreachable and why in str(found) and "hunter22" not in str(found)


@pytest.mark.parametrize(
    ("error", "when_reading"),
    [
        (lost.ReadTimeout(), NoAnswer),
        (lost.ConnectionError("Read timed out."), NoAnswer),
        (lost.ConnectionError(ProtocolError("Connection aborted.", ConnectionResetError())), NoAnswer),
        (lost.ChunkedEncodingError(), NoAnswer),
        (lost.ContentDecodingError(), BadAnswer),
        (lost.SSLError(ssl.SSLEOFError()), NoAnswer),
        (lost.SSLError(alert("TLSV13_ALERT_CERTIFICATE_REQUIRED")), Unreachable),
        (lost.SSLError(alert("DECRYPTION_FAILED_OR_BAD_RECORD_MAC")), Unreachable),
        (lost.ConnectionError(ProtocolError("x", OSError(errno.EHOSTUNREACH, "No route to host"))), Unreachable),
        (lost.ConnectionError(ProtocolError("x", BadStatusLine("\x15\x03\x01\n"))), BadAnswer),
        (lost.ConnectionError(ProtocolError("x", BadStatusLine("SSH-2.0-x\n"))), BadAnswer),
        (lost.ConnectionError(ProtocolError("x", RemoteDisconnected("x"))), NoAnswer),
        (BrokenPipeError(), NoAnswer),
    ],
)
def test_what_may_have_left_is_unknown_for_a_write(error: Exception, when_reading: type[ToolFailed]) -> None:
    assert type(from_requests(error, "Docker on nas", write=True)) is OutcomeUnknown
    assert type(from_requests(error, "Docker on nas", write=False)) is when_reading


def test_messages_are_one_sentence_without_credentials() -> None:
    body = '{"message": "bad\\u202e\\u0000 http://bob:hunter22@x/y?token=geheim99 password: tanne77.\\n\\nSecond"}'
    found = str(from_requests(answered(400, body), "Docker on nas", write=True))
    assert found.startswith("Docker on nas refused with HTTP 400 (bad ") and found.endswith("change the request.")
    assert not [secret for secret in ("hunter22", "geheim99", "tanne77", "\n", "\u202e", "\0") if secret in found]
    assert "<html>" not in str(from_requests(answered(404, "<html>x</html>"), "Docker on nas", write=False))
    assert 195 < len(quote("word " * 10_000)) <= 200 and quote("word " * 10_000).endswith("word …")


@pytest.mark.parametrize("length", range(180, 205))
def test_no_half_of_a_secret_is_quoted(length: int) -> None:
    """Cut in two it would not be recognised when the whole sentence is redacted."""
    words = f"{'x' * length} correct-horse-battery tail of some words"
    assert set(quote(words).split()) <= {*words.split(), "…"} and quote("x" * 10_000) == "…"
    assert "hunter2secret" in quote("hun\u200bter2\x1b[1msecret"), "what hides a secret goes before it is looked for"
    assert str(from_requests(answered(400, "[" * 100_000), "Docker on nas", write=True)).startswith("Docker on nas")


@pytest.mark.parametrize(
    ("given", "said"), [("7", "in 7 s"), ("9999999999", "in 3600 s"), ("-3", "in a minute"), ("soon", "in a minute")]
)
def test_the_pause_is_bounded(given: str, said: str) -> None:
    assert said in str(from_requests(answered(429, Retry_After=given), "Docker on nas", write=False))
