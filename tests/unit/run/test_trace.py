"""The protocol trace: written and read back, repeated idle requests as one, and steps learned."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from eoscheck.errors import InfrastructureError, UsageError
from eoscheck.history import Recorder
from eoscheck.run.trace import (
    TRACE_FILE,
    Traced,
    TraceWriter,
    learned_steps,
    read_trace,
    rollbacks,
    tracing,
)
from eoscheck.wire import Exchange, Request, TopicRoles


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


def test_transactions_that_were_aborted_are_rollbacks() -> None:
    trace = [
        exchange("EndTxn(abort)"),
        exchange("EndTxn(abort)", error=16),  # done again
        exchange("EndTxn(abort)", action="hold"),
        exchange("EndTxn(abort)", answered=None, outcome="unanswered"),
        exchange("EndTxn(commit)"),
    ]
    assert rollbacks(trace) == 1


def written(folder: Path, *exchanges: Exchange) -> list[Traced]:
    with TraceWriter(folder, since_start=lambda t: t - 100.0) as writer:
        for each in exchanges:
            writer(each)
    writer(exchange("EndTxn(abort)", sent=999.0))  # too late
    return read_trace(folder)


def test_what_is_told_is_read_back_in_the_run_s_time_in_the_order_of_sending(
    tmp_path: Path,
) -> None:
    later, first = written(
        tmp_path,
        exchange("EndTxn(commit)", sent=102.0, error=0),
        exchange("Produce(output)", sent=101.5, action="drop-request", answered=None),
    )[::-1]
    assert (first.sent, first.answered, first.action) == (1.5, None, "drop-request")
    assert (later.sent, later.answered, later.error) == (2.0, 2.001, 0)
    assert later.request.api == "EndTxn"


def test_idle_requests_of_a_connection_are_one_until_the_instance_does_something(
    tmp_path: Path,
) -> None:
    trace = written(
        tmp_path,
        *(exchange("Heartbeat", sent=100.0 + n, connection=n % 2) for n in range(6)),
        exchange("Heartbeat", sent=106.0, connection=0, error=27),
        exchange("Produce(output)", sent=106.5, instance=1),
        exchange("EndTxn(commit)", sent=107.0),
        exchange("Heartbeat", sent=108.0, connection=0),
        exchange("Heartbeat", sent=109.0, connection=0, action="drop-response"),
    )
    assert [(each.steps[0], each.sent, each.times, each.last) for each in trace] == [
        ("Heartbeat", 0.0, 3, 4.0),
        ("Heartbeat", 1.0, 3, 5.0),
        ("Heartbeat", 6.0, 1, None),  # answered with an error
        ("Produce(output)", 6.5, 1, None),
        ("EndTxn(commit)", 7.0, 1, None),
        ("Heartbeat", 8.0, 1, None),
        ("Heartbeat", 9.0, 1, None),
    ]


class FakeWire:
    def __init__(self, trouble: Exception | None = None) -> None:
        self.trouble = trouble
        self.log: list[str] = []
        self.begun: dict[str, Any] = {}

    def begin(self, **keys: Any) -> None:
        self.begun = keys

    def heal_all(self) -> None:
        self.log.append("heal all")

    def check(self) -> None:
        if self.trouble is not None:
            raise self.trouble


def traced(wire: Any, folder: Path, *, subject: Any = None) -> Any:
    return tracing(
        wire,
        roles=TopicRoles(outputs=frozenset({"out"})),
        subject=subject,
        recorder=Recorder(folder, clock=lambda: 100.0),
    )


def test_a_run_is_told_to_the_witness_and_to_the_file_and_can_crash_its_subject(
    tmp_path: Path,
) -> None:
    killed: list[int] = []
    wire = FakeWire()
    with traced(wire, tmp_path, subject=SimpleNamespace(kill=killed.append)) as witness:
        commit = witness.expect(lambda each: each.steps == ("EndTxn(commit)",))
        wire.begun["listener"](exchange("EndTxn(commit)", sent=102.0))
        wire.begun["crash"](1)
        assert wire.log == []
    assert commit.found is not None
    assert killed == [1]
    assert wire.begun["roles"].outputs == {"out"}
    assert wire.log == ["heal all"]
    assert [each.sent for each in read_trace(tmp_path)] == [2.0]


@pytest.mark.parametrize("trouble", [None, UsageError("it speaks TLS")])
def test_why_a_run_failed_is_told_by_the_wire_where_it_knows(
    tmp_path: Path, trouble: Exception | None
) -> None:
    wire = FakeWire(trouble)
    with (
        pytest.raises((UsageError, InfrastructureError)) as told,
        traced(wire, tmp_path),
    ):
        raise InfrastructureError("not ready")
    assert str(told.value) == ("not ready" if trouble is None else "it speaks TLS")
    assert wire.log == ["heal all"]


def test_a_folder_without_a_trace_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="eoscheck run --trace"):
        read_trace(tmp_path)


def test_a_last_line_cut_short_is_left_out_and_any_other_damage_is_told(tmp_path: Path) -> None:
    written(tmp_path, exchange("EndTxn(commit)", sent=101.0))
    path = tmp_path / TRACE_FILE
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:20])
    assert len(read_trace(tmp_path)) == 1
    path.write_bytes(whole[:20] + b"\n" + whole)
    with pytest.raises(UsageError, match="line 1 is no exchange"):
        read_trace(tmp_path)
