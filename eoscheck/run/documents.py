"""Scenario files as plain documents: read, put upon a base, changed by options, filled in."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eoscheck.errors import UsageError
from eoscheck.load.template import Fields
from eoscheck.subject.spec import PLACEHOLDERS

SETTINGS = "settings"
EXTENDS = "extends"
_MOST_BASES = 8
_NAMED = re.compile(r"(?<![{$])\{([A-Za-z_]\w*)\}(?!\})")


def read_document(path: Path, *, base: Path | None = None) -> dict[str, Any]:
    """The file's tables over those of the file that it extends (`extends`, a path from its own
    folder; `base` instead of it): tables are merged, anything else replaces what was there.

    Raises UsageError where a file is missing, is not TOML, or they extend each other.
    """
    chain: list[dict[str, Any]] = []
    source: Path | None = path
    while source is not None:
        if len(chain) > _MOST_BASES:
            raise UsageError(
                f"{path}: it extends more than {_MOST_BASES} files: do they extend each other?"
            )
        document = _read(source)
        extends = document.pop(EXTENDS, None)
        if extends is not None and not isinstance(extends, str):
            raise UsageError(f"{source}: extends is the path of another scenario file")
        chain.append(document)
        folder = source.parent
        source = None if extends is None else folder / extends
        if base is not None:
            source, base = base, None
    whole: dict[str, Any] = {}
    for document in reversed(chain):
        whole = merged(whole, document)
    return whole


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"there is no file {path} to extend") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not TOML: {error}") from error


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Tables are merged, anything else of `over` replaces what was there."""
    both = dict(under)
    for key, value in over.items():
        below = both.get(key)
        both[key] = (
            merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
        )
    return both


def fill_topics(document: dict[str, Any]) -> None:
    """In fault tables, `{input}` and `{output}` are the names of the topics: so they mean the same
    whatever the scenario extends."""
    names = {
        "{input}": document.get("load", {}).get("topic", ""),
        "{output}": document.get("audit", {}).get("output", ""),
    }
    for table in document.get("faults", []):
        for key, value in table.items() if isinstance(table, dict) else ():
            if isinstance(value, str):
                for placeholder, name in names.items():
                    value = value.replace(placeholder, name)
                table[key] = value


def fill_settings(document: dict[str, Any]) -> dict[str, Any]:
    """`{name}` in any string becomes the value of `settings.name`, of which the table itself is
    kept. Raises UsageError for a name that stands for something else already."""
    settings = document.get(SETTINGS, {})
    if not isinstance(settings, dict):
        return document
    taken = {*PLACEHOLDERS, *Fields._fields, "input", "output"}
    for name in settings:
        if name in taken:
            raise UsageError(f"{SETTINGS}.{name}: {{{name}}} has a meaning already: rename it")
    filled: dict[str, Any] = with_values(document, settings)
    return {**filled, SETTINGS: settings} if settings else filled


def apply_override(document: dict[str, Any], override: str) -> None:
    """`a.b.0.c=value` sets one value; the value is TOML, or else plain text."""
    dotted, equals, text = override.partition("=")
    if not equals or not dotted:
        raise UsageError(f"--set takes key=value, as in --set load.rate=500, not {override!r}")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *parents, last = dotted.split(".")
    place: Any = document
    for part in parents:
        if isinstance(place, list):
            place = place[_index(part, place, dotted)]
        elif isinstance(place, dict):
            place = place.setdefault(part, {})
        else:
            raise UsageError(f"--set {dotted}: {part} is not a table")
    if isinstance(place, list):
        place[_index(last, place, dotted)] = value
    elif isinstance(place, dict):
        place[last] = value
    else:
        raise UsageError(f"--set {dotted}: {'.'.join(parents)} is not a table")


def _index(part: str, place: list[Any], dotted: str) -> int:
    if not part.isdigit() or int(part) >= len(place):
        raise UsageError(f"--set {dotted}: {part!r} is not an index below {len(place)}")
    return int(part)


def with_values(value: Any, values: Mapping[str, object]) -> Any:
    """The same with `{name}` replaced by its value, in every string and key; `{{name}}` stays."""
    if isinstance(value, str):
        return _NAMED.sub(lambda found: str(values.get(found[1], found[0])), value)
    if isinstance(value, dict):
        return {
            with_values(key, values): with_values(inner, values) for key, inner in value.items()
        }
    if isinstance(value, list):
        return [with_values(inner, values) for inner in value]
    return value
