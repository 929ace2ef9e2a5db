"""Scenario files: one run as plain data, from TOML, checked to the last key before it starts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from eoscheck.audit.findings import Guarantee
from eoscheck.audit.spec import AuditSpec
from eoscheck.cluster.spec import ClusterSpec
from eoscheck.durations import parse_duration
from eoscheck.errors import UsageError, did_you_mean
from eoscheck.faults.kinds import FaultSpec
from eoscheck.load.spec import LoadSpec
from eoscheck.run.documents import (
    EXTENDS,
    apply_override,
    fill_settings,
    fill_topics,
    read_document,
    with_values,
)
from eoscheck.run.expectation import Expectation
from eoscheck.run.keys import check_kinds, unknown_keys
from eoscheck.subject import Role, RoleSpec, SubjectSpec, one_app
from eoscheck.subject.role import pipeline

SUFFIX = ".toml"
_ROLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_Spec = TypeVar("_Spec", bound=SubjectSpec)
BASE_MARK = "_"
"""What others extend, and is no scenario by itself, begins with it."""


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


class Variant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The scenario under another guarantee than `audit.expect`: more arguments for the subject
    (of several apps: in `roles`, by name), and what must come out then (`eoscheck run NAME
    --guarantee at-least-once`)."""

    args: list[str] = []
    roles: dict[str, list[str]] = {}
    expect: Expectation = Expectation()


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One run, of one app (`subject`) or of several (`roles`, in the order in which records come
    through them). `{run_id}` in any string becomes the run's id, so topics are fresh each time; so
    does `{name}` the value of `settings.name`, names of the scenario's own; in `faults`, `{input}`
    and `{output}` are the topics' names. A file may begin with `extends = "other.toml"`: then it
    says only what is different there. `trace`: what its instances ask of brokers is written down,
    also where no fault needs that (docs/trace.md)."""

    name: str
    title: str
    description: str = ""
    seed: int = 1
    settings: dict[str, str | int | float] = {}
    cluster: ClusterSpec = ClusterSpec()
    topics: dict[str, TopicSpec] = {}
    app: SubjectSpec | None = msgspec.field(name="subject", default=None)
    apps: dict[str, RoleSpec] = msgspec.field(name="roles", default={})
    load: LoadSpec
    timing: Timing = Timing()
    faults: list[FaultSpec] = []
    trace: bool = False
    audit: AuditSpec
    expect: Expectation = Expectation()
    guarantees: dict[Guarantee, Variant] = {}

    def __post_init__(self) -> None:
        if (self.app is None) == (not self.apps):
            raise UsageError("a scenario has either [subject], one app, or [roles.NAME], several")
        _ = self.roles
        for guarantee, variant in self.guarantees.items():
            for name in variant.roles:
                if name not in self.apps:
                    hint = did_you_mean(name, self.apps)
                    raise UsageError(f"guarantees.{guarantee}.roles: no role {name!r}{hint}")
            if variant.args and self.apps:
                raise UsageError(f"guarantees.{guarantee}.args: of several apps, say which: roles")

    @property
    def roles(self) -> list[Role]:
        """The apps that the subject consists of, in order."""
        if self.app is not None:
            return [one_app(self.app, input=self.load.topic, output=self.audit.output)]
        return pipeline(self.apps, input=self.load.topic, output=self.audit.output)

    @property
    def subject(self) -> SubjectSpec:
        """The only app. Raises UsageError where there are several."""
        if self.app is None:
            raise UsageError(
                f"this needs a scenario with one app, [subject], and {self.name} has "
                f"the roles {', '.join(self.apps)}"
            )
        return self.app

    @property
    def instances(self) -> int:
        """Of all its apps."""
        return sum(len(role.instances) for role in self.roles)


def load_scenario(
    source: str | Path,
    *,
    run_id: str = "{run_id}",
    base: Path | None = None,
    guarantee: str | None = None,
    overrides: Sequence[str] = (),
    command: Sequence[str] = (),
) -> Scenario:
    """The scenario in the file `source`, or the shipped one of that name.

    `base` takes the place of the file that it extends; `guarantee` is one of its `guarantees`;
    `overrides` are `dotted.key=value` as given to `--set`; `command` replaces the subject's.
    Raises UsageError with the file, the key and the nearest right one.
    """
    path = find_scenario(source)
    document = read_document(path, base=base)
    for override in overrides:
        apply_override(document, override)
    if command:
        if "roles" in document:
            raise UsageError(
                f"{source} has several apps: to replace one's command, "
                "--set 'roles.NAME.command=[...]'"
            )
        document.setdefault("subject", {})["command"] = list(command)
    return build_scenario(document, source=path, run_id=run_id, guarantee=guarantee)


def build_scenario(
    document: dict[str, Any],
    *,
    source: Path | str,
    run_id: str = "{run_id}",
    guarantee: str | None = None,
) -> Scenario:
    """The scenario that `document` says: the tables of a file, checked to the last key. `source`
    says in errors where they are from. Raises UsageError as `load_scenario`."""
    try:
        check_kinds(document)
    except UsageError as error:
        raise UsageError(f"{source}: {error}") from error
    for key_path, known in unknown_keys(document, inspect.type_info(Scenario), ""):
        key = key_path.rpartition(".")[2]
        raise UsageError(
            f"{source}: {key_path} is not a key of a scenario{did_you_mean(key, known)}"
        )
    try:
        document = fill_settings(document)
    except UsageError as error:
        raise UsageError(f"{source}: {error}") from error
    fill_topics(document)
    _check_roles(document, source)
    try:
        scenario = msgspec.convert(with_values(document, {"run_id": run_id}), Scenario)
    except msgspec.ValidationError as error:
        raise UsageError(f"{source}: {_readable(error)}") from error
    for phase in Timing.__struct_fields__:
        if getattr(scenario.timing, phase) is not None:
            scenario.timing.seconds(phase)
    return scenario if guarantee is None else _under(scenario, guarantee, source)


def _check_roles(document: dict[str, Any], source: Path | str) -> None:
    """Each by itself first: msgspec does not say which one it was."""
    roles = document.get("roles", {})
    for name, table in roles.items() if isinstance(roles, dict) else ():
        if not _ROLE.fullmatch(name):
            raise UsageError(f"{source}: roles.{name}: a name is of letters, digits, - and _")
        try:
            msgspec.convert(table, RoleSpec)
        except (msgspec.ValidationError, UsageError) as error:
            said = _readable(error).replace("subject.", f"roles.{name}.")
            where = "" if f"roles.{name}" in said else f"roles.{name}: "
            raise UsageError(f"{source}: {where}{said}") from error


def _under(scenario: Scenario, guarantee: str, path: Path | str) -> Scenario:
    """The same with the subject told to give another guarantee, and judged by that."""
    if guarantee == scenario.audit.expect:
        return scenario
    variants = {str(known): variant for known, variant in scenario.guarantees.items()}
    if guarantee not in variants:
        known = [str(scenario.audit.expect), *variants]
        raise UsageError(
            f"{path} does not say what must come out under {guarantee!r}"
            f"{did_you_mean(guarantee, known)}: it knows {', '.join(known)} "
            "(add a table guarantees.NAME)"
        )
    variant = variants[guarantee]
    return msgspec.structs.replace(
        scenario,
        app=None if scenario.app is None else _told(scenario.app, variant.args),
        apps={n: _told(app, variant.roles.get(n, [])) for n, app in scenario.apps.items()},
        audit=msgspec.structs.replace(scenario.audit, expect=Guarantee(guarantee)),
        expect=variant.expect,
    )


def _told(app: _Spec, args: Sequence[str]) -> _Spec:
    return msgspec.structs.replace(app, args=[*app.args, *args])


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
            found = folder.rglob(f"*{SUFFIX}")
            return sorted(each for each in found if not each.name.startswith(BASE_MARK))
    return []


def json_schema() -> dict[str, Any]:
    """The JSON schema of scenario files, for editors. One that extends another may say any part of
    it: there, only the fault tables and the names of the others are held against the schema."""
    whole = msgspec.json.schema(Scenario)
    tables = whole["$defs"]["Scenario"]["properties"]
    parts = {key: {} for key in tables} | {"faults": tables["faults"], EXTENDS: {"type": "string"}}
    return {
        "$defs": whole["$defs"],
        "if": {"type": "object", "required": [EXTENDS]},
        "then": {"type": "object", "properties": parts, "additionalProperties": False},
        "else": {"$ref": whole["$ref"]},
    }


def _readable(error: Exception) -> str:
    """msgspec's message with the place first: `subject.instances: expected `int`, got `str``."""
    message, _, place = str(error).partition(" - at `$.")
    if not place:
        return message
    where = re.sub(r"\[(\d+)\]", r".\1", place.rstrip("`"))
    return f"{where}: {message}"
