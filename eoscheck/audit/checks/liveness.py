"""STALLED: there is work to be shown, and nothing comes out any more."""

from __future__ import annotations

from collections.abc import Sequence

from eoscheck.audit.checks.outcome import Anomaly, Checked, Found
from eoscheck.audit.findings import Code
from eoscheck.audit.rows.records import Place
from eoscheck.history.events import (
    Event,
    FaultHealed,
    FaultInjected,
    GroupSampled,
    LogSampled,
    OutputsObserved,
    RunFinished,
)
from eoscheck.history.progress import Progress


def check_stalled(history: Sequence[Event], *, topic: str, liveness_s: float) -> Checked:
    """No committed output of `topic` for `liveness_s` after the last fault was healed, while by
    every sample in that time input waits, or outputs are held back.

    They are held back where the last stable offset lies below the high watermark: the group of a
    subject may go on committing while an open transaction hides all that it writes. Input waits
    where the group has not committed a record that the load was told is written. (Lag
    alone would not do: behind a transaction's last record lies its marker, and many clients never
    commit past it.) It is the lag where the history tells of no load.

    Judged by what the run's own observer saw, up to the end of the run. A run without samples says
    nothing here.
    """
    healed_at = _last_heal(history)
    silent_since: float | None = None
    waits: dict[str, bool] = {}
    """By role: of several apps each may be the one that does not go on."""
    held_back = False
    longest: tuple[float, float, str] | None = None
    progress = Progress()
    for event in history:
        progress(event)
        if isinstance(event, RunFinished):
            break  # the subject is stopped after this
        if event.t < healed_at:
            continue
        if silent_since is None:
            silent_since = healed_at
        if isinstance(event, OutputsObserved) and event.topic == topic and event.identities:
            silent_since, held_back = event.t, False
            waits.clear()
        elif isinstance(event, GroupSampled):
            waits[event.role] = _waits(event, progress)
        elif isinstance(event, LogSampled) and event.topic == topic:
            held_back = _holds_back(event)
        else:
            continue
        input_waits = any(waits.values())
        if not (input_waits or held_back):
            silent_since = event.t
        silence = event.t - silent_since
        if silence > liveness_s and (longest is None or silence > longest[1]):
            why = "input waited" if input_waits else "outputs were held back by a transaction"
            longest = (silent_since, silence, why)
    if longest is None:
        return Checked()
    since, silence, why = longest
    return Checked(
        found=[
            Found(
                code=Code.STALLED,
                total=1,
                anomalies=[
                    Anomaly(
                        place=Place(topic, -1, -1),
                        offsets=[],
                        detail=f"no committed output for {silence:.1f} s from {since:.1f} s on, "
                        f"after the last heal at {healed_at:.1f} s, while {why}",
                        facts={"from_s": since, "silence_s": silence, "bound_s": liveness_s},
                    )
                ],
            )
        ]
    )


def _waits(sample: GroupSampled, progress: Progress) -> bool:
    if not progress.due or sample.topic not in ("", progress.topic):
        return sample.lag > 0
    return any(sample.committed.get(part, 0) < end for part, end in progress.due.items())


def _holds_back(sample: LogSampled) -> bool:
    """The watermarks were asked for first: they are not ahead only because time went on."""
    stable = sample.last_stable_offsets
    return any(stable.get(part, end) < end for part, end in sample.high_watermarks.items())


def _last_heal(history: Sequence[Event]) -> float:
    """0 where there was no fault. A fault that was never healed counts from its planned end."""
    healed = {event.fault_id: event.t for event in history if isinstance(event, FaultHealed)}
    ends = [
        healed.get(event.fault_id, event.t + event.down_s)
        for event in history
        if isinstance(event, FaultInjected)
    ]
    return max(ends, default=0.0)
