"""Scenario files: one run as plain data, from TOML, checked to the last key before it starts."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import inspect

from eoscheck.audit.spec import AuditSpec
from eoscheck.durations import parse_duration
from eoscheck.errors import UsageError, did_you_mean
from eoscheck.faults.kinds import KINDS, FaultSpec
from eoscheck.load.spec import LoadSpec
from eoscheck.run.result import Expectation
from eoscheck.subject.spec import SubjectSpec

SUFFIX = ".toml"


class ClusterSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where Kafka comes from. `bootstrap_server` and `command_config` are an external cluster's,
    all else is for one that is started for the run.

    `brokers`: 1 or 3, each a controller too; `kafka_version`: one with a lock file;
    `transaction_version` 0 to 2: the feature of that name, the newest where nothing is said;
    `profile`: how quickly failures are noticed, `fast` or as Kafka's `default`s have it;
    `data_size_mb`: each broker's disk is that small; `settings` are broker properties.
    """

    provider: Literal["embedded", "external", "docker"] = "embedded"
    bootstrap_server: str | None = None
    command_config: str | None = None
    brokers: int = 1
    kafka_version: str | None = None
    transaction_version: int | None = None
    profile: Literal["fast", "default"] = "fast"
    data_size_mb: int | None = None
    settings: dict[str, str] = {}


class TopicSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A topic that the run creates on a cluster of its own. `config` are topic properties."""

    partitions: int = 4
    config: dict[str, str] = {}


class Timing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Phases of a run, as durations: load runs through `steady`, `faults` and `settle`; then the
    subject may take up to `drain` to finish its input, and must commit something within `liveness`
    of the last heal while input waits (else it is STALLED). `gap`: no two faults overlap, and at
    least so long lies between a heal and the next fault."""

    steady: str = "3s"
    faults: str = "20s"
    settle: str = "2s"
    drain: str = "60s"
    liveness: str = "30s"
    gap: str | None = None

    @property
    def gap_s(self) -> float | None:
        return None if self.gap is None else self.seconds("gap")

    def seconds(self, phase: str) -> float:
        return parse_duration(getattr(self, phase), what=f"timing.{phase}")


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One run. `{run_id}` in any string becomes the run's id, so topics are fresh each time."""

    name: str
    title: str
    description: str = ""
    seed: int = 1
    cluster: ClusterSpec = ClusterSpec()
    topics: dict[str, TopicSpec] = {}
    subject: SubjectSpec
    load: LoadSpec
    timing: Timing = Timing()
    faults: list[FaultSpec] = []
    audit: AuditSpec
    expect: Expectation = Expectation()


def load_scenario(
    source: str | Path,
    *,
    run_id: str = "{run_id}",
    overrides: Sequence[str] = (),
    command: Sequence[str] = (),
) -> Scenario:
    """The scenario in the file `source`, or the shipped one of that name.

    `overrides` are `dotted.key=value` as given to `--set`; `command` replaces the subject's.
    Raises UsageError with the file, the key and the nearest right one.
    """
    path = find_scenario(source)
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not TOML: {error}") from error
    for override in overrides:
        _apply_override(document, override)
    if command:
        document.setdefault("subject", {})["command"] = list(command)
    try:
        _check_kinds(document)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error
    for key_path, known in _unknown_keys(document, inspect.type_info(Scenario), ""):
        key = key_path.rpartition(".")[2]
        raise UsageError(f"{path}: {key_path} is not a key of a scenario{did_you_mean(key, known)}")
    try:
        scenario = msgspec.convert(_with_run_id(document, run_id), Scenario)
    except msgspec.ValidationError as error:
        raise UsageError(f"{path}: {_readable(error)}") from error
    for phase in Timing.__struct_fields__:
        if getattr(scenario.timing, phase) is not None:
            scenario.timing.seconds(phase)
    return scenario


def find_scenario(source: str | Path) -> Path:
    """A path to a file as it is; a bare name among the shipped scenarios."""
    path = Path(source)
    if path.is_file():
        return path
    shipped = {found.stem: found for found in shipped_scenarios()}
    if str(source) in shipped:
        return shipped[str(source)]
    hint = did_you_mean(path.stem, shipped)
    raise UsageError(f"no scenario file {source}, and no shipped scenario of that name{hint}")


def shipped_scenarios() -> list[Path]:
    """The scenarios that come with eoscheck: inside the wheel, or `chaos/` of a checkout."""
    here = Path(__file__).parent
    for folder in (here / "scenarios", here.parents[1] / "chaos" / "scenarios"):
        if folder.is_dir():
            return sorted(folder.rglob(f"*{SUFFIX}"))
    return []


def json_schema() -> dict[str, Any]:
    """The JSON schema of scenario files, for editors."""
    return msgspec.json.schema(Scenario)


def _apply_override(document: dict[str, Any], override: str) -> None:
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


def _unknown_keys(value: Any, kind: inspect.Type, path: str) -> Iterator[tuple[str, Sequence[str]]]:
    """Every key that the schema does not have, with the keys it could have been."""
    if isinstance(kind, inspect.UnionType):
        for option in _of_tag(kind, value):
            if isinstance(option, inspect.StructType | inspect.ListType | inspect.DictType):
                yield from _unknown_keys(value, option, path)
    elif isinstance(kind, inspect.StructType) and isinstance(value, Mapping):
        fields = {field.encode_name: field.type for field in kind.fields}
        for key, inner in value.items():
            if key == kind.tag_field:
                continue
            where = f"{path}.{key}" if path else str(key)
            if key not in fields:
                yield where, list(fields)
            else:
                yield from _unknown_keys(inner, fields[key], where)
    elif isinstance(kind, inspect.ListType) and isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _unknown_keys(inner, kind.item_type, f"{path}.{number}")
    elif isinstance(kind, inspect.DictType) and isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _unknown_keys(inner, kind.value_type, f"{path}.{key}")


def _of_tag(kind: inspect.UnionType, value: Any) -> Sequence[inspect.Type]:
    """The structs that `value` can be: where a key says which one, that one."""
    tagged = [each for each in kind.types if isinstance(each, inspect.StructType) and each.tag]
    if not tagged or not isinstance(value, Mapping):
        return kind.types
    return [each for each in tagged if each.tag == value.get(each.tag_field)]


def _check_kinds(document: Mapping[str, Any]) -> None:
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


def _with_run_id(value: Any, run_id: str) -> Any:
    if isinstance(value, str):
        return value.replace("{run_id}", run_id)
    if isinstance(value, dict):
        return {
            _with_run_id(key, run_id): _with_run_id(inner, run_id) for key, inner in value.items()
        }
    if isinstance(value, list):
        return [_with_run_id(inner, run_id) for inner in value]
    return value


def _readable(error: msgspec.ValidationError) -> str:
    """msgspec's message with the place first: `subject.instances: expected `int`, got `str``."""
    message, _, place = str(error).partition(" - at `$.")
    if not place:
        return message
    where = re.sub(r"\[(\d+)\]", r".\1", place.rstrip("`"))
    return f"{where}: {message}"
