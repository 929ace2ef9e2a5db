"""What a fault may be done to, and what may be asked before it strikes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from eoscheck.faults.witness import Witness
from eoscheck.subject import Role, Subject
from eoscheck.wire import Wire

if TYPE_CHECKING:
    from eoscheck.cluster.brokers import Brokers
    from eoscheck.cluster.roles import Roles
    from eoscheck.cluster.transactions import TransactionView
    from eoscheck.cluster.view import ClusterView
    from eoscheck.network import Network


@dataclass(frozen=True, kw_only=True)
class Scene:
    """`brokers` is None for a cluster that is not ours, `network` where no proxy stands anywhere,
    `wire` (and its `witness`) where none reads the protocol, `view` and `transactions` where the
    cluster cannot be asked. `roles` tells who leads, coordinates and controls at the moment it is
    asked."""

    subject: Subject
    view: ClusterView | None = None
    transactions: TransactionView | None = None
    brokers: Brokers | None = None
    roles: Roles | None = None
    network: Network | None = None
    wire: Wire | None = None
    witness: Witness | None = None

    def apps(self, role: str | None) -> list[Role]:
        """Those that a fault is meant for; None: all."""
        return [each for each in self.subject.roles if role in (None, each.name)]

    def instances(self, role: str | None) -> frozenset[int] | None:
        """Of an app, with its spare; None: of all."""
        if role is None:
            return None
        return frozenset(n for app in self.apps(role) for n in (*app.instances, app.spare))

    def outputs(self, role: str | None = None) -> list[str]:
        """The topics that these apps write."""
        return [app.output for app in self.apps(role)]
