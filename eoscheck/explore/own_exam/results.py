"""The file of an exam: a line for each attempt and for each control, from which it goes on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from eoscheck.errors import UsageError
from eoscheck.explore.own_exam.control import Control
from eoscheck.explore.own_exam.plan import Attempt

Entry = Attempt | Control


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """What such a file holds, each in the order in which it was made."""

    attempts: Sequence[Attempt] = ()
    controls: Sequence[Control] = ()


def read_results(path: Path) -> Results:
    """Of an exam that was begun; nothing where there is no such file. A last line that was not
    written to its end is taken away. Raises UsageError where it is another file."""
    if not path.exists():
        return Results()
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    try:
        entries = [_entry(line) for line in whole.splitlines()]
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise UsageError(f"{path} is no file of such an exam: {error}") from error
    if len(whole) < len(content):
        path.write_bytes(whole)
    return Results(
        attempts=[each for each in entries if isinstance(each, Attempt)],
        controls=[each for each in entries if isinstance(each, Control)],
    )


def append(path: Path, entry: Entry) -> None:
    """As a line, at once."""
    with path.open("ab") as file:
        file.write(msgspec.json.encode(entry) + b"\n")


def _entry(line: bytes) -> Entry:
    content = msgspec.json.decode(line)
    if isinstance(content, dict) and content.get("kind") == Control.KIND:
        return msgspec.convert(content, Control)
    return msgspec.convert(content, Attempt)
