"""One generator's records: numbered without a hole, paced each by its stream, and accounted for."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from eoscheck.errors import UsageError
from eoscheck.history import SendsAcknowledged, SendsUnconfirmed
from eoscheck.history.events import Identity
from eoscheck.load import LoadSpec, engine
from eoscheck.load.engine import BLOCK, Engine
from eoscheck.load.outcomes import Outcomes
from eoscheck.load.records import generate


class Sender:
    """Acknowledges what is sent at the next `serve`."""

    def __init__(self, outcomes: Outcomes, bench: Bench) -> None:
        self.outcomes = outcomes
        self.bench = bench
        self.sent: list[tuple[Identity, float]] = []
        self.waiting: list[tuple[Identity, float]] = []

    def send(self, identity: Identity, key: bytes, value: bytes, intended: float) -> None:
        self.sent.append((identity, intended))
        self.waiting.append((identity, intended))

    def serve(self, timeout_s: float) -> None:
        for identity, intended in self.waiting:
            self.outcomes.acknowledged(identity, 0, len(self.sent), intended)
        self.waiting.clear()
        self.bench.tick(timeout_s)

    def finish(self) -> None:
        unknown = [identity for identity, _ in self.waiting]
        self.outcomes.unconfirmed("indeterminate", unknown, "no answer")
        self.waiting.clear()


class Bench:
    """An engine on a clock that only waiting moves; it stops itself at `until`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, block: int = 0) -> None:
        self.monkeypatch = monkeypatch
        self.now = 0.0
        self.until = 1.0
        self.at: dict[float, Any] = {}
        monkeypatch.setattr(engine, "open_sender", self._open)
        self.spec = LoadSpec(topic="in", rate=100)
        self.engine = Engine(
            self.spec,
            block=block,
            run_id="r",
            seed=1,
            client_config={},
            identify=lambda _key, value, _headers: int((value or b"").split(b";")[0]),
            clock=lambda: self.now,
        )

    def _open(self, *_: Any, outcomes: Outcomes, **__: Any) -> Sender:
        self.sender = Sender(outcomes, self)
        return self.sender

    def tick(self, seconds: float) -> None:
        self.now += max(seconds, 0.001)
        for moment in [each for each in self.at if each <= self.now]:
            self.at.pop(moment)()
        if self.now >= self.until:
            self.engine.stop()

    def records(self) -> Iterator[tuple[bytes, bytes]]:
        for number in self.engine.numbers:
            yield b"k", b"%d;" % number


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


def test_streams_share_one_row_of_numbers_and_each_keeps_its_rate(bench: Bench) -> None:
    slow = bench.engine.open(bench.records(), rate=10)
    quick = bench.engine.open(bench.records(), rate=100)
    bench.engine.run()
    assert slow.sent == pytest.approx(10, abs=2)
    assert quick.sent == pytest.approx(100, abs=6)
    numbers = [identity for identity, _ in bench.sender.sent]
    assert numbers == list(range(slow.sent + quick.sent))


def test_records_are_timed_from_when_they_were_to_leave(bench: Bench) -> None:
    bench.engine.open(bench.records(), rate=100)
    bench.engine.run()
    intended = [moment for _, moment in bench.sender.sent]
    assert intended == pytest.approx([number / 100 for number in range(len(intended))])
    report = bench.engine.take()
    assert report.intended == intended
    assert all(answered >= sent for sent, answered in zip(intended, report.answered, strict=True))


@pytest.mark.thorough
def test_a_closed_stream_sends_no_more_and_leaves_no_hole(bench: Bench) -> None:
    first = bench.engine.open(bench.records(), rate=100)
    second = bench.engine.open(bench.records(), rate=100)
    bench.at[0.5] = lambda: bench.engine.close(first)
    bench.engine.run()
    assert first.sent == pytest.approx(50, abs=5)
    numbers = [identity for identity, _ in bench.sender.sent]
    assert numbers == list(range(first.sent + second.sent))


def test_a_block_begins_where_no_other_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, block=3)
    bench.engine.open(bench.records(), rate=100)
    bench.engine.run()
    assert bench.sender.sent[0][0] == 3 * BLOCK
    assert bench.engine.take().first == 3 * BLOCK


def test_reports_join_on_and_tell_of_each_record_once(bench: Bench) -> None:
    reports = []
    bench.at[0.4] = lambda: reports.append(bench.engine.take())
    bench.engine.open(bench.records(), rate=100)
    bench.engine.run()
    reports.append(bench.engine.take())
    assert reports[1].first == len(reports[0].sent) > 0
    sent = [identity for report in reports for identity in report.sent]
    told = [identity for report in reports for e in report.events for identity in e.identities]
    assert sent == [identity for identity, _ in bench.sender.sent]
    assert sorted(map(int, told)) == sent
    kinds = {type(event) for report in reports for event in report.events}
    assert kinds <= {SendsAcknowledged, SendsUnconfirmed}


def test_a_report_never_tells_what_became_of_a_record_before_it_tells_of_the_record(
    bench: Bench,
) -> None:
    """However quick the answer is, and whenever the other thread asks."""
    known: set[Identity] = set()
    send = Sender.send

    def answered_at_once(sender: Sender, identity: Identity, *rest: Any) -> None:
        send(sender, identity, *rest)
        sender.serve(0)
        sender.outcomes.write()
        report = bench.engine.take()
        known.update(report.sent)
        assert report.events
        for event in report.events:
            assert known.issuperset(event.identities)

    bench.monkeypatch.setattr(Sender, "send", answered_at_once)
    bench.engine.open(bench.records(), rate=100)
    bench.engine.run()
    assert known


def test_a_record_without_an_identity_ends_the_engine_with_the_fix(bench: Bench) -> None:
    bench.engine._identify = lambda *_: None
    bench.engine.open(bench.records(), rate=10)
    with pytest.raises(UsageError, match="the id expression finds nothing"):
        bench.engine.run()


def test_numbers_that_are_given_stand_in_the_records() -> None:
    spec = LoadSpec(topic="t", value="{seq}")
    made = generate(spec, seed=1, run_id="r", numbers=itertools.count(BLOCK))
    assert [next(made)[1], next(made)[1]] == [str(BLOCK).encode(), str(BLOCK + 1).encode()]
