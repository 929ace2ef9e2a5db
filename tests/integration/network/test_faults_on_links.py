"""Each fault does what it says to its own links only, proves it, and is gone after the heal."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from eoscheck.errors import InfrastructureError, UsageError
from eoscheck.network import Disturbance, Link, Network, Toxic, start_network
from eoscheck.network.traffic import Traffic
from eoscheck.process import Supervisor
from tests.integration.network.tcp import (
    WAIT_S,
    client_link,
    connection,
    echo,
    echoed,
    free_address,
    takes_connections,
)


@pytest.fixture(scope="module")
def network(supervisor: Supervisor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    folder = tmp_path_factory.mktemp("network")
    with start_network(supervisor=supervisor, folder=folder, progress=lambda _: None) as started:
        yield started


@pytest.fixture
def links(network: Network) -> Iterator[list[Link]]:
    """Of instances 0 and 1, to two brokers that echo."""
    with echo() as first, echo() as second:
        made = [client_link(source=0, upstream=first), client_link(source=1, upstream=second)]
        network.connect(made)
        yield made
        network.connect([])  # cuts what is still open


def is_clean(network: Network) -> bool:
    found = network._server.api.proxies().values()
    return len(found) == len(network.links) and all(
        each.enabled and not each.toxics for each in found
    )


def ended(disturbance: Disturbance) -> Traffic:
    traffic = disturbance.end()
    assert traffic is not None
    return traffic


def test_latency_of_one_instance_and_of_no_other(network: Network, links: list[Link]) -> None:
    slow = Toxic(kind="latency", attributes={"latency": 300})
    fault = network.poison(links[:1], slow, streams=["upstream"])
    with connection(links[0]) as own, connection(links[1]) as other:
        assert echoed(own)
        fault.begin()
        began = time.monotonic()
        assert echoed(own, b"x" * 1000)
        assert time.monotonic() - began >= 0.3
        assert echoed(other)
        traffic = ended(fault)
        assert (traffic.to_broker, traffic.from_broker) == (1000, 1000)
        assert (traffic.connections, traffic.ended, traffic.attempts) == (1, 0, 0)
        assert is_clean(network)
        assert echoed(own), "the connection has outlived the fault"


def test_a_fault_that_nothing_went_through_says_so(network: Network, links: list[Link]) -> None:
    slow = Toxic(kind="latency", attributes={"latency": 300})
    with connection(links[0]) as own, connection(links[1]) as other:
        assert echoed(own)
        fault = network.poison(links[:1], slow, streams=["upstream", "downstream"])
        fault.begin()
        assert echoed(other)
        traffic = ended(fault)
    assert (traffic.to_broker, traffic.from_broker, traffic.attempts) == (0, 0, 0)


def test_what_a_black_hole_drops_is_counted_by_direction(
    network: Network, links: list[Link]
) -> None:
    hole = Toxic(kind="timeout", attributes={"timeout": 0})
    answers = network.poison(links[:1], hole, streams=["downstream"])
    with connection(links[0]) as old:
        assert echoed(old)
        answers.begin()
        old.sendall(b"x" * 700)
        with connection(links[0]) as new:
            new.sendall(b"x" * 300)
            for opened in (old, new):
                opened.settimeout(0.2)
                with pytest.raises(TimeoutError):
                    opened.recv(1)
            traffic = ended(answers)
    assert (traffic.to_broker, traffic.from_broker) == (1000, 1000)
    assert (traffic.connections, traffic.attempts) == (1, 1)
    assert is_clean(network)
    assert takes_connections(links[0])


def test_connections_that_ended_while_a_fault_was_on_are_counted(
    network: Network, links: list[Link]
) -> None:
    """Their bytes come from Toxiproxy, those of the living from the kernel: none twice."""
    slow = Toxic(kind="latency", attributes={"latency": 1})
    with connection(links[0]) as first, connection(links[0]) as second:
        assert echoed(first, b"x" * 5000)
        fault = network.poison(links[:1], slow, streams=["upstream"])
        over = network.snapshot().over
        before = max(over[network._names[links[0]], way] for way in ("upstream", "downstream"))
        fault.begin()
        assert echoed(first, b"x" * 100)
        assert echoed(second, b"x" * 10)
        first.shutdown(socket.SHUT_RDWR)
        wait_counted(network, links[0], bytes_more_than=before + 5000)
        traffic = ended(fault)
    assert (traffic.to_broker, traffic.from_broker) == (110, 110)
    assert (traffic.connections, traffic.ended) == (2, 1)


def wait_counted(network: Network, link: Link, *, bytes_more_than: int) -> None:
    """Until Toxiproxy has counted, both ways, what the kernel no longer does."""
    give_up_at = time.monotonic() + WAIT_S
    while True:
        over = network.snapshot().over
        counts = [over[network._names[link], stream] for stream in ("upstream", "downstream")]
        if min(counts) > bytes_more_than:
            return
        assert time.monotonic() < give_up_at, f"not within {WAIT_S} s: counted, of {counts}"
        time.sleep(0.01)


@pytest.mark.parametrize(
    "toxic",
    [
        Toxic(kind="reset_peer", attributes={"timeout": 0}),
        Toxic(kind="limit_data", attributes={"bytes": 100}),
    ],
    ids=lambda toxic: toxic.kind,
)
def test_what_ends_connections(network: Network, links: list[Link], toxic: Toxic) -> None:
    fault = network.poison(links[:1], toxic, streams=["upstream"])
    with connection(links[0]) as own, connection(links[1]) as other:
        assert echoed(own)
        fault.begin()
        assert not echoed(own, b"x" * 1000)
        assert echoed(other)
        traffic = ended(fault)
    assert (traffic.connections, traffic.ended) == (1, 1)
    assert is_clean(network)
    assert takes_connections(links[0])


@pytest.mark.parametrize(
    ("toxic", "least_s"),
    [
        (Toxic(kind="bandwidth", attributes={"rate": 10}), 0.3),
        (
            Toxic(
                kind="slicer",
                attributes={"average_size": 1000, "size_variation": 0, "delay": 50_000},
            ),
            0.2,
        ),
    ],
    ids=["bandwidth", "slicer"],
)
def test_what_slows_down(network: Network, links: list[Link], toxic: Toxic, least_s: float) -> None:
    fault = network.poison(links[:1], toxic, streams=["upstream"])
    fault.begin()
    with connection(links[0]) as own:
        began = time.monotonic()
        assert echoed(own, b"x" * 5000)
        assert time.monotonic() - began >= least_s
        assert ended(fault).to_broker == 5000


def test_a_slow_close_keeps_the_broker_waiting(network: Network, links: list[Link]) -> None:
    fault = network.poison(
        links[:1], Toxic(kind="slow_close", attributes={"delay": 60_000}), streams=["upstream"]
    )
    with connection(links[0]) as own:
        assert echoed(own)
        fault.begin()
        own.shutdown(socket.SHUT_WR)
        own.settimeout(0.3)
        with pytest.raises(TimeoutError):
            own.recv(1)
        traffic = ended(fault)
        assert (traffic.connections, traffic.ended) == (1, 1)
        own.settimeout(WAIT_S)
        assert own.recv(1) == b"", "the broker has heard of it"


def test_down_cuts_and_refuses_until_the_heal(network: Network, links: list[Link]) -> None:
    fault = network.cut(links[:1])
    with connection(links[0]) as own, connection(links[1]) as other:
        assert echoed(own)
        assert fault.connections() == 1
        fault.begin()
        assert not echoed(own)
        assert not takes_connections(links[0])
        assert echoed(other)
        traffic = ended(fault)
    assert (traffic.connections, traffic.ended) == (1, 1)
    assert takes_connections(links[0])
    assert fault.end() == traffic, "again: the same answer"


def test_faults_overlap_on_one_link(network: Network, links: list[Link]) -> None:
    first, second = network.cut(links[:1]), network.cut(links)
    slow = network.poison(
        links, Toxic(kind="latency", attributes={"latency": 200}), streams=["upstream"]
    )
    slower = network.poison(
        links, Toxic(kind="latency", attributes={"latency": 200}), streams=["upstream"]
    )
    for fault in (first, second, slow, slower):
        fault.begin()
    first.end()
    assert not takes_connections(links[0]), "it is still cut by the second"
    second.end()
    slower.end()
    began = time.monotonic()
    assert takes_connections(links[0])
    assert time.monotonic() - began >= 0.2
    slow.end()
    assert is_clean(network)


def test_heal_all_undoes_everything(network: Network, links: list[Link]) -> None:
    hole = Toxic(kind="timeout", attributes={"timeout": 0})
    poisoned = network.poison(links[1:], hole, streams=["upstream", "downstream"])
    cut = network.cut(links[:1])
    poisoned.begin()
    cut.begin()
    network.heal_all()
    assert is_clean(network)
    assert all(takes_connections(link) for link in links)
    poisoned.end()
    cut.end()
    network.cut(links).begin()
    network.heal_all()
    assert is_clean(network), "and none is counted as cut any more"


def test_a_fault_that_was_refused_half_way_is_undone(network: Network, links: list[Link]) -> None:
    fault = network.poison(
        links, Toxic(kind="latency", attributes={"latency": 1}), streams=["upstream"]
    )
    network._server.api.destroy(network._names[links[1]])
    with pytest.raises(InfrastructureError, match="proxy not found"):
        fault.begin()
    with pytest.raises(InfrastructureError, match="has lost the proxy"):
        fault.end()
    network._server.api.create(
        network._names[links[1]], listen=links[1].listen, upstream=links[1].upstream
    )
    fault.end()
    assert is_clean(network)


def test_an_unknown_link_or_none_is_a_mistake(network: Network, links: list[Link]) -> None:
    with pytest.raises(UsageError, match="no such link"):
        network.cut([])
    with pytest.raises(UsageError, match="no proxy on the link client-5-to-1"):
        network.cut([client_link(source=5, upstream=free_address())])


def test_a_port_that_is_taken_is_told(network: Network) -> None:
    with echo() as upstream:
        taken = Link(role="client", source=0, broker=1, listen=upstream, upstream=upstream)
        with pytest.raises(InfrastructureError, match="address already in use"):
            network.connect([taken])
    network.connect([])
    assert is_clean(network)
