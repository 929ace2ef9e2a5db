"""Structured log lines on stderr: `<time> <LEVEL> event=<name> key=value ...`."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable
from typing import Any

# librdkafka reports each attempt to reach a broker, many a second while it is away.
_CONNECTION_ATTEMPTS = ("FAIL ", "ERROR ")
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/+@,")


def setup(level: str) -> None:
    """Sends all log records of the process to stderr, one line each."""
    handler = logging.StreamHandler(sys.stderr)
    formatter = logging.Formatter("%(asctime)s.%(msecs)03dZ %(levelname)s %(message)s")
    formatter.datefmt = "%Y-%m-%dT%H:%M:%S"
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    logging.getLogger("librdkafka").addFilter(_Sparingly())
    logging.getLogger("filelock").setLevel(logging.WARNING)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


def event(logger: logging.Logger, name: str, *, level: int = logging.INFO, **fields: Any) -> None:
    """One line. Values with blanks or quotes are written as JSON strings."""
    if logger.isEnabledFor(level):
        pairs = (f"{key}={_value(value)}" for key, value in fields.items())
        logger.log(level, "%s", " ".join((f"event={name}", *pairs)))


class _Sparingly(logging.Filter):
    """Lets one line about lost connections through every `interval_s` seconds."""

    def __init__(
        self, *, interval_s: float = 10.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self._interval_s = interval_s
        self._clock = clock
        self._next = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.getMessage().startswith(_CONNECTION_ATTEMPTS):
            return True
        now = self._clock()
        if now < self._next:
            return False
        self._next = now + self._interval_s
        return True


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    text = str(value)
    return text if text and _PLAIN.issuperset(text) else json.dumps(text, ensure_ascii=False)
