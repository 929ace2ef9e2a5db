"""The kinds of faults whose recovery is measured, each as a table of a scenario."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from eoscheck.durations import parse_duration
from eoscheck.errors import UsageError, did_you_mean
from eoscheck.faults.broker import BrokerKill
from eoscheck.faults.kinds import FaultSpec
from eoscheck.faults.process import Kill, Pause, Restart, ScaleOut
from eoscheck.run.scenario import Scenario

TITLES = {
    "kill": "Kill, state kept",
    "kill-wiped": "Kill, state wiped",
    "restart": "Clean restart",
    "pause": "Pause",
    "broker-kill": "Kill of a broker",
    "scale-out": "One instance more",
}
DOWN = {
    "kill": "500ms",
    "kill-wiped": "500ms",
    "restart": "0s",
    "pause": "2s",
    "broker-kill": "4s",
    "scale-out": "5s",
}
"""How long until the heal, where nothing is said."""
_BROKERS = 3


@dataclass(frozen=True, kw_only=True)
class Kinds:
    """`repetitions` of each of `names`; `down` replaces how long some of them take."""

    names: Sequence[str] = tuple(TITLES)
    repetitions: int = 10
    down: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in (*self.names, *self.down):
            if name not in TITLES:
                raise UsageError(
                    f"--kinds {name!r} cannot be measured{did_you_mean(name, TITLES)}: "
                    f"use some of {', '.join(TITLES)}"
                )
        if self.repetitions < 1:
            raise UsageError(f"--repetitions must be at least 1, not {self.repetitions}")
        for name, down in self.down.items():
            if name == "restart":
                raise UsageError("--down restart: it is started again at once, it takes no time")
            parse_duration(down, what=f"--down {name}")

    def possible(self, scenario: Scenario) -> tuple[list[str], list[str]]:
        """Those that this scenario's cluster and subject allow, and why the others are left out."""
        fitting, notes = [], []
        for name in dict.fromkeys(self.names):
            reason = _unfit(name, scenario)
            if reason:
                notes.append(f"{name} is left out: {reason}")
            else:
                fitting.append(name)
        if not fitting:
            raise UsageError("; ".join(notes))
        return fitting, notes

    def down_s(self, name: str) -> float:
        return parse_duration(self._down(name), what=f"--down {name}")

    def table(self, name: str, scenario: Scenario) -> FaultSpec:
        """All its repetitions. They strike an instance at work, where the harness can tell."""
        count, down = self.repetitions, self._down(name)
        working = bool(scenario.subject.group and scenario.subject.client_id)
        match name:
            case "kill":
                return Kill(count=count, down=down, working=working)
            case "kill-wiped":
                return Kill(count=count, down=down, working=working, wipe=count)
            case "restart":
                return Restart(count=count, working=working)
            case "pause":
                return Pause(count=count, down=down, working=working)
            case "broker-kill":
                return BrokerKill(
                    count=count, down=down, broker=f"leader:{scenario.audit.output}/0"
                )
            case _:
                return ScaleOut(count=count, down=down)

    def _down(self, name: str) -> str:
        return self.down.get(name, DOWN[name])


def _unfit(name: str, scenario: Scenario) -> str:
    cluster = scenario.cluster
    if name == "broker-kill":
        if cluster.provider == "external":
            return "the brokers of an external cluster are not ours to kill"
        if cluster.brokers < _BROKERS:
            return f"it needs cluster.brokers = {_BROKERS}, and there is {cluster.brokers}"
    if name == "scale-out" and scenario.subject.group is None:
        return "it needs subject.group, to see who works"
    return ""
