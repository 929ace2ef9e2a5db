"""Recovery: from SIGKILL to the first committed receipt whose payment came after the kill.

Quick restart: a supervisor starts a replacement at once. Hand-over: a second instance runs already,
and gets the dead one's partitions when its session is over.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from benchmarks.backlog import PARTITIONS
from benchmarks.bench import Bench, Running
from benchmarks.figures import Row, Section, at_most
from benchmarks.sizes import Sizes
from benchmarks.subjects import Job, Who, new_name
from benchmarks.traffic import Receipts, Traffic, wait_caught_up
from eoscheck.cluster import NewTopic, create_topics
from eoscheck.errors import InfrastructureError, UsageError
from eoscheck.measure.cost import ratio_of
from eoscheck.measure.quantiles import distribution

_RATE = 500
_ACCOUNTS = 1_000
_SESSION_MS = 6_000
# Below the session: else a hand-over waits for the dead one's transaction, not for its session.
_TRANSACTION_MS = 5_000
_WAIT_S = 90.0
_LOOK_EVERY_S = 0.05
_METHOD = (
    "{kills} SIGKILLs of each side, exactly-once, commit interval 100 ms, 500 payments a second, "
    "static members, session time-out 6 s, transaction time-out 5 s, directory kept: seconds to "
    "the first committed receipt of one of the victim's partitions whose payment was sent after "
    "the kill. Quick restart: the replacement process is started at once, the sides take turns. "
    "Hand-over: two instances of each side, and one of each killed at the same moment."
)


@dataclass
class _Side:
    """One subject under load. `instances` by the name of the static member."""

    who: Who
    job: Job
    traffic: Traffic
    receipts: Receipts
    instances: dict[str, Running] = field(default_factory=dict)

    def start(self, bench: Bench, member: str) -> None:
        state = bench.folder / f"{self.job.name}-{member}"
        job = replace(self.job, instance=member)
        self.instances[member] = bench.start(self.who, job, state)

    def partitions(self, bench: Bench, member: str) -> list[int]:
        """What the group has given to `member`, with a thread's number after its name."""
        try:
            members = bench.view.group_members(self.job.name)
        except UsageError:  # there is no such group yet
            return []
        return [
            number
            for each in members
            if (each.instance_id or "").startswith(f"{member}-")
            for number in each.partitions.get(self.job.input, [])
        ]

    def settle(self, bench: Bench) -> None:
        """Until every instance has its share, and the backlog is gone."""
        deadline = time.monotonic() + _WAIT_S
        share = PARTITIONS // len(self.instances)
        while any(len(self.partitions(bench, m)) != share for m in self.instances):
            for running in self.instances.values():
                running.check()
            if time.monotonic() > deadline:
                raise InfrastructureError(f"{self.who}: partitions not shared in {_WAIT_S:g} s")
            time.sleep(_LOOK_EVERY_S)
        wait_caught_up(self.traffic, self.receipts, timeout_s=_WAIT_S)

    def kill(self, member: str, partitions: Sequence[int]) -> tuple[float, Future[float]]:
        """The moment of the kill, and that of the receipt to come."""
        at = self.instances[member].kill()
        return at, self.receipts.expect(self.traffic.sent, partitions=partitions)


def run(bench: Bench, sizes: Sizes) -> Section:
    chance = random.Random(bench.seed)
    quick = _quick_restarts(bench, sizes.kills, chance)
    handed = _hand_overs(bench, sizes.kills, chance)
    return Section(
        name="recovery",
        method=_METHOD.format(kills=sizes.kills),
        rows=[*_rows("quick restart", quick), *_rows("hand-over to a running instance", handed)],
        raw={"quick restart": quick, "hand-over": handed},
    )


def _quick_restarts(bench: Bench, kills: int, chance: random.Random) -> dict[Who, list[float]]:
    seconds: dict[Who, list[float]] = {who: [] for who in bench.subjects}
    with ExitStack() as stack:
        sides = [_side(bench, stack, who, instances=1) for who in bench.subjects]
        for number in range(kills):
            for side in sides if number % 2 == 0 else sides[::-1]:
                (member,) = side.instances
                side.settle(bench)
                _at_any_moment(chance)
                at, seen = side.kill(member, range(PARTITIONS))
                side.start(bench, member)
                seconds[side.who].append(_moment(side, seen) - at)
                bench.say(_line("quick restart", number, kills, side.who, seconds[side.who][-1]))
    return seconds


def _hand_overs(bench: Bench, kills: int, chance: random.Random) -> dict[Who, list[float]]:
    seconds: dict[Who, list[float]] = {who: [] for who in bench.subjects}
    with ExitStack() as stack:
        sides = [_side(bench, stack, who, instances=2) for who in bench.subjects]
        for number in range(kills):
            for side in sides:
                side.settle(bench)
            _at_any_moment(chance)
            pending = []
            for side in sides:
                victim = list(side.instances)[number % 2]
                owned = side.partitions(bench, victim)
                pending.append((side, victim, *side.kill(victim, owned)))
            for side, _, at, seen in pending:
                seconds[side.who].append(_moment(side, seen) - at)
                bench.say(_line("hand-over", number, kills, side.who, seconds[side.who][-1]))
            for side, victim, _, _ in pending:
                side.start(bench, victim)
    return seconds


def _side(bench: Bench, stack: ExitStack, who: Who, *, instances: int) -> _Side:
    name = new_name("recovery")
    job = Job(
        name=name,
        input=f"{name}-payments",
        session_timeout_ms=_SESSION_MS,
        transaction_timeout_ms=_TRANSACTION_MS,
    )
    create_topics(
        bench.cluster.client_config, [NewTopic(name=job.input, partitions=job.partitions)]
    )
    stack.enter_context(bench.application(who, job))
    traffic = stack.enter_context(Traffic(bench, job.input, rate=_RATE, accounts=_ACCOUNTS))
    receipts = stack.enter_context(Receipts(bench, job.output))
    side = _Side(who=who, job=job, traffic=traffic, receipts=receipts)
    for number in range(instances):
        side.start(bench, f"{name}-{number}")
    stack.callback(lambda: [running.kill() for running in side.instances.values()])
    return side


def _moment(side: _Side, seen: Future[float]) -> float:
    try:
        return seen.result(_WAIT_S)
    except TimeoutError:
        raise InfrastructureError(f"{side.who} did not recover within {_WAIT_S:g} s") from None


def _at_any_moment(chance: random.Random) -> None:
    """So that kills do not fall on the same moment of the commit interval."""
    time.sleep(chance.uniform(0.3, 1.3))


def _line(what: str, number: int, kills: int, who: Who, seconds: float) -> str:
    return f"{what}, kill {number + 1} of {kills}, {who}: {seconds:.2f} s"


def _rows(what: str, seconds: dict[Who, list[float]]) -> list[Row]:
    medians, longest = {}, {}
    for who, values in seconds.items():
        figures = distribution(values)
        assert figures is not None
        assert figures.p50.value is not None
        medians[who], longest[who] = figures.p50.value, max(values)
    kills = len(seconds[Who.APP])
    if Who.PEER not in seconds:
        return [
            Row(what=what, unit="s, p50", value=medians[Who.APP]),
            Row(what=what, unit=f"s, max of {kills}", value=longest[Who.APP]),
        ]
    ratio = ratio_of(list(zip(seconds[Who.APP], seconds[Who.PEER], strict=True)))
    slower = longest[Who.APP] / longest[Who.PEER]
    return [
        Row(
            what=what,
            unit="s, p50",
            value=medians[Who.APP],
            beside=Who.PEER,
            other=medians[Who.PEER],
            ratio=ratio,
            target="≤ 1 ×",
            verdict=at_most(ratio, 1.0),
        ),
        Row(
            what=what,
            unit=f"s, max of {kills}",
            value=longest[Who.APP],
            beside=Who.PEER,
            other=longest[Who.PEER],
            target="≤ 1 ×",
            verdict="met" if slower <= 1 else f"missed by {slower - 1:.0%}",
        ),
    ]
