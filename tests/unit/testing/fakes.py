"""A run that takes no time: it comes out as the app's command says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, ClassVar

from eoscheck.audit.findings import Verdict
from eoscheck.cluster import Cluster
from eoscheck.run.opened import Opened
from eoscheck.run.result import RunResult
from eoscheck.run.scenario import Scenario
from eoscheck.testing.runs import Runner
from tests.unit.report.samples import broken, changed, changed_tally, passing, undecided

# The editable install of a checkout may be older than the plugin.
INSTALLED = any(found.name == "eoscheck" for found in entry_points(group="pytest11"))
QUICK = ("-p", "no:hypothesispytest", "-p", "no:syrupy", "-p", "no:xdist")
PLUGIN = QUICK if INSTALLED else (*QUICK, "-p", "eoscheck.pytest_plugin")

_SAMPLES = {"right": passing, "wrong": broken, "unclear": undecided}


class NoCluster:
    """Somebody else's, and never asked."""

    owned = False
    brokers = None
    bootstrap_servers = direct_servers = "127.0.0.1:1"
    client_config: ClassVar[dict[str, str]] = {}
    description = "no Kafka"

    def bootstrap_for(self, instance: int) -> str:
        return self.bootstrap_servers

    def close(self) -> None:
        """Nothing to stop."""


def fake_run(
    scenario: Scenario,
    *,
    folder: Path,
    run_id: str,
    repeat: str,
    seed: int | None,
    **ground: Any,
) -> RunResult:
    """`right`, `wrong` and `unclear` are what the last word of the command says; `wrong-on-2` is
    wrong with the seed 2; of more than two faults one misses `hard-to-hit`. What else was asked for
    is in the environment, to be looked at."""
    seed = scenario.seed if seed is None else seed
    word = scenario.subject.command[-1]
    if word == "wrong-on-2":
        word = "wrong" if seed == 2 else "right"
    elif word == "hard-to-hit":
        word = "right"
    sample = _SAMPLES[word]()
    if scenario.subject.command[-1] == "hard-to-hit":
        missed = len(scenario.faults) > 2
        sample = changed(
            passing(),
            verdict=Verdict.UNKNOWN if missed else Verdict.PASS,
            tally=changed_tally(passing().tally, missed=int(missed)),
        )
    folder.mkdir(parents=True)
    (folder / "history.ndjson").touch()
    result = changed(
        sample,
        run_id=run_id,
        scenario=scenario.name,
        title=scenario.title,
        seed=seed,
        folder=str(folder),
        repeat=repeat,
        guarantee=scenario.audit.expect,
        expected=scenario.expect,
        as_expected=sample.verdict is scenario.expect.verdict,
        environment={
            "cluster": "no Kafka",
            "asked for": f"{scenario.cluster.kafka_version}, {scenario.cluster.brokers} broker",
            "rate": f"{scenario.load.rate:g}",
            "faults": ",".join(f"{each.kind}:{each.count}" for each in scenario.faults),
            "command": " ".join(scenario.subject.command),
            "instances": str(scenario.subject.instances),
        },
    )
    assert isinstance(result, RunResult)
    assert result.verdict in Verdict
    return result


@contextmanager
def fake_ground(scenario: Scenario) -> Iterator[Opened]:
    cluster: Cluster = NoCluster()
    yield Opened(cluster=cluster, supervisor=None)  # type: ignore[arg-type]


def fake_runner(*arguments: Any, **named: Any) -> Runner:
    return Runner(*arguments, **{**named, "run": fake_run, "ground": fake_ground})
