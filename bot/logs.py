"""One sink for every log line, redacted: ours, the standard library's, and uncaught exceptions."""

import logging
import os
import sys
from typing import TYPE_CHECKING

from loguru import logger

from memory.text import Redactor

if TYPE_CHECKING:
    from loguru import Record

QUIET = ("httpx", "httpcore", "httpx2", "apscheduler", "docker", "uvicorn", "urllib3", "anthropic", "asyncio")
"""Libraries whose chatter carries addresses, and addresses carry tokens."""
FORMAT = "{time:YYYY-MM-DD HH:mm:ss} {level: <7} {message}"


class _Bridge(logging.Handler):
    """Hands the standard library's records to loguru."""

    def emit(self, record: logging.LogRecord) -> None:
        level = logger.level(record.levelname).name if record.levelname in logging.getLevelNamesMapping() else "INFO"
        logger.opt(exception=record.exc_info).log(level, "{}: {}", record.name, record.getMessage())


def set_up(level: str, redact: Redactor) -> None:
    """Send everything through one redacting sink on standard error."""
    os.environ.setdefault("PTB_TIMEDELTA", "true")

    def write(line: str) -> None:
        sys.stderr.write(redact(line))

    def template(record: "Record") -> str:
        return FORMAT + "\n{exception}"

    logger.remove()
    # diagnose prints the values of variables, tokens among them.
    logger.add(write, level=level, format=template, diagnose=False, backtrace=False, colorize=False)
    logging.basicConfig(handlers=[_Bridge()], level=logging.INFO, force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("telegram").setLevel(logging.INFO)  # below that it logs the token
    logging.captureWarnings(True)
    sys.excepthook = lambda kind, error, trace: logger.opt(exception=(kind, error, trace)).critical("uncaught")
