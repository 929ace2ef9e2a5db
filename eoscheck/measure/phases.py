"""What a recovery consisted of: its phases, one after the other, where the history shows them.

A phase ends at its mark, and lasts from the mark that came before it, so that together they are the
recovery (docs/measures.md has the marks).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from eoscheck.history.events import (
    Event,
    FaultInjected,
    GroupChanged,
    InstanceStarted,
    LogSampled,
)
from eoscheck.history.restores import RestoreEnded, RestoreStarted
from eoscheck.measure.figures import Recovery

PHASES = (
    "down",
    "detection",
    "rebalance",
    "transaction",
    "start",
    "restore",
    "first commit",
    "caught up",
)

_STABLE = "stable"
_LEFT_ALONE = frozenset({"scale-out", "rolling", "storm"})
"""Faults whose heal is not what the subject waits for."""
_Kind = TypeVar("_Kind")


class Trail:
    """What the phases of one run are read from."""

    def __init__(self, events: Sequence[Event]) -> None:
        self.starts = _of(events, InstanceStarted)
        self.group = _of(events, GroupChanged)
        self.log = _of(events, LogSampled)
        self.restores_begun = _of(events, RestoreStarted)
        self.restores_ended = _of(events, RestoreEnded)
        self.faults = _of(events, FaultInjected)

    def phases(self, fault: Recovery) -> dict[str, float | None]:
        """Durations, by the names in `PHASES`; all None for one that had not recovered."""
        shown = dict[str, float | None].fromkeys(PHASES)
        if fault.recovered_after_s is None:
            return shown
        first = fault.t + fault.recovered_after_s
        marks = {
            "down": self._up_again(fault, first),
            "detection": self._noticed(fault, first),
            "rebalance": self._stable(fault, first),
            "transaction": self._released(fault, first),
            "start": self._restore_begins(fault, first),
            "restore": self._restored(fault, first),
            "first commit": first,
        }
        at = fault.t
        # In the order of time: some wait for the transaction before they restore, some after it.
        for end, phase in _in_time(marks):
            shown[phase] = end - at
            at = end
        if fault.caught_up_after_s is not None:
            shown["caught up"] = fault.caught_up_after_s - fault.recovered_after_s
        return shown

    def _up_again(self, fault: Recovery, first: float) -> float | None:
        """When the harness let it go on; None where others had taken over by then."""
        end = fault.healed_at
        if fault.instance is not None and fault.kind != "pause":
            starts = (e.t for e in self.starts if e.instance == fault.instance and e.t >= fault.t)
            end = next(starts, None)
        if end is None or end > first or fault.kind in _LEFT_ALONE:
            return None
        noticed = self._noticed(fault, first)
        return None if noticed is not None and noticed < end else end

    def _noticed(self, fault: Recovery, first: float) -> float | None:
        """The group is not what it was any more."""
        before = [e for e in self.group if e.t <= fault.t]
        if not before:
            return None
        was = before[-1]
        for event in self.group:
            if not fault.t < event.t <= first:
                continue
            if event.state != _STABLE or _owned(event, fault) != _owned(was, fault):
                return event.t
        return None

    def _stable(self, fault: Recovery, first: float) -> float | None:
        """For the last time before the first output, every partition of the victim has an owner."""
        noticed = self._noticed(fault, first)
        if noticed is None:
            return None
        end, settled = None, False
        for event in self.group:
            if noticed <= event.t <= first:
                now = event.state == _STABLE and _all_owned(event, fault)
                if now and not settled:
                    end = event.t
                settled = now
        return end

    def _released(self, fault: Recovery, first: float) -> float | None:
        """Readers are given all that was there when the fault struck: no transaction from before it
        holds anything back. None where none did."""
        later = [e for e in self.log if e.t >= fault.t]
        if not later:
            return None
        there = later[0].high_watermarks
        held_at = None
        for sample in later:
            stable = sample.last_stable_offsets
            if all(stable.get(part, 0) >= high for part, high in there.items()):
                # What the last sample before the first output saw held back may be what came out.
                return None if held_at is None or held_at > first else min(sample.t, first)
            held_at = sample.t
        return None

    def _restore_begins(self, fault: Recovery, first: float) -> float | None:
        return min((e.t for e in self._restores(fault, first, self.restores_begun)), default=None)

    def _restored(self, fault: Recovery, first: float) -> float | None:
        return max((e.t for e in self._restores(fault, first, self.restores_ended)), default=None)

    def _restores(self, fault: Recovery, first: float, events: Sequence[_Kind]) -> Sequence[_Kind]:
        wanted = set(fault.partitions)
        return [
            e
            for e in events
            if fault.t < e.t <= first and (not wanted or e.partition in wanted)  # type: ignore[attr-defined]
        ]


def _in_time(marks: Mapping[str, float | None]) -> list[tuple[float, str]]:
    ends = [(end, phase) for phase, end in marks.items() if end is not None]
    return sorted(ends, key=lambda each: (each[0], PHASES.index(each[1])))


def _of(events: Sequence[Event], kind: type[_Kind]) -> list[_Kind]:
    return sorted((e for e in events if isinstance(e, kind)), key=lambda e: e.t)  # type: ignore[attr-defined]


def _owned(event: GroupChanged, fault: Recovery) -> set[tuple[str, int]]:
    """Who owns the victim's partitions; all of them where it is not known which those are."""
    return {
        (member, part)
        for member, parts in event.owners.items()
        for part in parts
        if not fault.partitions or part in fault.partitions
    }


def _all_owned(event: GroupChanged, fault: Recovery) -> bool:
    owned = {part for _, part in _owned(event, fault)}
    return bool(owned) and owned >= set(fault.partitions)
