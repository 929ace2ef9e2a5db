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
        slots=scenario.subject.instances + spares(scenario) if wire or "network" in needs else 0,
        broker_links="broker links" in needs,
        network=bool(needs & {"network", "broker links"}),
        wire=wire,
    )


def spares(scenario: Scenario) -> int:
    """Instances that only a scale-out starts."""
    return int("spare instance" in needs_of(scenario.faults))
