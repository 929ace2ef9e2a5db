"""Network faults and partitions: on the links that they mean, in Toxiproxy's words and units, and
missed where nothing met them."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from eoscheck.errors import InfrastructureError, UsageError
from eoscheck.faults import links as links_module
from eoscheck.faults.action import DidNotBiteError
from eoscheck.faults.kinds import KINDS, FaultSpec, action_for, needs_of
from eoscheck.faults.network import Down, Latency, LimitData, NetworkFault, Slicer, Timeout
from eoscheck.faults.partition import BrokerPartition
from eoscheck.faults.scene import Scene
from eoscheck.faults.spec import FaultTable, PlannedFault
from eoscheck.network import Link, Toxic
from eoscheck.network.traffic import Traffic
from tests.unit.faults.tables import OneApp

_NOWHERE = ("127.0.0.1", 1)
LINKS = [
    Link(role="client", source=instance, broker=broker, listen=_NOWHERE, upstream=_NOWHERE)
    for instance in (0, 1)
    for broker in (1, 2, 3)
] + [
    Link(role="replication", source=source, broker=broker, listen=_NOWHERE, upstream=_NOWHERE)
    for source in (1, 2, 3)
    for broker in (1, 2, 3)
    if source != broker
]
BUSY = Traffic(to_broker=100, from_broker=200, connections=2, ended=1, attempts=1)
IDLE = Traffic(to_broker=0, from_broker=0, connections=2, ended=0, attempts=0)


class FakeDisturbance:
    def __init__(self, links: Sequence[Link], network: FakeNetwork) -> None:
        self.links = links
        self._network = network
        self._began = False

    def connections(self) -> int:
        return self._network.connections

    def begin(self) -> None:
        self._began = True
        if self._network.fails:
            raise InfrastructureError("Toxiproxy is gone")

    def end(self) -> Traffic | None:
        self._network.healed += 1
        return self._network.traffic if self._began else None


class FakeNetwork:
    """Notes what it is asked for; `traffic` is what its links see."""

    def __init__(self, traffic: Traffic = BUSY) -> None:
        self.links = LINKS
        self.traffic = traffic
        self.connections = 2
        self.fails = False
        self.healed = 0
        self.asked: list[tuple[str, dict[str, int], tuple[str, ...]]] = []
        self.on: list[tuple[int, int]] = []

    def poison(
        self, links: Sequence[Link], toxic: Toxic, *, streams: tuple[str, ...]
    ) -> FakeDisturbance:
        self.asked.append((toxic.kind, dict(toxic.attributes), streams))
        return self._made(links)

    def cut(self, links: Sequence[Link]) -> FakeDisturbance:
        self.asked.append(("cut", {}, ()))
        return self._made(links)

    def _made(self, links: Sequence[Link]) -> FakeDisturbance:
        self.on = [(link.source, link.broker) for link in links]
        return FakeDisturbance(links, self)


def action_of(table: FaultTable, network: FakeNetwork | None, *, instance: int | None = 1) -> Any:
    parts: Any = {
        "subject": OneApp(),
        "network": network,
        "brokers": SimpleNamespace(ids=(1, 2, 3), is_up=lambda _: True),
        "roles": SimpleNamespace(controller=lambda: 2),
    }
    planned = PlannedFault(
        fault_id="n-1", table=table, at_s=0.0, lanes=frozenset({"n"}), instance=instance
    )
    return action_for(planned, Scene(**parts))


def decoded(**keys: Any) -> Any:
    return msgspec.convert(keys, FaultSpec)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("keys", "asked"),
    [
        (
            {"kind": "latency", "latency": "1s", "spread": "5ms"},
            ("latency", {"latency": 1000, "jitter": 5}),
        ),
        ({"kind": "bandwidth", "rate": 7}, ("bandwidth", {"rate": 7})),
        (
            {"kind": "slicer", "average_size": 9, "size_variation": 3, "delay": "2ms"},
            ("slicer", {"average_size": 9, "size_variation": 3, "delay": 2000}),
        ),
        ({"kind": "timeout"}, ("timeout", {"timeout": 0})),
        ({"kind": "reset-peer", "timeout": "20ms"}, ("reset_peer", {"timeout": 20})),
        ({"kind": "limit-data", "bytes": 12}, ("limit_data", {"bytes": 12})),
        ({"kind": "slow-close", "delay": "3s"}, ("slow_close", {"delay": 3000})),
    ],
    ids=lambda value: value.get("kind") if isinstance(value, dict) else "",
)
def test_each_toxic_in_toxiproxy_s_words_and_units(
    keys: dict[str, Any], asked: tuple[str, dict[str, int]]
) -> None:
    network = FakeNetwork()
    action = action_of(decoded(**keys), network)
    evidence = action.strike()
    assert network.asked == [(*asked, ("upstream", "downstream"))]
    assert evidence["links"][0] == "instance 1 to broker 1 (client)"
    assert action.heal()["to_broker"] == 100


@pytest.mark.parametrize(
    ("direction", "streams"), [("to-broker", ("upstream",)), ("from-broker", ("downstream",))]
)
def test_one_direction(direction: Any, streams: tuple[str, ...]) -> None:
    network = FakeNetwork()
    action_of(Latency(direction=direction), network).strike()
    assert network.asked[0][2] == streams


@pytest.mark.parametrize(
    ("table", "instance", "on", "target"),
    [
        (Timeout(), 1, [(1, 1), (1, 2), (1, 3)], "instance 1"),
        (Timeout(broker=3), 0, [(0, 3)], "instance 0, to broker 3"),
        (
            Down(target="all", broker="controller"),
            None,
            [(0, 2), (1, 2)],
            "all instances, to broker 2 (controller)",
        ),
        (
            BrokerPartition(broker=1),
            None,
            [(1, 2), (1, 3), (2, 1), (3, 1)],
            "broker 1, from peers",
        ),
        (
            BrokerPartition(broker="controller", apart=3),
            None,
            [(2, 3), (3, 2)],
            "broker 2 (controller), from broker 3",
        ),
    ],
)
def test_it_is_on_the_links_that_it_means(
    table: FaultTable, instance: int | None, on: list[tuple[int, int]], target: str
) -> None:
    network = FakeNetwork()
    action = action_of(table, network, instance=instance)
    action.strike()
    assert sorted(network.on) == on
    assert action.target == target


@pytest.mark.parametrize("table", [Latency(), Timeout(), LimitData(), Down()])
def test_what_nothing_met_is_missed_after_the_heal(table: FaultTable) -> None:
    network = FakeNetwork(IDLE)
    action = action_of(table, network)
    action.strike()
    with pytest.raises(DidNotBiteError, match="2 connections at its start"):
        action.heal()
    assert network.healed == 1


def test_bytes_the_other_way_are_no_proof() -> None:
    network = FakeNetwork(Traffic(to_broker=5, from_broker=0, connections=1, ended=0, attempts=0))
    action = action_of(Latency(direction="from-broker"), network)
    action.strike()
    with pytest.raises(DidNotBiteError):
        action.heal()


def test_what_ends_connections_waits_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links_module, "CONNECTED_S", 0.1)
    network = FakeNetwork()
    network.connections = 0
    action = action_of(Down(), network)
    with pytest.raises(InfrastructureError, match="nobody was connected through it"):
        action.strike()
    assert action.heal() == {}


def test_a_strike_that_failed_half_way_is_undone_and_is_no_second_miss() -> None:
    network = FakeNetwork(IDLE)
    network.fails = True
    action = action_of(Latency(), network)
    with pytest.raises(InfrastructureError, match="Toxiproxy is gone"):
        action.strike()
    assert action.heal() == {}
    assert network.healed == 1


def test_a_heal_before_any_strike_does_nothing() -> None:
    assert action_of(Latency(), FakeNetwork()).heal() == {}
    assert action_of(BrokerPartition(), FakeNetwork()).heal() == {}


@pytest.mark.parametrize("table", [Latency(), BrokerPartition()])
def test_without_proxies_it_is_refused(table: FaultTable) -> None:
    with pytest.raises(UsageError, match="need proxies before our own brokers"):
        action_of(table, None)


def test_what_a_run_has_to_set_up() -> None:
    assert needs_of([Latency()]) == {"network"}
    assert needs_of([BrokerPartition()]) == {"brokers", "broker links"}


@pytest.mark.parametrize(
    ("target", "choices"),
    [
        ("random", [("network of instance 0", 0), ("network of instance 1", 1)]),
        (1, [("network of instance 1", 1)]),
        ("all", [("network", None)]),
    ],
)
def test_lanes_are_the_network_s_own(target: Any, choices: list[tuple[str, int | None]]) -> None:
    assert Latency(target=target).choices(range(2)) == choices


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"kind": "latency", "latency": "soon"}, "faults.latency"),
        ({"kind": "bandwidth", "rate": -1}, "rate must be 0 or more"),
        ({"kind": "slicer", "average_size": 5, "size_variation": 5}, "below average_size"),
        ({"kind": "timeout", "broker": "leader"}, "is none of"),
        ({"kind": "broker-partition", "broker": 1, "from": 1}, "apart from itself"),
        ({"kind": "broker-partition", "from": "friends"}, "from"),
    ],
)
def test_keys_that_cannot_be_used(keys: dict[str, Any], said: str) -> None:
    with pytest.raises((UsageError, msgspec.ValidationError), match=said):
        decoded(**keys)


def test_an_instance_that_is_not_there() -> None:
    with pytest.raises(UsageError, match="target 2 is no instance that it may hit"):
        Latency(target=2).check(instances=range(2), session_timeout_s=10)


def test_every_toxic_is_a_kind() -> None:
    kinds = {kind for kind, table in KINDS.items() if issubclass(table, NetworkFault)}
    assert kinds == {
        *("latency", "bandwidth", "slicer", "timeout"),
        *("reset-peer", "limit-data", "slow-close", "down"),
    }
    assert Slicer().attributes["delay"] == 1000
