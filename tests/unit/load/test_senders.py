"""What the load says of a record when the cluster does not answer as it should."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import repeat
from pathlib import Path
from typing import Any, Literal
from zlib import crc32

import pytest
from confluent_kafka import KafkaError, KafkaException

from eoscheck.errors import InfrastructureError
from eoscheck.history import Event, Recorder, SendsAcknowledged, SendsUnconfirmed, read_history
from eoscheck.load.outcomes import Outcomes
from eoscheck.load.seal import HEADER, Seal, read_seal
from eoscheck.load.senders import PlainSender, TransactionalSender
from eoscheck.load.spec import TRANSACTION_TIMEOUT_S

TIMED_OUT = KafkaError(KafkaError._TIMED_OUT, "commit timed out", False, True)  # retriable
NEVER = object()  # a delivery report that does not come
FENCED = KafkaError(KafkaError._FENCED, "fenced", True)


class Message:
    def __init__(self, partition: int, offset: int) -> None:
        self._place = (partition, offset)

    def partition(self) -> int:
        return self._place[0]

    def offset(self) -> int:
        return self._place[1]


class FakeProducer:
    """Delivers at the flush; answers calls from the script, where it has one, else well."""

    def __init__(self, script: dict[str, list[KafkaError | None]]) -> None:
        self.script = script
        self.calls: list[str] = []
        self.queue: list[Callable[[Any, Any], None]] = []
        self.delivered = 0
        self.full = 0
        self.headers: list[tuple[str, bytes]] = []

    def produce(self, topic: str, value: bytes, key: bytes, on_delivery: Any, headers: Any) -> None:
        self.headers += headers
        if self.full:
            self.full -= 1
            raise BufferError
        self._answer("produce")
        self.queue.append(on_delivery)

    def poll(self, timeout: float) -> None:
        self.calls.append("poll")

    def flush(self, timeout: float) -> None:
        self.calls.append("flush")
        queue, self.queue = self.queue, []
        for on_delivery in queue:
            error = self._next("delivery")
            if error is NEVER:
                self.queue.append(on_delivery)
                continue
            on_delivery(error, Message(self.delivered % 4, self.delivered))
            self.delivered += 1

    def init_transactions(self, timeout: float) -> None:
        self._answer("init")

    def begin_transaction(self) -> None:
        self._answer("begin")

    def commit_transaction(self, timeout: float) -> None:
        self._answer("commit")

    def abort_transaction(self, timeout: float) -> None:
        self._answer("abort")

    def _answer(self, call: str) -> None:
        self.calls.append(call)
        if error := self._next(call):
            raise KafkaException(error)

    def _next(self, call: str) -> Any:
        answers = self.script.get(call)
        return answers.pop(0) if answers else None


class Bench:
    """A sender on fake producers, a clock that each reading moves, and the history it leaves."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.recorder = Recorder(folder, clock=lambda: 0.0)
        self.outcomes = Outcomes(topic="in", recorder=self.recorder)
        self.producers: list[FakeProducer] = []
        self.settings: list[dict[str, Any]] = []
        self.script: dict[str, list[Any]] = {}
        self.now = 0.0

    def clock(self) -> float:
        self.now += TRANSACTION_TIMEOUT_S / 4
        return self.now

    def make_producer(self, settings: dict[str, Any]) -> Any:
        self.settings.append(settings)
        self.producers.append(FakeProducer(self.script))
        return self.producers[-1]

    def transactional(self, *, size: int = 2, aborts: Iterator[bool] | None = None) -> Any:
        return TransactionalSender(
            topic="in",
            size=size,
            aborts=aborts or repeat(False),
            transactional_id="load",
            client_config={"bootstrap.servers": "127.0.0.1:1"},
            outcomes=self.outcomes,
            clock=self.clock,
            make_producer=self.make_producer,
        )

    def plain(self, *, acks: Literal["all", 1] = "all") -> PlainSender:
        return PlainSender(
            topic="in",
            client_config={},
            acks=acks,
            outcomes=self.outcomes,
            make_producer=self.make_producer,
        )

    def history(self) -> list[Event]:
        self.outcomes.write()
        return read_history(self.folder)

    def ended(self) -> dict[str, list[Any]]:
        """Outcome -> identities, by the history."""
        found: dict[str, list[Any]] = {}
        for event in self.history():
            if isinstance(event, SendsAcknowledged):
                found.setdefault("acknowledged", []).extend(event.identities)
            if isinstance(event, SendsUnconfirmed):
                found.setdefault(event.outcome, []).extend(event.identities)
        return found


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def send(sender: Any, *identities: int) -> None:
    for identity in identities:
        sender.send(identity, b"k", b"v", float(identity))


def test_a_committed_transaction_is_acknowledged_with_its_places(bench: Bench) -> None:
    send(bench.transactional(), 10, 11)
    (event,) = bench.history()
    assert isinstance(event, SendsAcknowledged)
    assert event.identities == [10, 11]
    assert list(zip(event.partitions, event.offsets, event.intended, strict=True)) == [
        (0, 0, 10.0),
        (1, 1, 11.0),
    ]


def test_an_aborting_transaction_is_written_first_and_never_sent_again(bench: Bench) -> None:
    sender = bench.transactional(aborts=iter([True, False]))
    send(sender, 1, 2, 3, 4)
    assert bench.ended() == {"aborted": [1, 2], "acknowledged": [3, 4]}
    calls = bench.producers[0].calls
    assert calls[:6] == ["init", "begin", "produce", "produce", "flush", "abort"]
    assert calls.count("produce") == 4


def test_a_commit_that_timed_out_is_asked_for_again_and_not_sent_again(bench: Bench) -> None:
    bench.script["commit"] = [TIMED_OUT, TIMED_OUT]
    send(bench.transactional(), 1, 2)
    assert bench.ended() == {"acknowledged": [1, 2]}
    assert bench.producers[0].calls.count("commit") == 3
    assert bench.producers[0].calls.count("produce") == 2


def test_a_commit_that_stays_unanswered_is_indeterminate_and_a_new_producer_goes_on(
    bench: Bench,
) -> None:
    bench.script["commit"] = [TIMED_OUT] * 5
    sender = bench.transactional()
    send(sender, 1, 2)
    bench.script["commit"] = []
    send(sender, 3, 4)
    assert bench.ended() == {"indeterminate": [1, 2], "acknowledged": [3, 4]}
    assert len(bench.producers) == 2
    assert "abort" not in bench.producers[0].calls
    assert bench.producers[1].calls[0] == "init"
    assert {each["transactional.id"] for each in bench.settings} == {"load"}


def test_a_fatal_error_of_a_commit_leaves_it_indeterminate(bench: Bench) -> None:
    bench.script["commit"] = [FENCED]
    send(bench.transactional(), 1, 2)
    assert bench.ended() == {"indeterminate": [1, 2]}


def test_a_record_that_failed_takes_its_whole_transaction_with_it(bench: Bench) -> None:
    bench.script["delivery"] = [None, KafkaError(KafkaError.MSG_SIZE_TOO_LARGE)]
    sender = bench.transactional()
    send(sender, 1, 2, 3, 4)
    assert bench.ended() == {"failed": [1, 2], "acknowledged": [3, 4]}
    assert "commit" not in bench.producers[0].calls[: bench.producers[0].calls.index("abort")]


def test_a_late_report_of_a_failed_transaction_does_not_harm_the_next(bench: Bench) -> None:
    bench.script["delivery"] = [None, NEVER]
    sender = bench.transactional()
    send(sender, 1, 2)  # the second is not acknowledged in time
    assert len(bench.producers[0].queue) == 1
    bench.script["delivery"] = [KafkaError(KafkaError._PURGE_QUEUE)]  # its report, one flush later
    send(sender, 3, 4)
    assert bench.ended() == {"failed": [1, 2], "acknowledged": [3, 4]}


def test_an_abort_that_stays_unanswered_took_no_effect_and_a_new_producer_fences_it(
    bench: Bench,
) -> None:
    bench.script["abort"] = [TIMED_OUT] * 5
    sender = bench.transactional(aborts=iter([True, False]))
    send(sender, 1, 2)
    bench.script["abort"] = []
    send(sender, 3, 4)
    assert bench.ended() == {"aborted": [1, 2], "acknowledged": [3, 4]}
    assert len(bench.producers) == 2


def test_the_rest_of_an_open_transaction_is_ended_at_the_finish(bench: Bench) -> None:
    sender = bench.transactional(size=10)
    send(sender, 1, 2, 3)
    assert bench.ended() == {}
    sender.finish()
    assert bench.ended() == {"acknowledged": [1, 2, 3]}


def test_a_cluster_that_never_answers_at_the_start_is_one_clear_error(bench: Bench) -> None:
    bench.script["init"] = [TIMED_OUT] * 9
    with pytest.raises(InfrastructureError, match="transactional producer cannot start"):
        bench.transactional()


def test_a_plain_record_that_never_left_failed_and_one_that_timed_out_is_indeterminate(
    bench: Bench,
) -> None:
    bench.script["delivery"] = [
        None,
        KafkaError(KafkaError.MSG_SIZE_TOO_LARGE),
        KafkaError(KafkaError._MSG_TIMED_OUT),
    ]
    sender = bench.plain()
    send(sender, 1, 2, 3)
    sender.finish()
    assert bench.ended() == {"acknowledged": [1], "failed": [2], "indeterminate": [3]}


def test_plain_records_without_any_answer_at_the_finish_are_indeterminate(bench: Bench) -> None:
    bench.script["delivery"] = [NEVER, None]
    sender = bench.plain()
    send(sender, 1, 2)
    sender.finish()
    assert bench.ended() == {"acknowledged": [2], "indeterminate": [1]}


def test_a_full_queue_delays_a_record_and_loses_none(bench: Bench) -> None:
    sender = bench.plain()
    bench.producers[0].full = 3
    send(sender, 1, 2)
    sender.finish()
    assert bench.ended() == {"acknowledged": [1, 2]}


@pytest.mark.parametrize("sender", ["plain", "transactional"])
def test_every_record_bears_a_seal_of_its_content_and_its_topic(bench: Bench, sender: str) -> None:
    send(getattr(bench, sender)(), 1, 2)
    ((name, content), _second) = bench.producers[0].headers
    assert name == HEADER
    assert read_seal(content) == Seal(crc32(b"k"), crc32(b"v"), "in")


def test_failures_of_one_reason_share_an_event(bench: Bench) -> None:
    bench.script["delivery"] = [KafkaError(KafkaError._MSG_TIMED_OUT)] * 50
    sender = bench.plain()
    send(sender, *range(50))
    sender.finish()
    (event,) = bench.history()
    assert isinstance(event, SendsUnconfirmed)
    assert event.identities == list(range(50))


def test_a_load_is_idempotent_unless_it_takes_the_leader_s_word_alone(bench: Bench) -> None:
    bench.plain()
    bench.plain(acks=1)
    bench.transactional()
    told = [(each["enable.idempotence"], each.get("acks")) for each in bench.settings]
    assert told == [(True, None), (False, 1), (True, None)]


def test_a_silent_broker_is_given_up_long_before_its_records_or_a_transaction(bench: Bench) -> None:
    bench.plain()
    bench.transactional()
    for each in bench.settings:
        limits = (each["message.timeout.ms"], each.get("transaction.timeout.ms", math.inf))
        assert 3 * each["socket.timeout.ms"] < min(limits)
