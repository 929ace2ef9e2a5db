"""From an anomaly in columns to a finding that people can act on: names, times, the fault."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from eoscheck.audit.checks.outcome import Anomaly
from eoscheck.audit.findings import Code, Finding
from eoscheck.audit.forensics.lookup import Lookup
from eoscheck.audit.forensics.timeline import FaultTimeline
from eoscheck.audit.forensics.writers import Writers
from eoscheck.audit.identity import Identify, parse
from eoscheck.audit.plan import key_of_input
from eoscheck.audit.rows.columns import split_number
from eoscheck.audit.rows.records import Place
from eoscheck.audit.spec import AuditSpec
from eoscheck.history.events import Identity

_PLACES_SHOWN = 5


class Evidence:
    """Makes findings. Reads the records it shows again: what was removed meanwhile has no name."""

    def __init__(
        self, spec: AuditSpec, *, lookup: Lookup, writers: Writers, timeline: FaultTimeline
    ) -> None:
        self._lookup = lookup
        self._writers = writers
        self._timeline = timeline
        self._identify: dict[str, Identify] = {spec.output: parse(spec.id)}
        self._key: Identify | None = None
        if spec.final_state is not None:
            self._identify[spec.final_state.topic] = parse("key")
        # Of a topic beside those, what stands there for a key that is not where it should be.
        self._key_in: dict[str, Identify] = {}
        if spec.golden is not None:
            by = "key" if spec.golden_by == "last" else spec.id
            self._key_in[spec.golden] = self._identify[spec.golden] = parse(by)
        for log in spec.changelogs:
            for topic in (log.name, log.topic):
                if topic is not None:
                    self._key_in[topic] = self._identify[topic] = parse("key")
        if spec.input is not None:
            self._identify[spec.input] = parse(spec.input_id or spec.id)
            key = key_of_input(spec)
            self._key = parse(key) if key else None

    def finding(self, code: Code, anomaly: Anomaly, *, allowed: bool) -> Finding:
        evidence: dict[str, Any] = dict(anomaly.facts)
        for what, places in anomaly.related.items():
            if places:
                evidence[what] = self._shown(places)
        if not any(anomaly.related.values()) and anomaly.place.offset >= 0:
            evidence["at"] = self._shown([anomaly.place])
        fault = self._fault(anomaly)
        if fault is not None:
            evidence["fault"] = fault
        return Finding(
            code=code,
            topic=anomaly.place.topic,
            partition=anomaly.place.partition,
            offsets=anomaly.offsets,
            identity=self._name(anomaly),
            detail=anomaly.detail,
            evidence=evidence,
            allowed=allowed,
        )

    def _name(self, anomaly: Anomaly) -> Identity | None:
        if anomaly.identity is not None:
            return anomaly.identity
        if anomaly.key_of is not None:
            key = self._key_in.get(anomaly.key_of.topic, self._key)
            return self._evaluate(key, anomaly.key_of)
        place = anomaly.place if anomaly.sequel is None else anomaly.related["before"][0]
        name = self._evaluate(self._identify.get(place.topic), place)
        return name if anomaly.sequel is None else _sequel(name, anomaly.sequel)

    def _evaluate(self, identify: Identify | None, place: Place) -> Identity | None:
        record = self._lookup.record(place) if identify is not None else None
        return identify(*record.content) if identify is not None and record is not None else None

    def _shown(self, places: Sequence[Place]) -> list[dict[str, Any]]:
        return [
            {
                "at": str(place),
                "time": _readable(self._timestamp(place)),
                **self._writers.of(place),
            }
            for place in places[:_PLACES_SHOWN]
        ]

    def _timestamp(self, place: Place) -> int | None:
        """Of the record; where that cannot be read (a marker, say), of its batch."""
        record = self._lookup.record(place)
        return self._writers.time_ms(place) if record is None else record.timestamp_ms

    def _fault(self, anomaly: Anomaly) -> dict[str, Any] | None:
        """Of the last copy: it is the one too many. Of a loss: what came over its input."""
        copies = anomaly.related.get("copies", [])
        place = copies[-1] if copies else anomaly.place
        at = self._timeline.at(place, self._timestamp(place) if place.offset >= 0 else None)
        if at is None:
            return None
        return self._timeline.before(at) if copies else self._timeline.around(at)


def _sequel(predecessor: Identity | None, number: int) -> Identity | None:
    """`order-0015` and 16 make `order-0016`, `order-9` and 10 make `order-10`."""
    if not isinstance(predecessor, str):
        return None if predecessor is None else number
    source, digits = split_number(predecessor)
    return source + str(number).zfill(len(digits))


def _readable(timestamp_ms: int | None) -> str | None:
    if timestamp_ms is None or timestamp_ms < 0:
        return None
    moment = datetime.fromtimestamp(timestamp_ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds")
