"""Functions of a user, for the tests of oracles."""

from __future__ import annotations

import json
from typing import Any


def balance(state: int | None, _key: Any, value: bytes, _headers: Any) -> int:
    return (state or 0) + int(json.loads(value)["amount"])


def balance_found(_key: Any, value: bytes, _headers: Any) -> int:
    return int(json.loads(value)["balance"])


stored = balance


def stored_finish(_key: Any, state: int) -> bytes | None:
    return json.dumps(state).encode() if state else None
