"""Tables and planned faults of the process family, as tests want them."""

from __future__ import annotations

from typing import Any

from eoscheck.faults import Targets
from eoscheck.faults.process import Kill, Pause, Restart, Terminate
from eoscheck.faults.spec import InstanceFault, PlannedFault
from eoscheck.subject import Role, one_app

_KINDS: dict[str, type[InstanceFault]] = {
    "kill": Kill,
    "terminate": Terminate,
    "restart": Restart,
    "pause": Pause,
}
_OF_THE_TABLE = (
    "working",
    "open_transaction",
    "alone",
    "when",
    "within",
    "name",
    "after",
    "during",
)


def table(kind: str = "kill", **keys: Any) -> InstanceFault:
    return _KINDS[kind](**keys)


def fault(**changes: Any) -> PlannedFault:
    """A kill of instance 0 after a second, for half a second, but for the `changes`."""
    keys = {key: changes.pop(key) for key in _OF_THE_TABLE if key in changes}
    usual: dict[str, Any] = {
        "fault_id": "kill-1",
        "table": table(changes.pop("kind", "kill"), **keys),
        "at_s": 1.0,
        "instance": 0,
        "down_s": 0.5,
    }
    made = usual | changes
    return PlannedFault(lanes=frozenset({f"instance {made['instance']}"}), **made)


class OneApp:
    """What a subject of one app, with this `spec`, says of its roles."""

    spec: Any

    @property
    def roles(self) -> list[Role]:
        return [one_app(self.spec, input="in", output="out")]

    def role_of(self, instance: int) -> Role:
        return self.roles[0]

    def called(self, instance: int) -> str:
        return f"instance {instance}"


def app(instances: int, *, session_timeout_s: float = 6.0) -> list[Targets]:
    """Instances of one app, to plan for."""
    return [Targets(instances=range(instances), session_timeout_s=session_timeout_s)]
