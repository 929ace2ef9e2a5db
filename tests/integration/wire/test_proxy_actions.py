"""What rules do to connections, on a broker that answers anything."""

from __future__ import annotations

import socket
import threading

import pytest

from eoscheck.errors import InfrastructureError, UsageError
from eoscheck.wire import Behind, Rule, Wire
from tests.integration.wire.fake_broker import (
    HEARTBEAT,
    WAIT_S,
    answered,
    client,
    end_txn,
    fake_broker,
    frame,
    link,
    produce,
    silent,
)
from tests.integration.wire.proxied import ROLES, Proxied

# ---------------------------------------------------------------- answers come in order, or not


@pytest.mark.parametrize("action", ["drop-request", "drop-response"])
def test_behind_a_lost_answer_all_others_of_that_connection_are_kept_back(
    proxied: Proxied, action: str
) -> None:
    armed = proxied.wire.arm(Rule(step="EndTxn", action=action))  # type: ignore[arg-type]
    with client(proxied.links[0]) as one, client(proxied.links[0]) as other:
        one.sendall(frame(HEARTBEAT, 1) + end_txn(2) + frame(HEARTBEAT, 3))
        reached = [1, 3] if action == "drop-request" else [1, 2, 3]
        assert proxied.broker.numbers(count=len(reached)) == reached
        assert answered(one) == 1
        assert silent(one), "a later answer overtook the lost one"
        other.sendall(frame(HEARTBEAT, 9))
        assert answered(other) == 9
        assert armed.wait(timeout_s=WAIT_S) is not None

        told = {each.request.correlation_id: each for each in proxied.told(4)}
        lost = "unanswered" if action == "drop-request" else "answered"
        assert [(told[number].outcome, told[number].action) for number in (1, 2, 3)] == [
            ("answered", None),
            (lost, action),
            ("answered", "stalled"),
        ]
        proxied.wire.heal_all()
        assert answered(one) is None, "nobody waits for it any longer"
        other.sendall(frame(HEARTBEAT, 10))
        assert answered(other) == 10


def test_a_lost_request_that_wants_no_answer_keeps_nothing_back(proxied: Proxied) -> None:
    proxied.wire.arm(Rule(step="Produce", action="drop-request"))
    with client(proxied.links[0]) as one:
        one.sendall(produce(1, acks=0) + produce(2, acks=0) + frame(HEARTBEAT, 3))
        assert answered(one) == 3
    assert proxied.broker.numbers(count=2) == [2, 3]
    outcomes = [(each.outcome, each.action) for each in proxied.told(3)]
    assert outcomes[:2] == [("unanswered", "drop-request"), ("one-way", None)]


def test_stalled_connections_of_one_instance_may_be_closed(proxied: Proxied) -> None:
    proxied.wire.arm(Rule(step="EndTxn", action="drop-request", span_s=600.0))
    with client(proxied.links[0]) as one, client(proxied.links[1]) as other:
        for connection in (one, other):
            connection.sendall(end_txn(1))
        proxied.told(2)
        proxied.wire.close_stalled(instance=0)
        assert answered(one) is None
        assert silent(other)


def test_a_copy_has_a_number_of_its_own_and_its_answer_is_swallowed(proxied: Proxied) -> None:
    armed = proxied.wire.arm(Rule(step="EndTxn", action="duplicate"))
    with client(proxied.links[0]) as one:
        one.sendall(end_txn(1) + frame(HEARTBEAT, 2))
        assert [answered(one), answered(one)] == [1, 2]
    assert proxied.broker.numbers(count=3) == [1, -2, 2]
    assert proxied.broker.received[0][12:] == proxied.broker.received[1][12:]
    assert len(armed.firings) == 1


def test_a_delayed_request_goes_on_at_once_when_it_is_healed_and_order_is_kept(
    proxied: Proxied,
) -> None:
    proxied.wire.arm(Rule(step="EndTxn", action="delay", delay_s=600.0))
    with client(proxied.links[0]) as one:
        one.sendall(frame(HEARTBEAT, 1) + end_txn(2) + frame(HEARTBEAT, 3))
        assert answered(one) == 1
        assert silent(one)
        assert proxied.broker.numbers(count=1) == [1]
        proxied.wire.heal_all()
        assert [answered(one), answered(one)] == [2, 3]
    assert proxied.broker.numbers(count=3) == [1, 2, 3]


# ---------------------------------------------------------------- crashes


def test_nothing_of_a_dying_instance_goes_on_and_others_live(proxied: Proxied) -> None:
    dying, dead = threading.Event(), threading.Event()

    def crash(instance: int) -> None:
        assert instance == 0
        dying.set()
        assert dead.wait(WAIT_S)

    proxied.wire.begin(roles=ROLES, crash=crash, listener=proxied.exchanges.append)
    armed = proxied.wire.arm(Rule(step="EndTxn", action="crash-before"))
    with (
        client(proxied.links[0]) as one,
        client(proxied.links[0]) as two,
        client(proxied.links[1]) as other,
    ):
        one.sendall(frame(HEARTBEAT, 1))
        assert answered(one) == 1
        one.sendall(frame(HEARTBEAT, 7) + end_txn(2) + frame(HEARTBEAT, 3))
        assert dying.wait(WAIT_S)
        two.sendall(frame(HEARTBEAT, 4))
        other.sendall(frame(HEARTBEAT, 5))
        assert answered(other) == 5
        assert armed.firings == ()
        dead.set()
        assert armed.wait(timeout_s=WAIT_S) is not None
        assert answered(one) is None
        assert answered(two) is None
        other.sendall(frame(HEARTBEAT, 6))
        assert answered(other) == 6
    assert sorted(proxied.broker.numbers(count=4)) == [1, 5, 6, 7]
    ended = next(each for each in proxied.exchanges if each.request.correlation_id == 2)
    assert (ended.outcome, ended.action) == ("unanswered", "crash-before")


def test_crash_after_kills_when_the_answer_has_come_and_keeps_it(proxied: Proxied) -> None:
    asked: list[list[int]] = []
    proxied.broker.answers = False
    proxied.wire.begin(
        roles=ROLES,
        crash=lambda _: asked.append([len(proxied.broker.received)]),
        listener=proxied.exchanges.append,
    )
    armed = proxied.wire.arm(Rule(step="EndTxn", action="crash-after"))
    with client(proxied.links[0]) as one:
        one.sendall(end_txn(1))
        proxied.broker.numbers(count=1)
        assert armed.wait(timeout_s=0.2) is None, "it was killed before the answer"
        proxied.broker.answer(proxied.broker.connections[0], 1)
        assert armed.wait(timeout_s=WAIT_S) is not None
        assert answered(one) is None
    assert asked == [[1]]
    (ended,) = proxied.told(1)
    assert (ended.outcome, ended.action, ended.error) == ("answered", "crash-after", 0)


def test_an_action_whose_answer_never_came_is_done_at_the_next_request(proxied: Proxied) -> None:
    proxied.broker.answers = False
    armed = proxied.wire.arm(Rule(step="EndTxn", action="drop-response"))
    with client(proxied.links[0]) as one:
        one.sendall(end_txn(1))
        proxied.broker.numbers(count=1)
    proxied.broker.connections[0].shutdown(socket.SHUT_RDWR)
    assert proxied.told(1)[0].outcome == "unanswered"
    assert armed.firings == ()
    proxied.broker.answers = True
    with client(proxied.links[0]) as two:
        two.sendall(end_txn(2))
        firing = armed.wait(timeout_s=WAIT_S)
        assert firing is not None
        assert firing.request.correlation_id == 2


def test_a_crash_that_fails_is_told_to_who_waits() -> None:
    def crash(instance: int) -> None:
        raise InfrastructureError("instance 0 does not die")

    with fake_broker() as broker, Wire() as wire:
        way = link(source=0, upstream=broker.address)
        wire.connect([way])
        wire.begin(roles=ROLES, crash=crash)
        armed = wire.arm(Rule(step="EndTxn", action="crash-before"))
        with client(way) as one:
            one.sendall(end_txn(1))
            with pytest.raises(InfrastructureError, match="does not die"):
                armed.wait(timeout_s=WAIT_S)
            assert answered(one) is None
        assert broker.received == []


# ---------------------------------------------------------------- hold


def test_a_held_request_goes_on_when_released_and_survives_its_client(proxied: Proxied) -> None:
    armed = proxied.wire.arm(Rule(step="EndTxn", action="hold"))
    with client(proxied.links[0]) as one:
        one.sendall(frame(HEARTBEAT, 1) + end_txn(2) + frame(HEARTBEAT, 3))
        assert armed.wait(timeout_s=WAIT_S) is not None
        while answered(one) is not None:
            pass  # the answer to 1 may have come before the end
    assert proxied.broker.numbers(count=1) == [1]
    (exchange,) = armed.release()
    assert (exchange.outcome, exchange.error, exchange.action) == ("answered", 0, "hold")
    assert proxied.broker.numbers(count=2) == [1, 2]
    assert armed.release() == [exchange], "it went on once"
    assert proxied.broker.numbers(count=2) == [1, 2]


def test_a_held_request_whose_connection_the_broker_closed_is_unanswered(
    proxied: Proxied,
) -> None:
    armed = proxied.wire.arm(Rule(step="EndTxn", action="hold"))
    with client(proxied.links[0]) as one:
        one.sendall(frame(HEARTBEAT, 1) + end_txn(2))
        assert armed.wait(timeout_s=WAIT_S) is not None
    proxied.broker.numbers(count=1)
    proxied.broker.connections[0].shutdown(socket.SHUT_RDWR)
    proxied.told(2)
    (exchange,) = armed.release()
    assert exchange.outcome == "unanswered"


def test_a_held_request_goes_on_behind_the_answer_that_releases_it_and_before_it_is_heard(
    proxied: Proxied,
) -> None:
    proxied.broker.answers = False
    behind = Behind(step="EndTxn", nth=2)
    armed = proxied.wire.arm(Rule(step="EndTxn", action="hold", release=behind))
    broker = proxied.broker
    with client(proxied.links[0]) as one:
        one.sendall(end_txn(1))
        assert armed.wait(timeout_s=WAIT_S) is not None
    with client(proxied.links[1]) as other, client(proxied.links[0]) as again:
        for count, connection in ((2, other), (4, again)):
            connection.sendall(end_txn(2) + end_txn(3))
            assert broker.numbers(count=count) == [2, 3, 2, 3][:count]
        held, others, agains = broker.connections
        for number in (2, 3):
            broker.answer(others, number)
            assert answered(other) == number
        broker.answer(agains, 2)
        assert answered(again) == 2
        assert len(broker.received) == 4, "the held one goes on behind the second answer"
        broker.answer(agains, 3)
        assert broker.numbers(count=5)[4:] == [1]
        assert silent(again), "the client heard of it before the late request was answered"
        broker.answer(held, 1)
        assert answered(again) == 3
    (exchange,) = armed.release()
    assert (exchange.outcome, exchange.action) == ("answered", "hold")


# ---------------------------------------------------------------- rules together


def test_the_first_armed_acts_and_the_other_at_the_next(proxied: Proxied) -> None:
    first = proxied.wire.arm(Rule(step="EndTxn", action="close"))
    second = proxied.wire.arm(Rule(step="EndTxn", action="close"))
    for number, (one_fired, other_fired) in enumerate([(1, 0), (1, 1)], start=1):
        with client(proxied.links[0]) as one:
            one.sendall(end_txn(number))
            assert answered(one) is None
        proxied.told(number)
        assert (len(first.firings), len(second.firings)) == (one_fired, other_fired)


def test_a_new_run_disarms_and_numbers_its_connections_from_one(proxied: Proxied) -> None:
    armed = proxied.wire.arm(Rule(step="EndTxn", action="close"))
    for _ in range(2):
        proxied.wire.begin(roles=ROLES, crash=lambda _: None, listener=proxied.exchanges.append)
        with client(proxied.links[1]) as one:
            one.sendall(end_txn(1))
            assert answered(one) == 1
    assert armed.firings == ()
    assert [each.connection for each in proxied.told(2)] == [1, 1]


def test_rules_that_cannot_act_are_refused(proxied: Proxied) -> None:
    with pytest.raises(UsageError, match="instance 7"):
        proxied.wire.arm(Rule(step="EndTxn", action="close", instance=7))
    with pytest.raises(UsageError, match="broker 9"):
        proxied.wire.arm(Rule(step="EndTxn", action="close", broker=9))
    with Wire() as wire, pytest.raises(UsageError, match="call begin"):
        wire.arm(Rule(step="EndTxn", action="crash-before"))
