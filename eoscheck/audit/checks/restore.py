"""RESTORE_SHORT: a restore that ended before the end that its changelog had when it began."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from eoscheck.audit.checks.outcome import Anomaly, Checked, Found
from eoscheck.audit.findings import Code, Unknown
from eoscheck.audit.rows.columns import Integers
from eoscheck.audit.rows.records import Place
from eoscheck.history.events import Event, FaultHealed, FaultInjected, InstanceStarted
from eoscheck.history.restores import ChangelogSampled, RestoreEnded, RestoreStarted

_SHOWN = 5
_MARGIN_S = 2.0
"""How long before its line a restore may have looked up the end, and clocks may differ."""


@dataclass(kw_only=True)
class _Restore:
    """`required`: the changelog was committed or in the making up to here when it began. `missed`
    counts the committed records that it left out, `first` are the first of them."""

    started: RestoreStarted
    ended: RestoreEnded
    required: int
    missed: int = 0
    first: list[int] = field(default_factory=list)


class Restores:
    """The restores of one changelog in a run's history.

    What the subject says it restored is held against what the run's own observer saw: the high
    watermark of the changelog at the last sample that was surely taken before the restore began.
    Between the two, only committed records count: markers and aborted records are nothing to
    restore. So the changelog's committed records have to be shown to it, blocks in any order.
    """

    def __init__(self, history: Sequence[Event], *, topic: str) -> None:
        self.topic = topic
        self._judged: list[_Restore] = []
        self._unsampled = 0
        samples = [e for e in history if isinstance(e, ChangelogSampled) and e.topic == topic]
        begun: dict[tuple[int, int], RestoreStarted] = {}
        for event in sorted(
            (e for e in history if isinstance(e, RestoreStarted | RestoreEnded)),
            key=lambda e: e.t,
        ):
            if not is_of(event.store, topic):
                continue
            at = (event.instance, event.partition)
            if isinstance(event, RestoreStarted):
                begun[at] = event
            elif at in begun:
                started = begun.pop(at)
                surely_before = _surely_before(started, history)
                ends = [(each.t, each.high_watermarks.get(event.partition, 0)) for each in samples]
                seen = [end for t, end in ends if t <= surely_before]
                # A log that was empty later was so before.
                self._unsampled += not seen and (not ends or ends[0][1] > 0)
                self._judged.append(
                    _Restore(started=started, ended=event, required=max(seen, default=0))
                )
        self._short = [each for each in self._judged if each.ended.restored_to < each.required]

    @property
    def needs_records(self) -> bool:
        """False where every restore came as far as it had to: no record need be read for it."""
        return bool(self._short)

    def add(self, partition: int, offsets: Integers) -> None:
        """Offsets of committed records, rising."""
        for each in self._short:
            if each.ended.partition != partition:
                continue
            first = int(offsets.searchsorted(each.ended.restored_to))
            end = int(offsets.searchsorted(each.required))
            each.missed += end - first
            shown = sorted([*each.first, *offsets[first : min(end, first + _SHOWN)].tolist()])
            each.first = shown[:_SHOWN]

    def check(self, *, gaps: Sequence[str] = (), limit: int) -> Checked:
        """Unknown where the observer saw no end of the changelog before a restore, or records that
        a short one left out may have gone meanwhile."""
        short = [each for each in self._short if each.missed]
        unknowns = []
        if self._unsampled:
            unknowns.append(
                f"{self._unsampled} restores of {self.topic} began before its end was seen"
            )
        doubtful = len(self._short) - len(short)
        if gaps and doubtful:
            unknowns.append(
                f"{doubtful} restores of {self.topic} ended below its end, and what they left out "
                f"cannot be told: {'; '.join(gaps)}"
            )
        found = Found(
            code=Code.RESTORE_SHORT,
            total=len(short),
            anomalies=[self._anomaly(each) for each in short[:limit]],
        )
        return Checked(
            found=[found] if short else [],
            unknowns=[Unknown(subject=Code.RESTORE_SHORT, reason=each) for each in unknowns],
            counts={"restores": len(self._judged)},
        )

    def _anomaly(self, each: _Restore) -> Anomaly:
        ended = each.ended
        places = [Place(self.topic, ended.partition, offset) for offset in each.first]
        return Anomaly(
            place=places[0],
            offsets=each.first,
            detail=f"instance {ended.instance} restored to {ended.restored_to} at {ended.t:.1f} s, "
            f"and left out {each.missed} committed records below {each.required}, the end of the "
            "changelog when it began",
            related={"missed": places},
            facts={
                "instance": ended.instance,
                "restored_to": ended.restored_to,
                "end": each.required,
                "left_out": each.missed,
                "began_s": each.started.t,
                "ended_s": ended.t,
            },
        )


def is_of(store: str, topic: str) -> bool:
    """Whether a restore that names a store, or a changelog, is of this topic. Kafka Streams'
    changelogs are `<application id>-<store>-changelog`."""
    return topic == store or topic.endswith(f"-{store}-changelog")


def _surely_before(started: RestoreStarted, history: Sequence[Event]) -> float:
    """A time before the restore looked up its changelog's end. It was written down later: by much
    later, where a fault held the process up; but never is that before its process was started."""
    before = started.t - _MARGIN_S
    healed = {event.fault_id: event.t for event in history if isinstance(event, FaultHealed)}
    for event in history:
        if isinstance(event, FaultInjected) and event.instance == started.instance:
            until = healed.get(event.fault_id, event.t + event.down_s)
            if event.t <= started.t and until >= started.t - _MARGIN_S:
                before = min(before, event.t - _MARGIN_S)
    starts = [
        event.t
        for event in history
        if isinstance(event, InstanceStarted)
        and event.instance == started.instance
        and event.t <= started.t
    ]
    return max([before, *starts])
