"""The log: one record is one record, whatever it quotes, and no secret is in it."""

import io
import logging
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from loguru import logger

from bot.settings.logs import _Bridge, set_up
from memory.secrets import MASK, Redactor

RECORD = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [A-Z]+ +")
FORGED = "x\n2026-01-01 00:00:00 INFO    approved by admin\r2026\x1b[2J\u20282026-01-01"


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], list[str]]]:
    """What stands in the log once there are so many lines."""
    out, added = io.StringIO(), list[int]()
    monkeypatch.setattr(sys, "stderr", out)
    for module, hook in ((sys, "excepthook"), (sys, "unraisablehook"), (threading, "excepthook")):
        monkeypatch.setattr(module, hook, getattr(module, hook))
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    with monkeypatch.context() as here:
        here.setattr(logger, "remove", lambda *handlers: None)  # the test's own sink stays
        here.setattr(logger, "add", lambda *args, add=logger.add, **more: added.append(add(*args, **more)))
        set_up("DEBUG", Redactor(["hunter2secret"]))

    def lines(count: int) -> list[str]:
        end = time.monotonic() + 10
        while out.getvalue().count("\n") < count and time.monotonic() < end:
            time.sleep(0.01)
        return out.getvalue().splitlines()

    yield lines
    logger.remove(added[0])
    logging.captureWarnings(False)


def test_what_a_record_quotes_cannot_look_like_a_record(written: Callable[[int], list[str]]) -> None:
    logger.error("tool {} broke", FORGED)
    logging.getLogger("of.a.library").warning(FORGED)
    lines = written(4)
    assert len(lines) == 4 and [bool(RECORD.match(line)) for line in lines] == [True, False, True, False]
    assert lines[1] == r"    2026-01-01 00:00:00 INFO    approved by admin\u000d2026\u001b[2J\u20282026-01-01 broke"


def test_a_traceback_cannot_look_like_a_record_either(written: Callable[[int], list[str]]) -> None:
    try:
        raise ValueError(FORGED)
    except ValueError as error:
        logger.opt(exception=error).error("it broke")
    lines = written(5)
    assert [line for line in lines if RECORD.match(line)] == lines[:1]
    assert any(line.endswith("ValueError: x") for line in lines)


def test_no_secret_is_logged_however_it_is_hidden(written: Callable[[int], list[str]]) -> None:
    logger.info("sent {} and {}", "hunter2secret", "hun\u200bter2\x1b[1msecret")
    [line] = written(1)
    assert line.endswith(f"sent {MASK} and {MASK}")


def raise_secret() -> None:
    try:
        raise KeyError("hunter2secret")
    except KeyError as error:
        other = RuntimeError("refused")
        other.add_note("asked with hunter2secret")
        raise other from error


class Fragile:
    def __del__(self) -> None:
        raise_secret()


@pytest.mark.parametrize("nobody_catches", [lambda: threading.Thread(target=raise_secret).start(), Fragile])
def test_what_nobody_catches_is_redacted_like_any_record(
    written: Callable[[int], list[str]], nobody_catches: Callable[[], object]
) -> None:
    nobody_catches()
    lines = written(10)
    assert "CRITICAL uncaught" in lines[0] and "hunter2secret" not in "\n".join(lines)
    assert any(MASK in line for line in lines)


@pytest.mark.parametrize("wrong", [("%s and %s", "hunter2secret"), ("%d", "hunter2secret"), ("%(a)s", {"b": 1})])
def test_a_record_that_cannot_be_formatted_is_logged_and_harms_nobody(
    written: Callable[[int], list[str]], wrong: tuple[str, object]
) -> None:
    [bridge] = [handler for handler in logging.getLogger().handlers if isinstance(handler, _Bridge)]
    library = logging.Logger("of.a.library")  # the tests' own handlers would fail on it
    library.addHandler(bridge)
    library.warning(*wrong)
    [line] = written(1)
    assert "of.a.library: %" in line and "hunter2secret" not in line
