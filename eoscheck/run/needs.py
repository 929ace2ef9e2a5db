"""What a scenario wants of the cluster that it runs on, beside what its `[cluster]` says."""

from __future__ import annotations

from dataclasses import dataclass

from eoscheck.faults import needs_of
from eoscheck.run.scenario import Scenario


@dataclass(frozen=True, kw_only=True)
class ClusterNeeds:
    """`slots`: instances that reach each broker through a proxy of their own; `broker_links`:
    brokers reach each other through proxies. Those proxies are a `network`'s, which can be
    disturbed, a `wire`'s, which read the protocol (on slots), or both, one behind the other."""

    slots: int = 0
    broker_links: bool = False
    network: bool = False
    wire: bool = False


def cluster_needs(scenario: Scenario) -> ClusterNeeds:
    needs = needs_of(scenario.faults)
    wire = "wire" in needs or scenario.trace
    return ClusterNeeds(
        slots=_instances(scenario) if wire or "network" in needs else 0,
        broker_links="broker links" in needs,
        network=bool(needs & {"network", "broker links"}),
        wire=wire,
    )


def has_spares(scenario: Scenario) -> bool:
    """Whether it needs instances that only a scale-out starts."""
    return "spare instance" in needs_of(scenario.faults)


def _instances(scenario: Scenario) -> int:
    return scenario.instances + (len(scenario.roles) if has_spares(scenario) else 0)
