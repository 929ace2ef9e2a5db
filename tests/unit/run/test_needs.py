"""What a scenario wants of its cluster: proxies only where its faults, or a trace, need them."""

from __future__ import annotations

import pytest

from eoscheck.cli.session import open_session
from eoscheck.cluster.spec import ClusterSpec
from eoscheck.errors import UsageError
from eoscheck.run.needs import ClusterNeeds, cluster_needs
from eoscheck.run.scenario import load_scenario


@pytest.mark.parametrize(
    ("name", "overrides", "needs"),
    [
        ("kill-exactly-once", [], ClusterNeeds()),
        ("kill-exactly-once", ["trace=true"], ClusterNeeds(slots=2, wire=True)),
        ("crash-after-commit", [], ClusterNeeds(slots=2, wire=True)),
        ("instance-cut-off", [], ClusterNeeds(slots=2, network=True)),
        ("instance-cut-off", ["trace=true"], ClusterNeeds(slots=2, network=True, wire=True)),
        ("two-brokers-apart", [], ClusterNeeds(broker_links=True, network=True)),
    ],
)
def test_proxies_of_the_kind_that_is_needed(
    name: str, overrides: list[str], needs: ClusterNeeds
) -> None:
    assert cluster_needs(load_scenario(name, overrides=overrides)) == needs


def test_an_external_cluster_has_no_place_for_a_wire() -> None:
    spec = ClusterSpec(provider="external", bootstrap_server="127.0.0.1:1")
    with (
        pytest.raises(UsageError, match="no place for proxies that read the protocol"),
        open_session(spec, ClusterNeeds(slots=1, wire=True)),
    ):
        pass
