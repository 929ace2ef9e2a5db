"""What the proxy's thread does, and for whom."""

from __future__ import annotations

import os
import platform
import socket
import sys
import threading
from collections.abc import Iterator

import pytest

from eoscheck.wire.loop import READ, LoopThread
from eoscheck.wire.slices import ask_for_short_slices

WAIT_S = 10.0


@pytest.fixture
def failures() -> list[BaseException]:
    return []


@pytest.fixture
def loop(failures: list[BaseException]) -> Iterator[LoopThread]:
    loop = LoopThread(name="loop under test", failed=failures.append)
    yield loop
    loop.stop()


def test_calls_of_other_threads_are_done_in_its_own_and_in_their_order(loop: LoopThread) -> None:
    done: list[int] = []
    for number in range(100):
        loop.post(lambda number=number: done.append(number))  # type: ignore[misc]
    assert loop.call(threading.current_thread) is not threading.current_thread()
    assert done == list(range(100))


def test_what_a_call_raises_is_the_callers(loop: LoopThread, failures: list[Exception]) -> None:
    with pytest.raises(ZeroDivisionError):
        loop.call(lambda: 1 // 0)
    assert failures == []


def test_what_is_raised_in_a_turn_is_told_and_the_loop_goes_on(
    loop: LoopThread, failures: list[Exception]
) -> None:
    loop.post(lambda: next(iter(())))
    assert loop.call(lambda: "alive") == "alive"
    assert [type(each) for each in failures] == [StopIteration]


def test_timers_ring_in_their_order_unless_they_are_cancelled(loop: LoopThread) -> None:
    rung: list[str] = []
    last = threading.Event()

    def start() -> None:
        loop.later(0.02, lambda: rung.append("second"))
        loop.later(0.0, lambda: rung.append("first"))
        loop.later(0.01, lambda: rung.append("never")).cancel()
        loop.later(0.03, last.set)

    loop.call(start)
    assert last.wait(WAIT_S)
    assert rung == ["first", "second"]


def test_a_socket_is_watched_until_it_is_not(loop: LoopThread) -> None:
    ours, theirs = socket.socketpair()
    came = threading.Semaphore(0)

    def ready(events: int) -> None:
        assert events == READ
        ours.recv(1)
        came.release()

    with ours, theirs:
        loop.call(lambda: loop.watch(ours, READ, ready))
        theirs.send(b"ab")
        assert all(came.acquire(timeout=WAIT_S) for _ in range(2))
        loop.call(lambda: loop.watch(ours, 0, ready))
        theirs.send(b"c")
        loop.call(lambda: None)
        assert ours.recv(1) == b"c"


@pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"),
    reason="slices are Linux's",
)
def test_short_slices_change_neither_policy_nor_niceness_nor_those_of_other_threads() -> None:
    found: list[tuple[object, ...]] = []

    def ask() -> None:
        before = (os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0))
        given = ask_for_short_slices()
        found.append((given, before, os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK))
        found.append((os.getpriority(os.PRIO_PROCESS, 0),))

    asking = threading.Thread(target=ask)
    asking.start()
    asking.join(WAIT_S)
    given, before, policy = found[0]
    assert given is True
    assert (policy, *found[1]) == before
