"""Identity expressions: what makes a record unique, in one line of text (docs/expressions.md)."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from eoscheck.errors import UsageError, did_you_mean
from eoscheck.history.events import Identity

Headers: TypeAlias = Sequence[tuple[str, bytes | None]] | None
Identify: TypeAlias = Callable[[bytes | None, bytes | None, Headers], Identity | None]
"""(key, value, headers) -> identity, or None where the expression does not fit the record."""

FORMS = "key, value, header:NAME, json:/pointer or python:module:function"
_FORM_OF = {
    "key": "key",
    "value": "value",
    "header": "header:NAME",
    "json": "json:/pointer",
    "python": "python:module:function",
}
_ARRAY_INDEX = re.compile(r"0|[1-9][0-9]*")
_INTEGER = re.compile(r"-?[1-9][0-9]{0,17}|0")


@cache
def parse(expression: str) -> Identify:
    """The function that `expression` stands for.

    It returns None, never raises, for a record that it does not fit. Text that is a plain integer
    becomes one, so that a key `17` and a JSON number 17 are the same identity.
    Raises UsageError for a bad expression, with the nearest right form.
    """
    kind, colon, rest = expression.partition(":")
    if expression == "key":
        return lambda key, _value, _headers: _from_bytes(key)
    if expression == "value":
        return lambda _key, value, _headers: _from_bytes(value)
    if kind == "header" and rest:
        return _header(rest)
    if kind == "json" and colon:
        return _json(rest, expression)
    if kind == "python":
        return _python(rest, expression)
    raise UsageError(f"{expression!r} is not an identity expression{_nearest(expression)}")


def reads_headers(expression: str) -> bool:
    """False where the function may be given None for the headers: asking for them costs time."""
    return expression.startswith(("header:", "python:"))


def canonical(identity: Identity) -> Identity:
    """Plain integers as integers, all else as it is."""
    return _from_text(identity) if isinstance(identity, str) else identity


def _nearest(expression: str) -> str:
    kind, _colon, rest = expression.partition(":")
    if expression.startswith("$."):
        return f" (did you mean 'json:/{expression[2:].replace('.', '/')}'?)"
    if expression.startswith("/"):
        return f" (did you mean 'json:{expression}'?)"
    close = get_close_matches(kind, _FORM_OF, n=1)
    if not close:
        return f": it is {FORMS}"
    form = _FORM_OF[close[0]]
    if rest and ":" in form:
        form = f"{close[0]}:{rest}"
    return f" (did you mean {form!r}?)"


def _from_bytes(data: bytes | None) -> Identity | None:
    if data is None:
        return None
    try:
        return _from_text(data.decode())
    except UnicodeDecodeError:
        return f"0x{data.hex()}"  # a binary key is an identity like any other


def _from_text(text: str) -> Identity:
    # The first character rules out most identities before the slower match.
    if text and text[0] in "-0123456789" and _INTEGER.fullmatch(text):
        return int(text)
    return text


def _header(name: str) -> Identify:
    def identify(_key: bytes | None, _value: bytes | None, headers: Headers) -> Identity | None:
        # As Kafka's own Headers.lastHeader: a name may stand several times.
        for header, content in reversed(headers or ()):
            if header == name:
                return _from_bytes(content)
        return None

    return identify


def _json(pointer: str, expression: str) -> Identify:
    """RFC 6901. Paths without numbers are compiled to a typed decoder, which skips all else."""
    if pointer and not pointer.startswith("/"):
        guess = pointer.removeprefix("$.").replace(".", "/")
        raise UsageError(
            f"{expression!r}: a JSON pointer begins with / (did you mean 'json:/{guess}'?)"
        )
    if re.search(r"~(?![01])", pointer):
        raise UsageError(f"{expression!r}: in a JSON pointer ~ is written ~0 (and / is ~1)")
    steps = [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]
    if any(_ARRAY_INDEX.fullmatch(step) for step in steps):
        return _walking(steps)
    return _compiled(steps)


def _compiled(steps: Sequence[str]) -> Identify:
    shape: Any = int | str
    for step in reversed(steps):
        field = ("step", shape, msgspec.field(name=step))
        shape = msgspec.defstruct("Step", [field], gc=False)
    decode = msgspec.json.Decoder(shape).decode
    inner = tuple(steps)

    def identify(_key: bytes | None, value: bytes | None, _headers: Headers) -> Identity | None:
        try:
            found = decode(value)  # type: ignore[arg-type]
        except (msgspec.MsgspecError, TypeError, UnicodeDecodeError):
            return None
        for _ in inner:
            found = found.step
        return _from_text(found) if isinstance(found, str) else found

    return identify


def _walking(steps: Sequence[str]) -> Identify:
    """A number in a pointer may be an index or a name: only the document tells."""

    def identify(_key: bytes | None, value: bytes | None, _headers: Headers) -> Identity | None:
        try:
            found = msgspec.json.decode(value or b"")
            for step in steps:
                found = found[_index(step)] if isinstance(found, list) else found[step]
        except (msgspec.MsgspecError, TypeError, UnicodeDecodeError, LookupError):
            return None
        return _checked(found)

    return identify


def _index(step: str) -> int:
    """RFC 6901: no sign, no leading zero; anything else names no element."""
    if not _ARRAY_INDEX.fullmatch(step):
        raise LookupError(step)
    return int(step)


def _python(rest: str, expression: str) -> Identify:
    """`function(key, value, headers)` of a module on the path or in the working directory."""
    module_name, colon, function_name = rest.partition(":")
    if not (module_name and colon and function_name):
        raise UsageError(f"{expression!r}: write python:module:function")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise UsageError(f"{expression!r}: cannot import {module_name}: {error}") from error
    function = getattr(module, function_name, None)
    if not callable(function):
        hint = did_you_mean(function_name, [n for n in dir(module) if not n.startswith("_")])
        raise UsageError(f"{expression!r}: {module_name} has no function {function_name}{hint}")

    def identify(key: bytes | None, value: bytes | None, headers: Headers) -> Identity | None:
        try:
            found = _checked(function(key, value, headers))
            if isinstance(found, str):
                found.encode()  # half of a surrogate pair can be neither compared nor shown
            return found
        except Exception:  # noqa: BLE001 - the user's code: what it raises means "does not fit"
            return None

    return identify


def _checked(found: Any) -> Identity | None:
    if isinstance(found, str):
        return _from_text(found)
    if isinstance(found, int) and not isinstance(found, bool):
        return found
    return None
