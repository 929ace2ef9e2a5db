"""A schedule as a scenario file: what the search runs, and what it leaves, is the same file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.items import AoT, Table

from eoscheck.explore.search.schedule import Schedule, in_words, length_s
from eoscheck.run.documents import EXTENDS, apply_override, read_document
from eoscheck.run.naming import repeat_command
from eoscheck.run.scenario import Scenario, find_scenario, load_scenario

_FIRST_KEYS = ("kind", "step", "at", "target", "down")
_NOT_ITS_OWN = ("faults", "name", "title", "description", "seed", "expect", "guarantees")
"""Of the scenario that is explored: a schedule has its own."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """What schedules are put upon: the file that a saved one extends, and what else it must say
    (`document`), for options said it. `whole` is all that is known of the subject."""

    scenario: Scenario
    origin: Path
    document: Mapping[str, Any]
    whole: Mapping[str, Any]

    def traced(self) -> Source:
        """As in a search whose cluster has proxies that read the protocol: a run again has them,
        too, for what they cost in time may be what makes it fail."""
        return replace(self, document={**self.document, "trace": True})


def read_source(
    scenario: str | Path,
    *,
    base: Path | None = None,
    guarantee: str | None = None,
    overrides: Sequence[str] = (),
    command: Sequence[str] = (),
) -> Source:
    """As `load_scenario` takes them. Raises UsageError, as it does."""
    loaded = load_scenario(
        scenario, base=base, guarantee=guarantee, overrides=overrides, command=command
    )
    path = find_scenario(scenario)
    whole = read_document(path, base=base)
    for override in overrides:
        apply_override(whole, override)
    if command:
        whole.setdefault("subject", {})["command"] = list(command)
    if guarantee is not None:
        whole["subject"]["args"] = list(loaded.subject.args)
        whole["audit"]["expect"] = guarantee
    for key in _NOT_ITS_OWN:
        whole.pop(key, None)
    # With another base than its own, it stands upon that one: a file extends one other.
    origin = path if base is None else base
    return Source(
        scenario=loaded,
        origin=origin.resolve(),
        document=_beyond(whole, read_document(origin)),
        whole=whole,
    )


def write_scenario(
    path: Path,
    schedule: Schedule,
    *,
    source: Source,
    name: str,
    codes: Sequence[str] = (),
    remarks: Sequence[str] = (),
) -> None:
    """One screen of TOML that `eoscheck run` runs as the search did. `codes`: what it must find,
    none where it is only tried; `remarks` are lines of its head, in words."""
    words = in_words(schedule)
    document = tomlkit.document()
    for line in (*remarks, *words):
        document.add(tomlkit.comment(line))
    folder = path.parent.resolve()
    document[EXTENDS] = _reach(source.origin, folder)
    document["name"] = name
    document["title"] = (
        f"Found by search: {', '.join(codes)}" if codes else "A schedule of a search"
    )
    document["description"] = f"{'; '.join(words)}."
    document["seed"] = schedule.seed
    for key, value in _body(schedule, source).items():
        document[key] = value
    if codes:
        document["expect"] = {"verdict": "fail", "codes": list(codes)}
    document["faults"] = _faults(schedule)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(tomlkit.dumps(document), encoding="utf-8")


def save(schedule: Schedule, *, codes: Sequence[str], source: Source, folder: Path) -> Path:
    """What was found, as a file of its own name in `folder`, which says how to run it."""
    name = "-".join(["explored", *(code.lower().replace("_", "-") for code in codes)])
    path = folder / f"{name}.toml"
    remarks = [
        f"Found by `eoscheck explore`, and shrunk: {', '.join(codes)}. Again with",
        f"  {repeat_command(['run', path])}",
        "and it must come out red, until what it shows is mended. The faults, in their order:",
    ]
    write_scenario(path, schedule, source=source, name=name, codes=codes, remarks=remarks)
    return path


def _body(schedule: Schedule, source: Source) -> dict[str, Any]:
    body = dict(source.document)
    if schedule.load:
        body["load"] = {**body.get("load", {}), **schedule.load}
    phase = f"{length_s(schedule, instances=source.scenario.subject.instances)}s"
    body["timing"] = {**body.get("timing", {}), "faults": phase}
    return body


def _faults(schedule: Schedule) -> AoT | list[Table]:
    if not schedule.faults:
        return []  # it replaces those of the file that it extends
    tables = tomlkit.aot()
    for fault in schedule.faults:
        table = tomlkit.table()
        first = [key for key in _FIRST_KEYS if key in fault]
        for key in (*first, *sorted(fault.keys() - set(first))):
            table.add(key, fault[key])
        tables.append(table)
    return tables


def _reach(origin: Path, folder: Path) -> str:
    """A relative path where both lie in one project, which may be moved; else an absolute one."""
    relative = os.path.relpath(origin, folder)
    return relative if relative.count("..") <= 4 else str(origin)


def _beyond(over: Mapping[str, Any], under: Mapping[str, Any]) -> dict[str, Any]:
    """What `over` says that `under` does not: merged upon it, it gives `over`."""
    beyond: dict[str, Any] = {}
    for key, value in over.items():
        if key not in under:
            beyond[key] = value
        elif isinstance(value, Mapping) and isinstance(under[key], Mapping):
            if inner := _beyond(value, under[key]):
                beyond[key] = inner
        elif value != under[key]:
            beyond[key] = value
    return beyond
