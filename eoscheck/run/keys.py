"""Keys that the schema does not have, each with those that it could have been."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import inspect

from eoscheck.errors import UsageError, did_you_mean
from eoscheck.faults.kinds import KINDS


def unknown_keys(value: Any, kind: inspect.Type, path: str) -> Iterator[tuple[str, Sequence[str]]]:
    """Every key that the schema does not have, with the keys it could have been."""
    if isinstance(kind, inspect.UnionType):
        for option in _of_tag(kind, value):
            if isinstance(option, inspect.StructType | inspect.ListType | inspect.DictType):
                yield from unknown_keys(value, option, path)
    elif isinstance(kind, inspect.StructType) and isinstance(value, Mapping):
        fields = {field.encode_name: field.type for field in kind.fields}
        for key, inner in value.items():
            if key == kind.tag_field:
                continue
            where = f"{path}.{key}" if path else str(key)
            if key not in fields:
                yield where, list(fields)
            else:
                yield from unknown_keys(inner, fields[key], where)
    elif isinstance(kind, inspect.ListType) and isinstance(value, list):
        for number, inner in enumerate(value):
            yield from unknown_keys(inner, kind.item_type, f"{path}.{number}")
    elif isinstance(kind, inspect.DictType) and isinstance(value, Mapping):
        for key, inner in value.items():
            yield from unknown_keys(inner, kind.value_type, f"{path}.{key}")


def _of_tag(kind: inspect.UnionType, value: Any) -> Sequence[inspect.Type]:
    """The structs that `value` can be: where a key says which one, that one."""
    tagged = [each for each in kind.types if isinstance(each, inspect.StructType) and each.tag]
    if not tagged or not isinstance(value, Mapping):
        return kind.types
    return [each for each in tagged if each.tag == value.get(each.tag_field)]


def check_kinds(document: Mapping[str, Any]) -> None:
    """msgspec names a wrong tag, but not the right one."""
    faults = document.get("faults", [])
    for number, table in enumerate(faults if isinstance(faults, list) else []):
        kind = table.get("kind") if isinstance(table, Mapping) else None
        if kind not in KINDS:
            known = ", ".join(sorted(KINDS))
            if kind is None:
                raise UsageError(f"faults.{number}.kind is missing: give one of {known}")
            hint = did_you_mean(str(kind), KINDS)
            raise UsageError(
                f"faults.{number}.kind: no such fault {kind!r}{hint}: use one of {known}"
            )
