"""What the plugin asks of pytest's own objects: settings, markers, the parts of one test."""

from __future__ import annotations

import logging
import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from eoscheck.cluster.provider import Cluster
from eoscheck.cluster.spec import ClusterSpec
from eoscheck.errors import EoscheckError
from eoscheck.report.beside import REPORT_FILE
from eoscheck.run.naming import new_run_id
from eoscheck.testing.audits import Auditor
from eoscheck.testing.document import Tables
from eoscheck.testing.grounds import Grounds
from eoscheck.testing.runs import Runner, Test, plain_name
from eoscheck.testing.settings import (
    Asked,
    Marked,
    Settings,
    asked_for,
    read_marker,
    read_settings,
)

MARKER = "eos"
_RUNS = "pytest"
_SETTINGS = pytest.StashKey[Settings]()

progress = logging.getLogger("eoscheck").info
"""Pytest shows it with a failed test, or live with `--log-cli-level=info`."""


def settings_of(config: pytest.Config) -> Settings:
    """Read once. Raises UsageError."""
    if _SETTINGS not in config.stash:
        config.stash[_SETTINGS] = read_settings(config.rootpath, given(config))
    return config.stash[_SETTINGS]


def given(config: pytest.Config) -> Mapping[str, Any]:
    """The options that were typed, by the names of the settings."""
    options = {name: config.getoption(f"eos_{name}", None) for name in _names()}
    return {name: value for name, value in options.items() if value not in (None, [])}


def _names() -> tuple[str, ...]:
    return Settings.__struct_fields__


def marked(node: pytest.Item | pytest.Function) -> Marked:
    """Of all its markers `eos`: of its class and its module too."""
    markers = list(node.iter_markers(MARKER))
    return read_marker((each.args, each.kwargs) for each in reversed(markers))


def asked_of(node: pytest.Item | pytest.Function) -> Asked:
    config = node.config
    return asked_for(marked(node), settings_of(config), given=given(config))


@contextmanager
def in_one_line() -> Iterator[None]:
    """What the user has to put right is one line, not a traceback through here."""
    try:
        yield
    except EoscheckError as error:
        pytest.fail(f"eoscheck: {error}", pytrace=False)


def runner_for(
    item: pytest.Item,
    *,
    scenario: str | Path | None,
    tables: Tables,
    seed: int | None,
    grounds: Grounds,
) -> Runner:
    """`scenario`, `tables` and `seed` are what the fixtures give. Raises UsageError."""
    config = item.config
    asked = msgspec.structs.replace(
        asked_of(item), scenario=None if scenario is None else str(scenario)
    )
    settings = settings_of(config)
    worker = getattr(config, "workerinput", {}).get("workerid", "")
    test = Test(
        node_id=item.nodeid,
        asked=asked,
        tables=tables,
        seed=seed,
        again=repeat_command(item.nodeid, given(config)),
        folders=[item.path.parent, config.rootpath],
    )
    return Runner(
        test,
        ground=grounds.for_run,
        # Where a scenario has no wishes, the session's cluster is what is wished for.
        cluster_of=lambda spec: grounds.spec if spec == ClusterSpec() else settings.over(spec),
        report=_shown(config.rootpath / settings.report / _RUNS),
        keep_all=settings.keep == "all",
        worker=f"-{worker}" if worker else "",
    )


def auditor_for(item: pytest.Item, cluster: Cluster) -> Auditor:
    """What is left of a failing test that made no run is a folder as of a run, with the page."""
    config = item.config
    folder = _shown(config.rootpath / settings_of(config).report / _RUNS)
    worker = getattr(config, "workerinput", {}).get("workerid", "")
    name = plain_name(item.nodeid) + (f"-{worker}" if worker else "")
    return Auditor(
        cluster,
        title=item.nodeid,
        again=repeat_command(item.nodeid, given(config)),
        page=folder / new_run_id(name) / REPORT_FILE,
    )


def repeat_command(node_id: str, options: Mapping[str, Any]) -> str:
    """A line to paste into a shell."""
    words = ["pytest", node_id]
    for name, value in options.items():
        option = f"--eos-{name.replace('_', '-')}"
        for each in value if isinstance(value, list) else [value]:
            words += [option, str(each)]
    return shlex.join(words)


def _shown(path: Path) -> Path:
    """From where pytest was started, if it is below."""
    relative = os.path.relpath(path)
    return path if relative.startswith(os.pardir) else Path(relative)
