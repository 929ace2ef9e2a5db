"""Which server is asked next, and which failures are worth another try."""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Callable, Mapping

import psutil
import pytest
from kafka.errors import (
    NotCoordinatorError,
    RequestTimedOutError,
    TransactionalIdNotFoundError,
    UnknownBrokerIdError,
)

from eoscheck.cluster import admin_client
from eoscheck.cluster.admin_client import RotatingAdmin, open_admin, passes
from eoscheck.errors import InfrastructureError


class FakeAdmin:
    def __init__(self, server: str) -> None:
        self.server = server
        self.closed = False

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[FakeAdmin]:
    """Every client that was opened."""
    all_of_them: list[FakeAdmin] = []

    def open_admin(config: Mapping[str, str], *, timeout_s: float) -> FakeAdmin:
        assert timeout_s == 2.5
        all_of_them.append(FakeAdmin(config["bootstrap.servers"]))
        return all_of_them[-1]

    monkeypatch.setattr(admin_client, "open_admin", open_admin)
    return all_of_them


def failing(error: Exception) -> Callable[[object], str]:
    def question(_: object) -> str:
        raise error

    return question


def _server(admin: object) -> str:
    assert isinstance(admin, FakeAdmin)
    return admin.server


def test_the_next_server_is_asked_where_one_failed(opened: list[FakeAdmin]) -> None:
    admin = RotatingAdmin({"bootstrap.servers": "a:1,b:2"}, attempt_s=2.5)
    assert opened == []
    for error in (RequestTimedOutError(), NotCoordinatorError(), UnknownBrokerIdError(2)):
        with pytest.raises(type(error)):
            admin.ask(failing(error))
    assert [each.server for each in opened] == ["a:1", "b:2", "a:1"]
    assert all(each.closed for each in opened)


def test_the_one_that_answers_is_kept(opened: list[FakeAdmin]) -> None:
    admin = RotatingAdmin({"bootstrap.servers": "a:1,b:2"}, attempt_s=2.5)
    assert admin.ask(_server) == "a:1"
    with pytest.raises(TransactionalIdNotFoundError):
        admin.ask(failing(TransactionalIdNotFoundError()))  # that is an answer
    assert admin.ask(_server) == "a:1"
    assert len(opened) == 1
    admin.close()
    admin.close()
    assert opened[0].closed


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (RequestTimedOutError(), True),
        (UnknownBrokerIdError(2), True),
        (InfrastructureError("nobody is there"), True),
        (TransactionalIdNotFoundError(), False),
        (ValueError(), False),
    ],
)
def test_what_is_worth_another_try(error: Exception, again: bool) -> None:
    assert passes(error) is again


@pytest.mark.thorough
def test_a_cluster_that_is_not_there_leaves_no_thread_and_no_socket_behind(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.CRITICAL, logger="kafka")  # a kept log line keeps its connection

    def held() -> tuple[int, int]:
        gc.collect()  # the error's traceback holds some of it
        return threading.active_count(), psutil.Process().num_fds()

    def ask() -> None:
        with pytest.raises(InfrastructureError, match="no Kafka broker answers"):
            open_admin({"bootstrap.servers": "127.0.0.1:1"}, timeout_s=0.2)

    ask()  # what the library keeps for all of its clients
    before = held()
    ask()
    assert held() == before
