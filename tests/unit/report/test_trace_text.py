"""A trace as lines of text."""

from __future__ import annotations

import msgspec

from eoscheck.report.trace_text import trace_lines
from eoscheck.run.trace import Traced
from tests.unit.run.test_trace import exchange


def test_each_instance_s_steps_with_what_became_of_them() -> None:
    commit: Traced = exchange(
        "EndTxn(commit)", sent=1.0, answered=None, outcome="unanswered", action="hold", made=Traced
    )
    commit = msgspec.structs.replace(
        commit,
        request=msgspec.structs.replace(
            commit.request, transactional_id="app-0", producer_id=4000, producer_epoch=3
        ),
    )
    trace = [
        exchange("EndTxn(abort)", sent=2.0, instance=1, error=16, made=Traced),
        commit,
        exchange("Heartbeat", sent=3.0, times=5, last=9.0, made=Traced),
    ]
    assert [line.plain for line in trace_lines(trace)] == [
        "instance 0",
        "    1.000  broker 1  EndTxn(commit)                   no answer                "
        "app-0 producer 4000/3  ← hold",
        "    3.000  broker 1  Heartbeat                        1.0 ms                     "
        "× 5 until 9.000",
        "instance 1",
        "    2.000  broker 1  EndTxn(abort)                    1.0 ms NOT_COORDINATOR",
    ]
