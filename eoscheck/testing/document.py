"""The scenario of one test: a file, or none, and the tables that fixtures give over it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from eoscheck.errors import UsageError
from eoscheck.explore.search.schedule import Schedule, length_s
from eoscheck.run.documents import apply_override, merged, read_document
from eoscheck.run.scenario import Scenario, build_scenario, find_scenario
from eoscheck.testing.settings import Asked

Table: TypeAlias = Mapping[str, Any]

TOPICS = ("input-{run_id}", "output-{run_id}")
"""What input and output are called where nobody says it."""

_PLACE = re.compile(r"(?<!\{)\{(input|output|group)\}(?!\})")
_TIMING = {"steady": "2s", "faults": "10s", "settle": "2s", "drain": "45s", "liveness": "30s"}
_FAULTS = [{"kind": "kill", "count": 3}]
_INSTANCES = 2


@dataclass(frozen=True, kw_only=True)
class Tables:
    """What fixtures, and the call of `eos_run`, say of a scenario's tables; None: nothing.
    `faults` takes the place of the scenario's, the others are merged into them."""

    subject: Table | None = None
    load: Table | None = None
    timing: Table | None = None
    audit: Table | None = None
    faults: Sequence[Table] | None = None

    def over(self, other: Tables) -> Tables:
        """These, and where they say nothing, `other`'s."""
        return Tables(
            subject=_both(other.subject, self.subject),
            load=_both(other.load, self.load),
            timing=_both(other.timing, self.timing),
            audit=_both(other.audit, self.audit),
            faults=other.faults if self.faults is None else self.faults,
        )

    def with_schedule(self, schedule: Schedule, *, instances: int) -> Tables:
        """A drawn schedule's faults and load, and as much time as they need."""
        return replace(
            self,
            faults=schedule.faults,
            load=_both(self.load, schedule.load),
            timing=_both(self.timing, {"faults": f"{length_s(schedule, instances=instances)}s"}),
        )


def compose(
    asked: Asked,
    tables: Tables,
    *,
    name: str,
    title: str,
    run_id: str,
    folders: Sequence[Path] = (),
) -> Scenario:
    """`name` and `title` are those of a test without a scenario; `folders` is where relative paths
    are looked for. Raises UsageError where anything is missing or cannot be."""
    document, source = _read(asked, folders)
    for key in ("subject", "load", "timing", "audit"):
        said = getattr(tables, key)
        if said is not None:
            document[key] = merged(document.get(key, {}), _plain(said))
    if tables.faults is not None:
        document["faults"] = [_plain(table) for table in tables.faults]
    if asked.instances is not None:
        document.setdefault("subject", {})["instances"] = asked.instances
    for override in asked.overrides:
        apply_override(document, override)
    if asked.scenario is None:
        _complete(document, name=name, title=title)
    _name_places(document)
    return build_scenario(document, source=source, run_id=run_id, guarantee=asked.guarantee)


def _read(asked: Asked, folders: Sequence[Path]) -> tuple[dict[str, Any], Path | str]:
    base = None if asked.base is None else find_scenario(_found(asked.base, folders))
    if asked.scenario is not None:
        path = find_scenario(_found(asked.scenario, folders))
        return read_document(path, base=base), path
    if base is not None:
        return read_document(base), base
    return {}, "fixtures eos_subject, eos_load, eos_timing, eos_faults, eos_audit_spec"


def _found(source: str, folders: Sequence[Path]) -> str | Path:
    return next((each / source for each in folders if (each / source).is_file()), source)


def _complete(document: dict[str, Any], *, name: str, title: str) -> None:
    """What a test need not say: it has one input, one output, and its app is killed."""
    subject = document.setdefault("subject", {})
    if "command" not in subject and "image" not in subject:
        raise UsageError(
            "no app to test: write a fixture eos_subject that returns {'command': [...]}, or name "
            "a scenario, @pytest.mark.eos(scenario='my-app.toml')"
        )
    document.setdefault("name", name)
    document.setdefault("title", title)
    subject.setdefault("instances", _INSTANCES)
    if "group" not in subject and _mentions(subject, "{group}"):
        subject["group"] = "group-{run_id}"
    load, audit = document.setdefault("load", {}), document.setdefault("audit", {})
    load.setdefault("topic", TOPICS[0])
    load.setdefault("rate", 500)
    audit.setdefault("input", load["topic"])
    audit.setdefault("output", TOPICS[1])
    if "group" in subject:
        audit.setdefault("group", subject["group"])
    if "value" not in load:
        audit.setdefault("id", "json:/payment_id")
    document["timing"] = _TIMING | document.get("timing", {})
    document.setdefault("faults", deepcopy(_FAULTS))
    if "topics" not in document:  # those of other names are there already: who named them made them
        names = (load["topic"], audit["output"])
        document["topics"] = {each: {} for each in names if "{run_id}" in each}


def _name_places(document: dict[str, Any]) -> None:
    """`{input}`, `{output}` and `{group}` in what the subject is started with."""
    subject = document.get("subject", {})
    names = {
        "input": document.get("load", {}).get("topic"),
        "output": document.get("audit", {}).get("output"),
        "group": subject.get("group"),
    }

    def named(match: re.Match[str]) -> str:
        return names[match[1]] or match[0]

    for key in ("command", "args", "env"):
        if key in subject:
            subject[key] = _each_text(subject[key], lambda text: _PLACE.sub(named, text))


def _each_text(value: Any, change: Any) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {key: _each_text(inner, change) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_each_text(inner, change) for inner in value]
    return value


def _mentions(value: Any, text: str) -> bool:
    found: list[str] = []
    _each_text(value, lambda each: found.append(each) if text in each else None)
    return bool(found)


def _plain(table: Table) -> dict[str, Any]:
    """A copy of our own, with paths as text: what TOML could say."""
    return {key: _as_text(value) for key, value in table.items()}


def _as_text(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return _plain(value)
    if isinstance(value, list | tuple):
        return [_as_text(inner) for inner in value]
    return value


def _both(under: Table | None, over: Table | None) -> Table | None:
    if under is None or over is None:
        return over if under is None else under
    return merged(under, over)
