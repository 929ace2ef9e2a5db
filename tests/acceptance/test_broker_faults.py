"""What the catalogue does not say of a broker's fault: that the work went on meanwhile, and that it
bites on an older Kafka too."""

from __future__ import annotations

from pathlib import Path

import pytest

from eoscheck.history import (
    Event,
    FaultHealed,
    FaultInjected,
    OutputsObserved,
    SendsAcknowledged,
    read_history,
)
from eoscheck.history.events import Identity
from tests.acceptance.conftest import Accepted, Eoscheck
from tests.acceptance.test_catalogue import words


def through_during(events: list[Event]) -> set[Identity]:
    """What was sent after the fault, acknowledged, and came out, all before its heal."""
    (injected,) = (event for event in events if isinstance(event, FaultInjected))
    (healed,) = (event for event in events if isinstance(event, FaultHealed))
    sent = {
        identity
        for event in events
        if isinstance(event, SendsAcknowledged) and event.t < healed.t
        for identity, intended in zip(event.identities, event.intended, strict=True)
        if intended > injected.t
    }
    came_out = {
        identity
        for event in events
        if isinstance(event, OutputsObserved) and event.t < healed.t
        for identity in event.identities
    }
    return sent & came_out


@pytest.mark.accept
@pytest.mark.timeout(600)
def test_the_work_goes_on_while_the_old_controller_stands_still(
    eoscheck: Eoscheck, accepted: Accepted
) -> None:
    outcome = eoscheck("run", "controller-paused", timeout_s=500)
    assert outcome.shown is not None, outcome.stderr
    (run,) = outcome.shown["runs"]
    assert outcome.exit_code == 0, run["reasons"]
    through = through_during(read_history(Path(run["folder"])))
    assert len(through) > 100, "the load's transaction that was under way is no work that went on"
    accepted(
        "The controller stands still for 20 s: the load and the app go on meanwhile",
        run["repeat"],
        f"{words(run)}; {len(through)} records were sent, processed and read before it woke up",
    )


@pytest.mark.accept
@pytest.mark.timeout(600)
def test_a_leader_apart_from_its_peers_on_an_older_kafka(
    eoscheck: Eoscheck, accepted: Accepted
) -> None:
    """Brokers and controllers of 3.9 go by their links: else the fault would be missed."""
    older = ("--set", "cluster.kafka_version=3.9.2")
    outcome = eoscheck("run", "leader-apart", *older, timeout_s=500)
    assert outcome.shown is not None, outcome.stderr
    (run,) = outcome.shown["runs"]
    assert outcome.exit_code == 0, run["reasons"]
    assert "Kafka 3.9.2, 3 nodes" in run["environment"]["cluster"]
    healed = [e for e in read_history(Path(run["folder"])) if isinstance(e, FaultHealed)]
    assert len(healed) == run["tally"]["injected"] == run["tally"]["planned"] > 0
    swallowed = sum(event.evidence["to_broker"] for event in healed)
    assert swallowed > 0
    accepted(
        "Brokers apart from each other on Kafka 3.9.2, three nodes",
        run["repeat"],
        f"{words(run)}; {swallowed} bytes between brokers vanished",
    )
