"""Frames between a load generator and a run."""

from __future__ import annotations

import io

from eoscheck.history import FaultMissed
from eoscheck.load import LoadSpec
from eoscheck.load.engine import Report
from eoscheck.run.remote import (
    Begin,
    GeneratorEnded,
    Plan,
    Sends,
    Struck,
    decode_from_run,
    decode_to_run,
    encode,
    read_frame,
    write_frame,
)


class Trickle(io.BytesIO):
    """A pipe that gives a byte at a time."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(min(size or 0, 1))


def test_messages_come_as_they_were_sent_however_the_pipe_cuts_them() -> None:
    report = Report(first=0, sent=[0, "a"], events=[], intended=[0.5], answered=[0.6])
    sent = [Begin(scenario="s"), Sends(generator=2, report=report), GeneratorEnded(generator=2)]
    pipe = io.BytesIO()
    for message in sent:
        write_frame(pipe, encode(message))
    back = Trickle(pipe.getvalue())
    got = []
    while (frame := read_frame(back)) is not None:
        got.append(decode_to_run(frame))
    assert got == sent


def test_a_plan_and_a_fault_come_back_whole() -> None:
    plan = Plan(
        run_id="r",
        title="t",
        spec=LoadSpec(topic="in", transaction_size=10, value={"id": "{seq}"}),
        seed=1,
        identify="key",
        client_config={"bootstrap.servers": "127.0.0.1:1"},
        origin=1.5,
    )
    struck = Struck(event=FaultMissed(t=1.0, fault_id="kill-1", kind="kill", reason="too late"))
    assert [decode_from_run(encode(each)) for each in (plan, struck)] == [plan, struck]


def test_a_pipe_that_ends_within_a_frame_has_no_frame() -> None:
    pipe = io.BytesIO()
    write_frame(pipe, b"12345")
    assert read_frame(io.BytesIO(pipe.getvalue()[:-1])) is None
    assert read_frame(io.BytesIO(pipe.getvalue()[:2])) is None
