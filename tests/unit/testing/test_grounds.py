"""Which runs share the session's cluster, and which get one of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from eoscheck.cluster.spec import ClusterSpec
from eoscheck.errors import InfrastructureError
from eoscheck.run.needs import ClusterNeeds
from eoscheck.run.opened import Opened
from eoscheck.run.scenario import Scenario
from eoscheck.testing import grounds
from eoscheck.testing.document import Tables, compose
from eoscheck.testing.grounds import Grounds, session_cluster
from eoscheck.testing.settings import Marked, Settings, asked_for
from eoscheck.testing.shared import Share
from tests.unit.testing.fakes import NoCluster

WIRE = {"kind": "crash-after", "step": "EndTxn(commit)"}


def scenario(*faults: dict[str, object], **cluster: object) -> Scenario:
    said = [f"cluster.{key}={value}" for key, value in cluster.items()]
    return compose(
        asked_for(Marked(set=said), Settings(), given={}),
        Tables(subject={"command": ["app"]}, faults=list(faults)),
        name="x",
        title="x",
        run_id="r",
    )


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was opened and closed."""
    lines: list[str] = []

    @contextmanager
    def opened(spec: ClusterSpec, needs: ClusterNeeds, *, progress: object) -> Iterator[Opened]:
        name = f"{spec.brokers} brokers{', wire' if needs.wire else ''}"
        lines.append(f"open {name}")
        yield Opened(cluster=NoCluster(), supervisor=None)  # type: ignore[arg-type]
        lines.append(f"close {name}")

    monkeypatch.setattr(grounds, "opened", opened)
    return lines


@pytest.fixture
def ours(log: list[str]) -> Iterator[Grounds]:
    def shared() -> NoCluster:
        log.append("shared")
        return NoCluster()

    made = Grounds(ClusterSpec(), shared=shared, progress=print)
    yield made
    made.close()


def test_plain_runs_share_the_sessions_cluster(ours: Grounds, log: list[str]) -> None:
    with ours.for_run(scenario({"kind": "kill"})), ours.for_run(scenario({"kind": "pause"})):
        pass
    assert log == ["shared", "shared"]


def test_runs_that_want_the_same_proxies_share_one_other(ours: Grounds, log: list[str]) -> None:
    for _ in range(2):
        with ours.for_run(scenario(WIRE)):
            pass
    with ours.for_run(scenario({"kind": "broker-kill"}, brokers=3)):
        pass
    assert log == ["open 1 brokers, wire", "close 1 brokers, wire", "open 3 brokers"]
    ours.close()
    assert log[-1] == "close 3 brokers"


def test_what_is_done_to_brokers_is_not_done_to_those_that_all_share(ours: Grounds) -> None:
    assert ours.shares(scenario({"kind": "kill"}))
    assert not ours.shares(scenario({"kind": "broker-restart"}))
    assert not ours.shares(scenario({"kind": "kill"}, brokers=3))


def test_a_cluster_that_may_be_broken_is_not_used_again(ours: Grounds, log: list[str]) -> None:
    with pytest.raises(InfrastructureError):
        with ours.for_run(scenario(WIRE)):
            raise InfrastructureError("Kafka does not answer")
    with ours.for_run(scenario(WIRE)):
        pass
    assert log == ["open 1 brokers, wire", "close 1 brokers, wire", "open 1 brokers, wire"]


def test_an_external_cluster_is_nothing_that_workers_would_have_to_start() -> None:
    spec = ClusterSpec(provider="external", bootstrap_server="127.0.0.1:1")
    share = Share(controller=1, prefix="/nowhere/at-all")
    with session_cluster(spec, share=share, progress=print) as cluster:
        assert not cluster.owned
        assert cluster.bootstrap_servers == "127.0.0.1:1"
