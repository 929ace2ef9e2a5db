"""Names, times and faults beside a finding."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from eoscheck.audit.checks.outcome import Anomaly
from eoscheck.audit.findings import Code, Finding
from eoscheck.audit.forensics.evidence import Evidence
from eoscheck.audit.forensics.lookup import StoredRecord
from eoscheck.audit.forensics.timeline import FaultTimeline
from eoscheck.audit.rows.records import Place
from eoscheck.audit.spec import AuditSpec, FinalState
from eoscheck.history import Event, FaultHealed, FaultInjected, OutputsObserved, RunStarted

STARTED_MS = 1_700_000_000_000


@dataclass
class Topic:
    """Records by place: (key, value, milliseconds after the start)."""

    rows: dict[Place, tuple[bytes, bytes, int]] = field(default_factory=dict)

    def record(self, place: Place) -> StoredRecord | None:
        if place not in self.rows:
            return None
        key, value, after_ms = self.rows[place]
        return StoredRecord(content=(key, value, None), timestamp_ms=STARTED_MS + after_ms)


class Writers:
    def of(self, place: Place) -> dict[str, Any]:
        return {"producer_id": 7}

    def time_ms(self, place: Place) -> int | None:
        return None


def history(*faults: tuple[str, float, float | None]) -> list[Event]:
    events: list[Event] = [
        RunStarted(
            t=0.0,
            run_id="r",
            scenario="s",
            seed=1,
            started_at="2023-11-14T22:13:20+00:00",
            environment={},
        )
    ]
    for name, begin, healed in faults:
        events.append(
            FaultInjected(
                t=begin,
                fault_id=name,
                kind="kill",
                instance=1,
                down_s=1,
                outlasts_session=False,
                wiped=False,
                evidence={},
            )
        )
        if healed is not None:
            events.append(FaultHealed(t=healed, fault_id=name, kind="kill", instance=1))
    return sorted(events, key=lambda event: event.t)


SPEC = AuditSpec(
    output="out",
    input="in",
    id="json:/id",
    input_id="key",
    final_state=FinalState(topic="t", amount="json:/n", result="json:/n", key="value"),
)


def finding(topic: Topic, anomaly: Anomaly, events: list[Event] | None = None) -> Finding:
    evidence = Evidence(
        SPEC,
        lookup=topic,  # type: ignore[arg-type]
        writers=Writers(),  # type: ignore[arg-type]
        timeline=FaultTimeline(events or []),
    )
    return evidence.finding(Code.DUPLICATE, anomaly, allowed=False)


def anomaly(place: Place, **more: Any) -> Anomaly:
    return Anomaly(place=place, offsets=[place.offset], detail="d", **more)


def test_a_finding_is_named_by_its_record_with_the_expression_of_its_topic() -> None:
    out, source = Place("out", 0, 5), Place("in", 1, 6)
    topic = Topic({out: (b"k", b'{"id": "x"}', 0), source: (b"17", b"v", 0)})
    assert finding(topic, anomaly(out)).identity == "x"
    assert finding(topic, anomaly(source)).identity == 17
    assert finding(topic, anomaly(out, identity="known")).identity == "known"
    assert finding(topic, anomaly(out, key_of=source)).identity == "v"
    assert finding(topic, anomaly(Place("out", 0, 99))).identity is None


@pytest.mark.parametrize(
    ("before", "missing", "named"),
    [
        ('"order-0015"', 16, "order-0016"),
        ('"order-9"', 10, "order-10"),
        ('"order-099"', 100, "order-100"),
        ("4", 5, 5),
    ],
)
def test_a_hole_is_named_after_the_one_before_it(before: str, missing: int, named: object) -> None:
    place = Place("out", 0, 5)
    topic = Topic({place: (b"", b'{"id": %b}' % before.encode(), 0)})
    gap = anomaly(Place("out", 1, 9), sequel=missing, related={"before": [place]})
    assert finding(topic, gap).identity == named
    assert finding(Topic(), gap).identity is None


def test_places_are_shown_with_their_time_and_writer_five_at_most() -> None:
    copies = [Place("out", 0, offset) for offset in range(8)]
    topic = Topic({copies[0]: (b"", b"", 1500)})
    shown = finding(topic, anomaly(copies[0], related={"copies": copies})).evidence["copies"]
    assert len(shown) == 5
    assert shown[0] == {
        "at": "out-0@0",
        "time": "2023-11-14T22:13:21.500+00:00",
        "producer_id": 7,
    }
    assert shown[1]["time"] is None


def test_a_copy_too_many_goes_with_the_fault_before_it_and_a_loss_with_the_one_after() -> None:
    first, second = Place("out", 0, 1), Place("out", 0, 2)
    lost = Place("in", 0, 3)
    topic = Topic({first: (b"", b"", 500), second: (b"", b"", 7000), lost: (b"", b"", 4000)})
    events = history(("f1", 1.0, 2.0), ("f2", 5.0, 6.0), ("f3", 9.0, None))
    copies = anomaly(first, related={"copies": [first, second]})
    fault = finding(topic, copies, events).evidence["fault"]
    assert (fault["fault_id"], fault["under_way"]) == ("f2", False)
    fault = finding(topic, anomaly(lost), events).evidence["fault"]
    assert (fault["fault_id"], fault["under_way"]) == ("f2", False)
    alone = anomaly(first, related={"copies": [first]})
    assert "fault" not in finding(topic, alone, events).evidence
    assert "fault" not in finding(topic, copies).evidence


def test_what_the_observer_saw_is_trusted_before_a_record_s_own_timestamp() -> None:
    place = Place("out", 2, 14)
    seen = OutputsObserved(
        t=9.5, topic="out", partition=2, first_offset=10, last_offset=19, identities=[1]
    )
    timeline = FaultTimeline([*history(("f", 9.0, 10.0)), seen])
    at = timeline.at(place, STARTED_MS)
    assert at == 9.5
    assert timeline.before(at) == {
        "fault_id": "f",
        "kind": "kill",
        "instance": 1,
        "injected_s": 9.0,
        "healed_s": 10.0,
        "under_way": True,
    }
    assert timeline.at(Place("out", 2, 20), STARTED_MS + 250) == 0.25
    assert timeline.at(Place("out", 2, 20), None) is None
    assert timeline.around(10.5) == timeline.before(10.5)
