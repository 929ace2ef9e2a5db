"""How a measure varies a subject: the settings that it fills in, and the two sides of a cost."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

from eoscheck.audit.findings import Guarantee
from eoscheck.cluster.provider import Cluster
from eoscheck.errors import UsageError
from eoscheck.run.documents import SETTINGS, read_document
from eoscheck.run.environment import describe_environment
from eoscheck.run.scenario import find_scenario
from eoscheck.run.setting import Setting

BASE_SCENARIO = "drain-exactly-once"
_DEFAULTS = {
    "guarantee": "exactly_once_v2",
    "commit_interval_ms": 100,
    "transaction_timeout_ms": 10_000,
}
_AT_LEAST_ONCE = ("settings.guarantee=at_least_once", "audit.expect=at-least-once")
_SHORTEST_TIMEOUT_S = 10.0
_BUSY = 0.5
"""Runnable processes for each core before we began, from which on a machine is not quiet."""


def with_defaults(setting: Setting) -> Setting:
    """What a measure varies can be filled in also where the scenario itself does not name it, but
    a command given instead does."""
    known = read_document(find_scenario(setting.source), base=setting.base).get(SETTINGS, {})
    missing = [f"settings.{name}={value}" for name, value in _DEFAULTS.items() if name not in known]
    return replace(setting, overrides=(*missing, *setting.overrides))


def at_interval(setting: Setting, seconds: float) -> Setting:
    """With that commit interval, and a transaction time-out of at least three times as long."""
    timeout_s = max(_SHORTEST_TIMEOUT_S, 3 * seconds)
    return setting.under(
        f"settings.commit_interval_ms={round(seconds * 1000)}",
        f"settings.transaction_timeout_ms={round(timeout_s * 1000)}",
    )


def baseline_of(measured: Setting, *, differing: Sequence[str] = ()) -> Setting:
    """`measured` under at-least-once: `differing` says how (as `--set` takes it), or its
    `{guarantee}` does, or its table `guarantees.at-least-once`. Raises UsageError where none does.
    """
    subject = measured.load().subject
    under = measured.under(*_AT_LEAST_ONCE, *differing)
    if under.load().subject != subject:
        return under
    if Guarantee.AT_LEAST_ONCE in measured.load().guarantees:
        return replace(measured, guarantee=Guarantee.AT_LEAST_ONCE.value)
    raise UsageError(
        f"nothing says how {measured.source} is run under at-least-once: put {{guarantee}} into "
        "subject.command, args or env, or give --baseline-set, a table guarantees.at-least-once, "
        "or a second scenario"
    )


def interval_of(setting: Setting) -> str:
    """For reports: the commit interval where it is a setting of the subject's."""
    interval = setting.load().settings["commit_interval_ms"]
    shown = at_interval(setting, 1.0).load().subject != at_interval(setting, 2.0).load().subject
    return f"{interval} ms" if shown else "the subject's own"


def environment_now(cluster: Cluster) -> tuple[dict[str, str], list[str]]:
    """What is measured on, and a note where other work goes on there."""
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    environment = {**describe_environment(cluster), "load before": f"{load:.1f}"}
    if load < _BUSY * cores:
        return environment, []
    return environment, [
        f"the machine was busy (a load of {load:.1f} on {cores} cores before the measure): ratios "
        "of interleaved runs bear that, absolute figures do not"
    ]
