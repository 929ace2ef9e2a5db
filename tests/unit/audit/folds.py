"""Folds of a user, for the tests."""

from __future__ import annotations

from typing import Any

import msgspec


def balance(state: int | None, _key: bytes | None, value: bytes | None, _headers: Any) -> int:
    return (state or 0) + int(msgspec.json.decode(value or b"")["amount"])


def last(_state: Any, _key: bytes | None, value: bytes | None, _headers: Any) -> bytes | None:
    return value


total = balance


def total_finish(_key: int | str, state: int | None) -> bytes | None:
    return None if not state else msgspec.json.encode({"balance": state})


read = balance


def read_found(_key: bytes | None, value: bytes | None, _headers: Any) -> int:
    return int(msgspec.json.decode(value or b"")["balance"])


sides = balance


def sides_key(_key: bytes | None, value: bytes | None, _headers: Any) -> list[str]:
    content = msgspec.json.decode(value or b"")
    return [content["from"], content["to"]] if "from" in content else []


late = balance


def late_finish(_key: int | str, _state: int | None) -> bytes:
    raise RuntimeError("no end")


bad = balance
bad_key = "not a function"
