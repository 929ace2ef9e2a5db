"""Which steps an app performs, and on what occasion: its crash points."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

import msgspec

from eoscheck.run.trace import learned_steps
from eoscheck.wire import Exchange, Step


class Occasion(StrEnum):
    """When an instance performs a step, and so how a cell gets it to: `work` comes by itself;
    `start` and `stop` are one instance's, `rebalance` is what others see of them; `rollback` is
    what an app does whose records cannot be delivered."""

    WORK = "work"
    START = "start"
    STOP = "stop"
    REBALANCE = "rebalance"
    ROLLBACK = "rollback"


class LearnedStep(msgspec.Struct, frozen=True, kw_only=True):
    """`times`: how often one instance was seen to do it on one such occasion, at least."""

    step: Step
    occasion: Occasion
    times: int


_USUAL: Mapping[Step, Occasion] = {
    "FindCoordinator": Occasion.START,
    "InitProducerId": Occasion.START,
    "JoinGroup": Occasion.START,
    "SyncGroup": Occasion.START,
    "OffsetFetch": Occasion.START,
    "ListOffsets(restore)": Occasion.START,
    "Fetch(restore)": Occasion.START,
    "LeaveGroup": Occasion.STOP,
    "EndTxn(abort)": Occasion.ROLLBACK,
}
_ORDER = (
    "FindCoordinator",
    "InitProducerId",
    "JoinGroup",
    "SyncGroup",
    "OffsetFetch",
    "ListOffsets(restore)",
    "Fetch(restore)",
    "Heartbeat",
    "ConsumerGroupHeartbeat",
    "AddPartitionsToTxn",
    "Produce(changelog)",
    "Produce(internal)",
    "Produce(output)",
    "AddOffsetsToTxn",
    "TxnOffsetCommit",
    "OffsetCommit",
    "EndTxn(commit)",
    "EndTxn(abort)",
    "LeaveGroup",
)
"""The crash points there are, as a client comes by them: faults.md. Reading the input is none, for
nothing has happened yet; nor is asking for metadata."""


def usual_occasion(step: Step) -> Occasion:
    """Where clients perform it, whatever the app; `Produce` and others at work."""
    return _USUAL.get(step, Occasion.WORK)


def learn(
    *,
    work: Sequence[Iterable[Exchange]],
    starts: Sequence[Iterable[Exchange]] = (),
    stops: Sequence[Iterable[Exchange]] = (),
    rebalances: Sequence[Iterable[Exchange]] = (),
) -> list[LearnedStep]:
    """Each argument: stretches of single instances without a fault, on that occasion.

    A step is learned on its usual occasion where it was seen there, else on the cheapest to provoke
    of those where it was. In the order of the protocol.
    """
    seen = {
        Occasion.WORK: [learned_steps(each) for each in work],
        Occasion.START: [learned_steps(each) for each in starts],
        Occasion.STOP: [learned_steps(each) for each in stops],
        Occasion.REBALANCE: [learned_steps(each) for each in rebalances],
    }
    found = []
    for step in _ORDER:
        usual = usual_occasion(step)
        for occasion in (usual, *seen):
            counts = [each[step] for each in seen.get(occasion, []) if step in each]
            if counts:
                # An abort may come by chance with a rebalance; lost records bring it surely.
                chosen = usual if usual is Occasion.ROLLBACK else occasion
                found.append(LearnedStep(step=step, occasion=chosen, times=min(counts)))
                break
    return found
