"""What a fault may be done to, and what may be asked before it strikes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eoscheck.faults.witness import Witness
from eoscheck.subject import Subject
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
    input_topic: str
    output_topics: Collection[str] = field(default_factory=list)
    view: ClusterView | None = None
    transactions: TransactionView | None = None
    brokers: Brokers | None = None
    roles: Roles | None = None
    network: Network | None = None
    wire: Wire | None = None
    witness: Witness | None = None
