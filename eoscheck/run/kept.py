"""What a finished run, matrix or measure left as JSON, read again."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec

from eoscheck.errors import UsageError

_Kept = TypeVar("_Kept")


def read_kept(path: Path, kind: type[_Kept], *, what: str = "result") -> _Kept:
    """Raises UsageError, one line, where it cannot be read, or is no `what` of this version."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not a {what} of this version: {error}") from error
