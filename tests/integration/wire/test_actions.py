"""Each action bites on a real broker: what its log says, what the client says, who is dead."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from eoscheck.wire import Rule, WireAction
from tests.integration.wire.clients import produce, producer, visible
from tests.integration.wire.conftest import WAIT_S, Wired


def test_a_dropped_request_never_reaches_the_broker(wired: Wired, topic_name: str) -> None:
    wired.create(topic_name)
    client = producer(wired, message_timeout_ms=1500, socket_timeout_ms=1000)
    produce(client, topic_name, "before")
    armed = wired.wire.arm(Rule(step="Produce", action="drop-request", span_s=WAIT_S))

    with pytest.raises(AssertionError, match="_MSG_TIMED_OUT"):
        produce(client, topic_name, "lost")

    assert armed.wait(timeout_s=WAIT_S) is not None
    assert visible(wired, topic_name) == ["before"]
    lost = wired.told("Produce(internal)", count=2)[1]
    assert (lost.outcome, lost.action, lost.error) == ("unanswered", "drop-request", None)


def test_a_commit_whose_answer_is_dropped_stands_and_is_asked_again(
    wired: Wired, topic_name: str
) -> None:
    wired.create(topic_name)
    client = producer(wired, transactional_id=topic_name, socket_timeout_ms=1000)
    client.init_transactions(WAIT_S)
    client.begin_transaction()
    produce(client, topic_name, "committed")
    armed = wired.wire.arm(Rule(step="EndTxn(commit)", action="drop-response", instance=0))

    client.commit_transaction(WAIT_S)

    first, second = wired.told("EndTxn(commit)", count=2)[:2]
    assert (first.outcome, first.action, first.error) == ("answered", "drop-response", 0)
    assert (second.outcome, second.action) == ("answered", None)
    assert first.connection != second.connection
    assert len(armed.firings) == 1
    assert visible(wired, topic_name) == ["committed"]


def test_a_delayed_request_is_late_and_those_behind_it_wait(wired: Wired, topic_name: str) -> None:
    wired.create(topic_name)
    client = producer(wired)
    armed = wired.wire.arm(Rule(step="Produce", action="delay", delay_s=0.3, nth=1))
    produce(client, topic_name, "a", "b")

    firing = armed.wait(timeout_s=WAIT_S)
    assert firing is not None
    late = wired.told("Produce(internal)")[0]
    assert late.action == "delay"
    assert late.answered is not None
    assert late.answered - late.sent >= 0.3
    assert visible(wired, topic_name) == ["a", "b"]


def test_a_duplicated_produce_is_in_the_log_twice_unless_it_is_idempotent(
    wired: Wired, topic_name: str
) -> None:
    wired.create(topic_name)
    for idempotent, value in ((False, "twice"), (True, "once")):
        wired.wire.arm(Rule(step="Produce", action="duplicate"))
        produce(producer(wired, enable_idempotence=idempotent), topic_name, value)

    wired.told("Produce(internal)", count=4)
    assert visible(wired, topic_name) == ["once", "twice", "twice"]
    told = [each for each in wired.exchanges if each.request.api == "Produce"]
    assert [each.action for each in told] == ["duplicate", "copy"] * 2
    assert all(each.error == 0 for each in told)


def test_a_closed_connection_is_noticed_at_once_and_the_request_comes_again(
    wired: Wired, topic_name: str
) -> None:
    wired.create(topic_name)
    client = producer(wired)
    armed = wired.wire.arm(Rule(step="Produce", action="close"))
    produce(client, topic_name, "again")

    assert len(armed.firings) == 1
    first, second = wired.told("Produce(internal)", count=2)
    assert (first.outcome, first.action) == ("unanswered", "close")
    assert second.outcome == "answered"
    assert visible(wired, topic_name) == ["again"]


@pytest.mark.parametrize("late_commit", [True, False])
def test_a_held_end_of_one_transaction_ends_the_next_when_it_is_released(
    wired: Wired, topic_name: str, late_commit: bool
) -> None:
    """The class of KAFKA-17754: EndTxn below version 5 does not say which transaction it ends. A
    late commit shows records that were aborted; a late abort loses some of a commit."""
    wired.create(topic_name, partitions=2)
    client = producer(wired, transactional_id=topic_name)
    client.init_transactions(WAIT_S)
    step = f"EndTxn({'commit' if late_commit else 'abort'})"
    armed = wired.wire.arm(Rule(step=step, action="hold"))

    client.begin_transaction()
    produce(client, topic_name, "first")
    _end(client, commit=late_commit)  # held, and asked again on a new connection
    client.begin_transaction()
    produce(client, topic_name, "second, early")
    (released,) = armed.release()
    produce(client, topic_name, "second, late", partition=1)
    _end(client, commit=not late_commit)

    assert (released.outcome, released.action, released.error) == ("answered", "hold", 0)
    read = visible(wired, topic_name, partitions=2)
    if late_commit:
        assert read == ["first", "second, early"], "the aborted record is visible"
    else:
        assert read == ["second, late"], "half of the transaction is lost"


def test_a_held_request_that_is_let_go_never_reaches_the_broker(
    wired: Wired, topic_name: str
) -> None:
    wired.create(topic_name)
    armed = wired.wire.arm(Rule(step="Produce", action="hold"))
    produce(producer(wired), topic_name, "once")
    armed.disarm()

    assert armed.release() == []
    held = wired.told("Produce(internal)", count=2)
    assert sorted(each.action or "" for each in held) == ["", "hold"]
    assert {each.action: each.outcome for each in held}["hold"] == "unanswered"
    assert visible(wired, topic_name) == ["once"]


@pytest.mark.parametrize(
    ("action", "is_committed"), [("crash-before", False), ("crash-after", True)]
)
def test_a_crash_at_the_commit_is_before_or_after_it_and_never_between(
    wired: Wired, topic_name: str, action: WireAction, is_committed: bool
) -> None:
    wired.create(topic_name)
    with _app(wired, topic_name) as app:
        wired.crash = lambda _: _kill(app)
        armed = wired.wire.arm(Rule(step="EndTxn(commit)", action=action, instance=0))
        assert app.stdin is not None
        app.stdin.write(b"commit\n")
        app.stdin.flush()

        firing = armed.wait(timeout_s=WAIT_S)

        assert firing is not None
        assert firing.step == "EndTxn(commit)"
        assert app.wait(WAIT_S) == -9
        assert app.stdout is not None
        assert app.stdout.read() == b"", "it was told of a commit"
    assert wired.killed == [0]
    (ended,) = wired.told("EndTxn(commit)")
    assert (ended.action, ended.outcome) == (
        action,
        "answered" if is_committed else "unanswered",
    )
    # The next one fences the dead: what was open is aborted.
    producer(wired, transactional_id=topic_name).init_transactions(WAIT_S)
    assert visible(wired, topic_name) == (["record"] if is_committed else [])


def _end(client: object, *, commit: bool) -> None:
    getattr(client, "commit_transaction" if commit else "abort_transaction")(WAIT_S)


_APP = """
import sys
from confluent_kafka import Producer
server, topic = sys.argv[1:]
client = Producer({"bootstrap.servers": server, "transactional.id": topic})
client.init_transactions(15)
client.begin_transaction()
client.produce(topic, "record")
assert client.flush(15) == 0
print("produced", flush=True)
sys.stdin.readline()
client.commit_transaction(15)
print("committed", flush=True)
"""


@contextmanager
def _app(wired: Wired, topic: str) -> Iterator[subprocess.Popen[bytes]]:
    """An app whose transaction is open; told so, it commits and says so."""
    command = [sys.executable, "-c", _APP, wired.cluster.bootstrap_for(0), topic]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as app:
        assert app.stdout is not None
        try:
            assert app.stdout.readline() == b"produced\n"
            yield app
        finally:
            app.kill()


def _kill(app: subprocess.Popen[bytes]) -> None:
    app.kill()
    app.wait(WAIT_S)
