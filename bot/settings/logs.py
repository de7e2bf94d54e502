"""One sink for every log line, redacted: ours, the standard library's, and uncaught exceptions."""

import atexit
import contextlib
import logging
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from io import FileIO
from typing import TYPE_CHECKING, TextIO

from loguru import logger

from memory.secrets import Redactor
from memory.text import escaped

if TYPE_CHECKING:
    from loguru import Record

FORMAT = "{time:YYYY-MM-DD HH:mm:ss} {level: <7} {message}"

MOST_WAITING = 10_000
"""Lines that wait for whoever reads the log."""


class _Bridge(logging.Handler):
    """Hands the standard library's records to loguru."""

    def emit(self, record: logging.LogRecord) -> None:
        level = logger.level(record.levelname).name if record.levelname in logging.getLevelNamesMapping() else "INFO"
        try:
            message = record.getMessage()
        except (TypeError, ValueError, LookupError):  # a mistake of the library's, and no reason for it to fail
            message = f"{record.msg} {record.args}"
        logger.opt(exception=record.exc_info).log(level, "{}: {}", record.name, message)


class _Sink:
    """Writes lines from a thread of its own: a full pipe that nobody reads holds up the log, and nothing else."""

    def __init__(self, out: TextIO) -> None:
        # Below Python's buffer and its lock, or a blocked line would also hold up the end of the process.
        raw: FileIO | None = getattr(getattr(out, "buffer", None), "raw", None)
        self._write: Callable[[str], object] = (
            (lambda line: raw.write(line.encode("utf-8", "replace"))) if raw else out.write
        )
        self._dropped = 0
        self._lines: queue.Queue[str] = queue.Queue(MOST_WAITING)
        threading.Thread(target=self._work, name="log", daemon=True).start()
        atexit.register(self.flush)

    def write(self, line: str) -> None:
        """Put a line in the queue; when that is full, only count it."""
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self._dropped += 1

    def flush(self, seconds: float = 1.0) -> None:
        """Give what waits a chance to be written."""
        end = time.monotonic() + seconds
        while self._lines.unfinished_tasks and time.monotonic() < end:
            time.sleep(0.005)

    def _work(self) -> None:
        while True:
            line = self._lines.get()
            with contextlib.suppress(OSError, ValueError):  # the reader has gone
                self._write(line)
                if self._dropped:
                    dropped, self._dropped = self._dropped, 0
                    self._write(f"({dropped} lines of the log were dropped: nobody read it)\n")
            self._lines.task_done()


def set_up(level: str, redact: Redactor) -> None:
    """Send everything through one redacting sink on standard error."""
    os.environ.setdefault("PTB_TIMEDELTA", "true")

    sink = _Sink(sys.stderr)

    def write(record: str) -> None:
        # One record may quote anything: what follows its first line is indented, so that none looks like a record.
        first, *more = redact(record).rstrip("\n").split("\n")
        sink.write("\n".join([escaped(first), *(f"    {escaped(line)}" for line in more), ""]))

    def template(record: "Record") -> str:
        return FORMAT + "\n{exception}"

    logger.remove()
    # diagnose prints the values of variables, tokens among them.
    logger.add(write, level=level, format=template, diagnose=False, backtrace=False, colorize=False)
    # The chatter of libraries carries addresses, and addresses carry tokens.
    logging.basicConfig(handlers=[_Bridge()], level=logging.WARNING, force=True)
    logging.getLogger("telegram").setLevel(logging.INFO)  # below that it logs the token
    logging.captureWarnings(True)
    sys.excepthook = lambda kind, error, trace: logger.opt(exception=(kind, error, trace)).critical("uncaught")
    # Left alone, Python itself writes these to standard error, and past the redactor.
    threading.excepthook = _uncaught
    sys.unraisablehook = _uncaught


def _uncaught(seen: "threading.ExceptHookArgs | sys.UnraisableHookArgs") -> None:
    """What ended a thread, or came up where nobody can catch it."""
    if seen.exc_value is not None and not isinstance(seen.exc_value, SystemExit):
        logger.opt(exception=(type(seen.exc_value), seen.exc_value, seen.exc_traceback)).critical("uncaught")
