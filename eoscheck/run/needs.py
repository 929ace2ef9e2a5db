"""What a scenario wants of the cluster that it runs on, beside what its `[cluster]` says."""

from __future__ import annotations

from dataclasses import dataclass

from eoscheck.faults import needs_of
from eoscheck.run.scenario import Scenario


@dataclass(frozen=True, kw_only=True)
class ClusterNeeds:
    """`slots`: instances that reach each broker through a proxy of their own; `broker_links`:
    brokers reach each other through proxies. With either there is a network."""

    slots: int = 0
    broker_links: bool = False

    @property
    def network(self) -> bool:
        return self.slots > 0 or self.broker_links


def cluster_needs(scenario: Scenario) -> ClusterNeeds:
    needs = needs_of(scenario.faults)
    return ClusterNeeds(
        slots=scenario.subject.instances + spares(scenario) if "network" in needs else 0,
        broker_links="broker links" in needs,
    )


def spares(scenario: Scenario) -> int:
    """Instances that only a scale-out starts."""
    return int("spare instance" in needs_of(scenario.faults))
