"""Identity expressions: what makes a record unique, in one line of text (docs/expressions.md).

A form is one row of `_FORMS`. A new data format (Avro or Protobuf with a schema registry) is a row
more: its decoder gives a document, and `_document` walks it like any other.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias, cast

import msgspec

from eoscheck.errors import UsageError, did_you_mean
from eoscheck.history.events import Identity

Headers: TypeAlias = Sequence[tuple[str, bytes | None]] | None
Identify: TypeAlias = Callable[[bytes | None, bytes | None, Headers], Identity | None]
"""(key, value, headers) -> identity, or None where the expression does not fit the record."""

Field: TypeAlias = Literal["key", "value", "headers"]
"""What an expression needs of a record."""

FORMS = (
    "key, value, header:NAME, json:/pointer, msgpack:/pointer, python:module:function, "
    "or several of them joined by +"
)
_SEPARATOR = "+"
_ARRAY_INDEX = re.compile(r"0|[1-9][0-9]*")
_INTEGER = re.compile(r"-?[1-9][0-9]{0,17}|0")


_DEEP_OR_BROKEN = (msgspec.MsgspecError, TypeError, UnicodeDecodeError, RecursionError)
"""What decoders raise for bytes that are not theirs, or nested past all reason."""


@cache
def parse(expression: str) -> Identify:
    """The function that `expression` stands for.

    It returns None, never raises, for a record that it does not fit. Text that is a plain integer
    becomes one, so that a key `17` and a JSON number 17 are the same identity. A combination
    (`header:source+json:/seq`) is always text: that of its parts, joined by `+`.
    Raises UsageError for a bad expression, with the nearest right form.
    """
    parts = parts_of(expression)
    if len(parts) == 1:
        return _single(expression)
    return _combined([_single(part) for part in parts])


def parts_of(expression: str) -> tuple[str, ...]:
    """The expressions that `expression` joins by `+`; itself alone where it joins none.

    A `+` joins only before another form: that in `json:/a+b` belongs to the name. Raises UsageError
    for what looks like a form and is none.
    """
    for piece in _JOINT.split(expression)[1:]:
        word, colon, _rest = piece.partition(":")
        close = get_close_matches(word, [n for n, f in _FORMS.items() if f.argument], n=1)
        if colon and word not in _FORMS and close:
            raise UsageError(f"{expression!r}: {piece!r} is no part of one{_nearest(piece)}")
    return tuple(_JOINT_OF_FORMS.split(expression))


def needs(expression: str) -> frozenset[Field]:
    """Which fields of a record the function looks at: the others may be given as None."""
    return frozenset(
        field for part in parts_of(expression) for field in _form_of(part, expression).needs
    )


def reads_headers(expression: str) -> bool:
    """False where the function may be given None for the headers: asking for them costs time."""
    return "headers" in needs(expression)


def canonical(identity: Identity) -> Identity:
    """Plain integers as integers, all else as it is."""
    return _from_text(identity) if isinstance(identity, str) else identity


class Form(NamedTuple):
    """One kind of expression: `argument` is what stands after its colon (empty: nothing does),
    `needs` what it looks at. `compile` is given the argument and the whole part, for messages."""

    argument: str
    needs: frozenset[Field]
    compile: Callable[[str, str], Identify]


def _form_of(part: str, expression: str) -> Form:
    kind, colon, rest = part.partition(":")
    form = _FORMS.get(kind)
    head, joint, piece = part.partition(_SEPARATOR)
    if form is None and joint and head in _FORMS:
        raise UsageError(f"{expression!r}: {piece!r} is no part of one{_nearest(piece)}")
    if form is None or bool(colon) != bool(form.argument) or (kind == "header" and not rest):
        raise UsageError(f"{expression!r} is not an identity expression{_nearest(part)}")
    return form


def _single(part: str) -> Identify:
    return _form_of(part, part).compile(part.partition(":")[2], part)


def _nearest(expression: str) -> str:
    kind, _colon, rest = expression.partition(":")
    if expression.startswith("$."):
        return f" (did you mean 'json:/{expression[2:].replace('.', '/')}'?)"
    if expression.startswith("/"):
        return f" (did you mean 'json:{expression}'?)"
    close = get_close_matches(kind, _FORMS, n=1)
    if not close:
        return f": it is {FORMS}"
    argument = _FORMS[close[0]].argument
    form = f"{close[0]}:{rest or argument}" if argument else close[0]
    return f" (did you mean {form!r}?)"


def _combined(parts: Sequence[Identify]) -> Identify:
    def identify(key: bytes | None, value: bytes | None, headers: Headers) -> Identity | None:
        texts = []
        for part in parts:
            found = part(key, value, headers)
            if found is None:
                return None
            texts.append(escaped(found))
        return _SEPARATOR.join(texts)

    return identify


def escaped(part: Identity) -> str:
    """The text of one part of a combination: without it `a+b` and `c` would be `a` and `b+c`."""
    text = str(part)
    if "+" not in text and "\\" not in text:
        return text
    return text.replace("\\", "\\\\").replace("+", "\\+")


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


def _key(_argument: str, _part: str) -> Identify:
    return lambda key, _value, _headers: _from_bytes(key)


def _value(_argument: str, _part: str) -> Identify:
    return lambda _key, value, _headers: _from_bytes(value)


def _header(name: str, _part: str) -> Identify:
    def identify(_key: bytes | None, _value: bytes | None, headers: Headers) -> Identity | None:
        # As Kafka's own Headers.lastHeader: a name may stand several times.
        for header, content in reversed(headers or ()):
            if header == name:
                return _from_bytes(content)
        return None

    return identify


def _json(pointer: str, part: str) -> Identify:
    """Paths without numbers are compiled to a typed decoder, which skips all else."""
    steps = _steps(pointer, part)
    if any(_ARRAY_INDEX.fullmatch(step) for step in steps):
        return _document(msgspec.json.decode, steps)
    return _typed(msgspec.json.Decoder(_shape(steps)).decode, len(steps))


def _msgpack(pointer: str, part: str) -> Identify:
    """As JSON. The typed decoder refuses maps with keys other than text: those are walked."""
    steps = _steps(pointer, part)
    walk = _document(msgspec.msgpack.decode, steps)
    if any(_ARRAY_INDEX.fullmatch(step) for step in steps):
        return walk
    typed = _typed(msgspec.msgpack.Decoder(_shape(steps)).decode, len(steps))

    def identify(key: bytes | None, value: bytes | None, headers: Headers) -> Identity | None:
        found = typed(key, value, headers)
        return found if found is not None else walk(key, value, headers)

    return identify


def _steps(pointer: str, part: str) -> list[str]:
    """The names of an RFC 6901 pointer."""
    kind = part.partition(":")[0]
    if pointer and not pointer.startswith("/"):
        guess = pointer.removeprefix("$.").replace(".", "/")
        raise UsageError(
            f"{part!r}: a JSON pointer begins with / (did you mean '{kind}:/{guess}'?)"
        )
    if re.search(r"~(?![01])", pointer):
        raise UsageError(f"{part!r}: in a JSON pointer ~ is written ~0 (and / is ~1)")
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]


def _shape(steps: Sequence[str]) -> Any:
    shape: Any = int | str
    for step in reversed(steps):
        field = ("step", shape, msgspec.field(name=step))
        shape = msgspec.defstruct("Step", [field], gc=False)
    return shape


def _typed(decode: Callable[..., Any], depth: int) -> Identify:
    inner = range(depth)

    def identify(_key: bytes | None, value: bytes | None, _headers: Headers) -> Identity | None:
        try:
            found = decode(value)
        except _DEEP_OR_BROKEN:
            return None
        for _ in inner:
            found = found.step
        return _from_text(found) if isinstance(found, str) else found

    return identify


def _document(decode: Callable[[bytes], Any], steps: Sequence[str]) -> Identify:
    """Walks what `decode` gives: a number in a pointer may be an index or a name, and only the
    document tells."""

    def identify(_key: bytes | None, value: bytes | None, _headers: Headers) -> Identity | None:
        try:
            found = decode(value or b"")
            for step in steps:
                found = found[_index(step)] if isinstance(found, list) else found[step]
        except (*_DEEP_OR_BROKEN, LookupError):
            return None
        return _checked(found)

    return identify


def _index(step: str) -> int:
    """RFC 6901: no sign, no leading zero; anything else names no element."""
    if not _ARRAY_INDEX.fullmatch(step):
        raise LookupError(step)
    return int(step)


def user_function(expression: str) -> Callable[..., Any]:
    """The function that `python:module:function` names, of a module on Python's path or in the
    working directory. Raises UsageError where there is none."""
    _kind, _colon, rest = expression.partition(":")
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
    return cast(Callable[..., Any], function)


def _python(_argument: str, part: str) -> Identify:
    """`function(key, value, headers)` of the user's own."""
    function = user_function(part)

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


_FORMS: dict[str, Form] = {
    "key": Form("", frozenset({"key"}), _key),
    "value": Form("", frozenset({"value"}), _value),
    "header": Form("NAME", frozenset({"headers"}), _header),
    "json": Form("/pointer", frozenset({"value"}), _json),
    "msgpack": Form("/pointer", frozenset({"value"}), _msgpack),
    "python": Form("module:function", frozenset({"key", "value", "headers"}), _python),
}
_JOINT = re.compile(r"\+(?=\w+:)")
_WITH_ARGUMENT = "|".join(name for name, form in _FORMS.items() if form.argument)
_ALONE = "|".join(name for name, form in _FORMS.items() if not form.argument)
_JOINT_OF_FORMS = re.compile(rf"\+(?=(?:{_WITH_ARGUMENT}):|(?:{_ALONE})(?:\+|$))")
