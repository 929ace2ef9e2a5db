"""The protocol trace: which steps are learned from it."""

from __future__ import annotations

from typing import Any

from eoscheck.run.trace import Traced, learned_steps
from eoscheck.wire import Exchange, Request


def exchange(*steps: str, sent: float = 0.0, made: type[Exchange] = Exchange, **keys: Any) -> Any:
    usual: dict[str, Any] = {
        "sent": sent,
        "answered": sent + 0.001,
        "instance": 0,
        "broker": 1,
        "connection": 1,
        "steps": steps,
        "request": Request(
            api=steps[0].partition("(")[0],
            api_key=0,
            api_version=0,
            correlation_id=1,
            client_id="app",
            size=10,
        ),
        "outcome": "answered",
    }
    return made(**(usual | keys))


def test_steps_in_the_order_of_their_first_with_their_numbers() -> None:
    trace = [  # told in the order of their answers
        exchange("EndTxn(commit)", sent=3.0),
        exchange("Produce(output)", "Produce(changelog)", sent=2.0),
        exchange("Metadata", sent=0.5),
        exchange("InitProducerId", sent=1.0),
        exchange("Produce(output)", sent=4.0, outcome="one-way"),
        exchange("Heartbeat", sent=5.0, made=Traced, times=7),
    ]
    assert list(learned_steps(trace).items()) == [
        ("InitProducerId", 1),
        ("Produce(output)", 2),
        ("Produce(changelog)", 1),
        ("EndTxn(commit)", 1),
        ("Heartbeat", 7),
    ]


def test_what_a_fault_touched_or_nobody_answered_is_no_step_of_the_app() -> None:
    trace = [
        exchange("EndTxn(commit)", action="drop-response"),
        exchange("TxnOffsetCommit", outcome="unanswered", answered=None),
    ]
    assert learned_steps(trace) == {}
