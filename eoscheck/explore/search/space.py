"""What may be drawn: kinds of faults that this machine can do to this subject, and their bounds.

It knows the subject's session time-out, for its scenario says it, and nothing else of the subject.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from eoscheck.artifacts import cache_folder
from eoscheck.errors import UsageError, did_you_mean
from eoscheck.faults.kinds import KINDS
from eoscheck.faults.preparing import check_machine
from eoscheck.faults.spec import FaultTable
from eoscheck.load.spec import LoadSpec
from eoscheck.network import binary
from eoscheck.run.scenario import Scenario
from eoscheck.wire import Step

FAMILIES = ("process", "disk", "identity", "clock", "network", "wire", "broker")
"""Those that schedules are made of (`draw` has the strategies)."""

NOT_UNASKED: Mapping[str, str] = {
    "hold": "a request that arrives late breaks Kafka's own promises, not the subject's",
}
"""Kinds that are explored only where `only` names them: they find what no subject can help."""

SEVERAL_BROKERS = 3
COMMIT = "EndTxn(commit)"
_LONGEST_S = 8.0
_OFTEN = 10


@dataclass(frozen=True, kw_only=True)
class Space:
    """`session_s`: the subject's session time-out. `knows_members`: a member of its group can be
    told to be of an instance. `steps`: of the protocol, those that it performs (`with_steps`)."""

    kinds: tuple[str, ...]
    instances: int
    session_s: float
    load: LoadSpec
    knows_members: bool = False
    steps: Mapping[Step, int] = field(default_factory=dict)

    @property
    def longest_s(self) -> float:
        """No fault takes longer: well beyond a session, within a short run."""
        return max(min(self.session_s * 3, _LONGEST_S), self.session_s * 1.3)

    @property
    def has_transactions(self) -> bool:
        """As far as is known: without a look at its steps it may have."""
        return not self.steps or COMMIT in self.steps

    def with_steps(self, steps: Mapping[Step, int]) -> Space:
        """As learned from a run without faults. Without any there is nothing to do on the wire."""
        kinds = self.kinds
        if not steps:
            kinds = tuple(kind for kind in kinds if family_of(kind) != "wire")
        return replace(self, steps=dict(steps), kinds=kinds)

    def is_rare(self, step: Step) -> bool:
        """An instance does it when it starts or stops, not again and again at work."""
        return self.steps[step] < _OFTEN * self.instances


def family_of(kind: str) -> str:
    return KINDS[kind].family


def find_space(scenario: Scenario, *, only: Sequence[str] = ()) -> tuple[Space, dict[str, str]]:
    """The space of `scenario` on this machine, and the kinds that are left out of it, with the
    reason. `only`: these kinds and families, of which some must be possible.

    Raises UsageError for a word that is neither, or where nothing is left.
    """
    left_out: dict[str, str] = {}
    kinds = []
    for kind in _asked(only):
        reason = None if kind in only else NOT_UNASKED.get(kind)
        reason = reason or _hindrance(kind, scenario)
        if reason is None:
            kinds.append(kind)
        else:
            left_out[kind] = reason
    if not kinds:
        raise UsageError(
            f"no fault can be done here: {'; '.join(dict.fromkeys(left_out.values()))}"
        )
    subject = scenario.subject
    space = Space(
        kinds=tuple(kinds),
        instances=subject.instances,
        session_s=subject.session_timeout_s,
        load=scenario.load,
        knows_members=subject.group is not None and subject.client_id is not None,
    )
    return space, left_out


def _asked(only: Sequence[str]) -> list[str]:
    explored = [kind for kind in KINDS if family_of(kind) in FAMILIES]
    known = {*FAMILIES, *explored}
    for word in only:
        if word not in known:
            raise UsageError(
                f"--only {word}: no kind of fault and no family that is explored"
                f"{did_you_mean(word, known)}"
            )
    wanted = set(only)
    return [kind for kind in explored if not only or wanted & {kind, family_of(kind)}]


def _hindrance(kind: str, scenario: Scenario) -> str | None:
    """Why such faults cannot be done here; None where they can."""
    family = family_of(kind)
    if family == "broker" and scenario.cluster.brokers < SEVERAL_BROKERS:
        return f"faults of brokers need cluster.brokers = {SEVERAL_BROKERS}"
    if family in ("broker", "network") and scenario.cluster.provider == "external":
        return "the cluster is not ours"
    if family == "wire" and scenario.cluster.provider != "embedded":
        return "proxies that read the protocol need the provider 'embedded'"
    try:
        if family == "network":
            found = binary.chosen() or binary.find_binary(cache=cache_folder())
            return None if found else "no Toxiproxy yet: `eoscheck toxiproxy` gets one"
        check_machine([example(kind)])
    except UsageError as error:
        return str(error)
    return None


_NEEDED_KEYS: Mapping[str, Mapping[str, Any]] = {
    "wire": {"step": "EndTxn"},
    "clock": {"by": "+1m"},
}


def example(kind: str) -> FaultTable:
    """A fault of that kind with nothing said that need not be: to ask what it needs."""
    return KINDS[kind](**_NEEDED_KEYS.get(family_of(kind), {}))
