"""Which broker a fault is for: by its number, or by its part, found at the moment it strikes."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from eoscheck.cluster import Brokers
from eoscheck.cluster.roles import Roles
from eoscheck.errors import InfrastructureError, UsageError
from eoscheck.faults.scene import Scene

_LEADER = re.compile(r"leader:(?P<topic>[A-Za-z0-9._{}-]+)/(?P<partition>\d{1,6})")
_COORDINATOR = "transaction-coordinator"
_FORMS = (
    "any, controller, leader:TOPIC/PARTITION, transaction-coordinator, "
    "transaction-coordinator:ID, group-coordinator, or a broker's number"
)
_PLAIN = ("any", "controller", _COORDINATOR, "group-coordinator")


@dataclass(frozen=True, kw_only=True)
class Target:
    """`part` says why it was this one: what it was asked for by, empty for its number."""

    broker: int
    part: str

    def __str__(self) -> str:
        return f"broker {self.broker}" + (f" ({self.part})" if self.part else "")


def check_target(broker: str | int) -> None:
    """Raises UsageError where it is of no form that `find_target` knows."""
    if isinstance(broker, int):
        known = broker > 0
    else:
        named = broker.removeprefix(f"{_COORDINATOR}:") if ":" in broker else ""
        known = broker in _PLAIN or bool(_LEADER.fullmatch(broker)) or named not in ("", broker)
    if not known:
        raise UsageError(f"faults.broker {broker!r} is none of: {_FORMS}")


def owned_brokers(scene: Scene) -> Brokers:
    """Raises UsageError where they are not ours."""
    if scene.brokers is None:
        raise UsageError(
            "faults of brokers need a cluster of our own: leave out cluster.provider, or set it to "
            "'embedded' or 'docker'"
        )
    return scene.brokers


def find_target(broker: str | int, *, scene: Scene, chance: random.Random) -> Target:
    """The one that it is right now. `chance` chooses where several would do.

    Raises InfrastructureError where there is none, or where the cluster does not say.
    """
    brokers = owned_brokers(scene)
    if isinstance(broker, int):
        if broker not in brokers.ids:
            known = ", ".join(map(str, brokers.ids))
            raise InfrastructureError(f"there is no broker {broker}: there are {known}")
        return Target(broker=broker, part="")
    if broker == "any":
        running = [each for each in brokers.ids if brokers.is_up(each)]
        if not running:
            raise InfrastructureError("no broker is up that a fault could strike")
        return Target(broker=chance.choice(running), part="any")
    assert scene.roles is not None, "whoever owns brokers can ask who they are"
    return _by_part(broker, scene.roles, scene, chance)


def _by_part(broker: str, roles: Roles, scene: Scene, chance: random.Random) -> Target:
    if broker == "controller":
        return Target(broker=roles.controller(), part=broker)
    if broker == "group-coordinator":
        groups = [role.spec.group for role in scene.subject.roles if role.spec.group]
        if not groups:
            raise InfrastructureError("the subject has no group to coordinate: set subject.group")
        group = chance.choice(groups)
        return Target(broker=roles.group_coordinator(group), part=f"coordinator of group {group}")
    if broker == _COORDINATOR:
        found = roles.transaction_coordinators()
        name = chance.choice(sorted(found))
        return Target(broker=found[name], part=f"coordinator of transactional id {name}")
    leader = _LEADER.fullmatch(broker)
    if leader is not None:
        topic, partition = leader["topic"], int(leader["partition"])
        return Target(broker=roles.leader(topic, partition), part=f"leader of {topic}/{partition}")
    name = broker.removeprefix(f"{_COORDINATOR}:")
    return Target(
        broker=roles.transaction_coordinator(name), part=f"coordinator of transactional id {name}"
    )
