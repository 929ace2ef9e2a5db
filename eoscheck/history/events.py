"""The event types. `t` is always seconds since the run began, by a monotonic clock.

Batches are columns (parallel lists), so that a run of a million records stays a small file.
Partition numbers in `OutputsObserved` are the output topic's, elsewhere the topic's that is named.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

from eoscheck.history.restores import ChangelogSampled, RestoreEnded, RestoreStarted

Identity: TypeAlias = int | str
"""What makes a record unique. Integers stay integers: dense ones are checked in compact form."""


class _Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event"):
    t: float


class RunStarted(_Event, frozen=True, tag="run_started"):
    """`started_at` is ISO 8601 in UTC; `environment` holds versions and the machine."""

    run_id: str
    scenario: str
    seed: int
    started_at: str
    environment: dict[str, str]


class PhaseStarted(_Event, frozen=True, tag="phase_started"):
    """`steady` before the faults, `faults`, `drain` after the final heal, `audit`."""

    phase: Literal["start", "steady", "faults", "drain", "audit"]


class RunFinished(_Event, frozen=True, tag="run_finished"):
    drained: bool
    reason: str


class InstanceStarted(_Event, frozen=True, tag="instance_started"):
    """`attempt` counts the starts of this instance from 1. `role`: of which app of the subject it
    is one; empty where that is one app."""

    instance: int
    pid: int
    attempt: int
    state_dir: str
    role: str = ""


class InstanceReady(_Event, frozen=True, tag="instance_ready"):
    """The instance does its work again: how that was seen stands in `evidence`."""

    instance: int
    evidence: str


class InstanceExited(_Event, frozen=True, tag="instance_exited"):
    """`code` as Popen gives it (negative: a signal). `expected`: the harness caused it."""

    instance: int
    pid: int
    code: int
    expected: bool


class BrokerChanged(_Event, frozen=True, tag="broker_changed"):
    """What the harness did to a broker of its own, or saw of it. `up`: the process runs; `running`:
    it answers clients and takes part in the cluster."""

    broker: int
    state: Literal["up", "running", "paused", "down"]


class FaultInjected(_Event, frozen=True, tag="fault_injected"):
    """A fault that bit. `evidence` proves it (signal delivered, process gone, ...); `target` says
    in words who was hit (`instance 1`, `broker 2 (controller)`; empty in old histories).

    `open_transactions`: transactions that were open at that moment and that the fault left behind
    (nobody ended them while the target was down). None where the fault kind does not ask.
    `down_s` is the planned time until the heal; `outlasts_session` compares it with the subject's
    session time-out.
    """

    fault_id: str
    kind: str
    instance: int | None
    down_s: float
    outlasts_session: bool
    wiped: bool
    evidence: dict[str, Any]
    open_transactions: int | None = None
    partitions: list[int] | None = None
    """Input partitions the target owned at that moment; None where the group could not tell."""
    target: str = ""


class FaultHealed(_Event, frozen=True, tag="fault_healed"):
    """`evidence`: what only the end could tell, such as the bytes that met a network fault."""

    fault_id: str
    kind: str
    instance: int | None
    evidence: dict[str, Any] = {}


class FaultMissed(_Event, frozen=True, tag="fault_missed"):
    """A planned fault that did not bite: a run with one of these is unknown, never a pass. One
    that was injected may turn out as missed at its heal: nothing met it while it was there."""

    fault_id: str
    kind: str
    reason: str


class SendsAcknowledged(_Event, frozen=True, tag="sends_acknowledged"):
    """Input records whose write (and transaction, if any) is known to have succeeded.

    Columns of equal length. `intended` is when the open-loop schedule wanted each record sent.
    """

    topic: str
    identities: list[Identity]
    partitions: list[int]
    offsets: list[int]
    intended: list[float]


class SendsUnconfirmed(_Event, frozen=True, tag="sends_unconfirmed"):
    """Input records that are not acknowledged: `aborted` and `failed` surely did not take effect,
    `indeterminate` may have, and proves nothing in either direction."""

    topic: str
    outcome: Literal["aborted", "failed", "indeterminate"]
    identities: list[Identity]
    reason: str


class BlockWritten(_Event, frozen=True, tag="block_written"):
    """One of several load generators is done: it gave out the numbers from `first` on, `count` of
    them, each once. `lost`: its process went away, and may have written more of them than it told.
    """

    generator: int
    first: int
    count: int
    lost: bool


class OutputsObserved(_Event, frozen=True, tag="outputs_observed"):
    """Committed outputs as a live `read_committed` reader got them; `t` is when it got them.

    `offsets` ascend, one for each identity; older histories have none.
    """

    topic: str
    partition: int
    first_offset: int
    last_offset: int
    identities: list[Identity]
    offsets: list[int] = []


class GroupSampled(_Event, frozen=True, tag="group_sampled"):
    """A consumer group of the subject: lag in records over all partitions of the `topic` that it
    reads (empty in old histories), and what it has committed. `role`: whose group it is, where the
    subject is several apps."""

    lag: int
    committed: dict[int, int]
    ends: dict[int, int]
    topic: str = ""
    role: str = ""


class GroupChanged(_Event, frozen=True, tag="group_changed"):
    """The subject's group is in another state, or its members own other partitions of the input,
    than when it was last looked at; only in runs that watch it closely. `owners`: by group instance
    id, or else by member id."""

    state: str
    owners: dict[str, list[int]]


class LogSampled(_Event, frozen=True, tag="log_sampled"):
    """High watermark and last stable offset of each partition of an output topic."""

    topic: str
    high_watermarks: dict[int, int]
    last_stable_offsets: dict[int, int]


Event: TypeAlias = (
    RunStarted
    | PhaseStarted
    | RunFinished
    | InstanceStarted
    | InstanceReady
    | InstanceExited
    | BrokerChanged
    | FaultInjected
    | FaultHealed
    | FaultMissed
    | SendsAcknowledged
    | SendsUnconfirmed
    | BlockWritten
    | OutputsObserved
    | GroupSampled
    | GroupChanged
    | LogSampled
    | ChangelogSampled
    | RestoreStarted
    | RestoreEnded
)
