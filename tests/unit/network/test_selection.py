"""A fault is on the links that its words mean, and on no other."""

from __future__ import annotations

import pytest

from eoscheck.network.links import Link
from eoscheck.network.selection import Apart, client_links, links_between

BROKERS = (1, 2, 3)
_NOWHERE = ("127.0.0.1", 1)


def link(role: str, source: int, broker: int) -> Link:
    return Link(role=role, source=source, broker=broker, listen=_NOWHERE, upstream=_NOWHERE)  # type: ignore[arg-type]


LINKS = [
    *(link("client", instance, broker) for instance in (0, 1, 2) for broker in BROKERS),
    *(
        link(role, source, broker)
        for role in ("replication", "controller")
        for source in BROKERS
        for broker in BROKERS
        if source != broker
    ),
]


@pytest.mark.parametrize(
    ("instances", "broker", "pairs"),
    [
        ([1], 2, {(1, 2)}),
        ([1], None, {(1, 1), (1, 2), (1, 3)}),
        ([0, 2], 3, {(0, 3), (2, 3)}),
        (None, 3, {(0, 3), (1, 3), (2, 3)}),
        ([7], None, set()),
    ],
)
def test_links_of_clients(
    instances: list[int] | None, broker: int | None, pairs: set[tuple[int, int]]
) -> None:
    found = client_links(LINKS, instances=instances, broker=broker)
    assert {each.role for each in found} <= {"client"}
    assert {(each.source, each.broker) for each in found} == pairs


@pytest.mark.parametrize(
    ("apart", "roles", "pairs"),
    [
        ("peers", {"replication", "controller"}, {(1, 2), (2, 1), (1, 3), (3, 1)}),
        ("controllers", {"controller"}, {(1, 2), (2, 1), (1, 3), (3, 1)}),
        (3, {"replication", "controller"}, {(1, 3), (3, 1)}),
    ],
)
def test_links_between_brokers(apart: Apart, roles: set[str], pairs: set[tuple[int, int]]) -> None:
    found = links_between(LINKS, broker=1, apart=apart)
    assert {each.role for each in found} == roles
    assert len(found) == len(roles) * len(pairs)
    assert {(each.source, each.broker) for each in found} == pairs
