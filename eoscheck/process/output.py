"""What a child printed."""

from __future__ import annotations

import os
from pathlib import Path

_ENOUGH_BYTES = 64 * 1024


def tail(path: Path, lines: int = 10) -> list[str]:
    """The last `lines` lines of a text file that are not blank; none where there is no file."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _ENOUGH_BYTES))
            text = file.read().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return []
    return [line for line in text.splitlines() if line.strip()][-lines:]
