"""Ports that are given to servers which come and go."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from eoscheck.errors import UsageError
from eoscheck.network import ports
from eoscheck.network.ports import HOST, free_ports, held_port

RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def test_ports_are_all_different() -> None:
    assert len(set(free_ports(50))) == 50


@pytest.mark.skipif(not RANGE.exists(), reason="only Linux says which ports it gives away")
def test_no_outgoing_connection_takes_the_port_of_a_server_that_is_down() -> None:
    first = int(RANGE.read_text(encoding="ascii").split()[0])
    assert all(port < first for port in free_ports(50))


def test_a_port_that_is_held_is_given_to_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    with ExitStack() as ours, ExitStack() as theirs:
        held = held_port(ours)
        monkeypatch.setattr(ports, "OURS", range(held, held + 1))
        assert held_port(theirs) != held


def test_a_chosen_port_that_is_taken_is_one_line() -> None:
    with socket.create_server((HOST, 0)) as server, ExitStack() as stack:
        port = server.getsockname()[1]
        with pytest.raises(UsageError, match=rf"port {port} on .* choose another --port"):
            held_port(stack, port)


def test_where_all_of_ours_are_taken_the_system_gives_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server((HOST, 0)) as server, ExitStack() as stack:
        taken = server.getsockname()[1]
        monkeypatch.setattr(ports, "OURS", range(taken, taken + 1))
        assert held_port(stack) != taken
