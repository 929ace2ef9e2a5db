"""Record templates: a text or a table in which placeholders stand for what a record is made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from eoscheck.placeholders import Placeholder, parse


class Fields(NamedTuple):
    """What a template may use: `{seq}` the record's number from 0, `{key}` its account, `{amount}`
    int cents, `{run_id}`, `{time_ms}` wall clock of the send in milliseconds, `{noise}` characters
    that no codec makes smaller, `load.noise` of them."""

    seq: int
    key: str
    amount: int
    run_id: str
    time_ms: int
    noise: str = ""


Template = Callable[[Fields], Any]


def compile_template(template: Any, *, what: str) -> Template:
    """A function from a record's fields to the filled-in template.

    A string that is exactly one placeholder takes the field's own type; in other strings fields
    are interpolated. Tables and lists are filled in depth; numbers and booleans stay as they are.
    Raises UsageError for an unknown placeholder, with the nearest right one.
    """
    if isinstance(template, str):
        return _compile_text(template, what=what)
    if isinstance(template, dict):
        return _compile_table(template, what=what)
    if isinstance(template, list):
        items = [
            compile_template(item, what=f"{what}.{index}") for index, item in enumerate(template)
        ]
        return lambda fields: [item(fields) for item in items]
    return lambda _fields: template


def _compile_text(text: str, *, what: str) -> Template:
    pieces = parse(text, known=Fields._fields, what=what)
    if len(pieces) == 1 and isinstance(pieces[0], Placeholder):
        index = Fields._fields.index(pieces[0].name)
        return lambda fields: fields[index]
    if not any(isinstance(piece, Placeholder) for piece in pieces):
        literal = "".join(str(piece) for piece in pieces)
        return lambda _fields: literal
    # Once more into a format string: str.format is the quickest way to fill it many times.
    pattern = "".join(
        f"{{0[{Fields._fields.index(piece.name)}]}}"
        if isinstance(piece, Placeholder)
        else piece.replace("{", "{{").replace("}", "}}")
        for piece in pieces
    )
    return pattern.format


def _compile_table(table: dict[str, Any], *, what: str) -> Template:
    items = [
        (name, compile_template(value, what=f"{what}.{name}")) for name, value in table.items()
    ]
    return lambda fields: {name: value(fields) for name, value in items}
