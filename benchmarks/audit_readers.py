"""Readers of a topic, each to be run in a process of its own; prints one line of JSON.

`floor` reads batch headers only; `audit` is the auditor by whichever reader it chooses, `client`
the auditor by librdkafka; `loop` is the least a confluent-kafka user can write that finds the same,
`kafka-python` the same on that client. Python's clock starts behind the imports and, where there is
`--warm TOPIC`, behind two readings of that small topic, which load compiled code.
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

_IDLE_S = 30.0


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("reader", choices=sorted(_READERS))
    for name in ("bootstrap-server", "topic"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--warm", metavar="TOPIC")
    parser.add_argument("--memory", type=int, default=512)
    parser.add_argument("--max-findings", type=int, default=100)
    parser.add_argument("--expect", default="exactly-once")
    args = parser.parse_args()
    read = _READERS[args.reader](args)
    if args.warm:
        read(args.warm)
        read(args.warm)  # a small topic loads compiled code behind its first bytes only
    began, cpu = time.perf_counter(), time.process_time()
    answer = read(args.topic)
    taken = {"wall_s": time.perf_counter() - began, "cpu_s": time.process_time() - cpu}
    json.dump({**taken, "rss_mb": _peak_rss_mb(), **answer}, sys.stdout)


_Read = Callable[[str], dict[str, Any]]


def _floor(args: argparse.Namespace) -> _Read:
    from eoscheck.cluster.raw_log import RawLog
    from eoscheck.cluster.view import ClusterView
    from eoscheck.logformat import read_batches

    config = {"bootstrap.servers": args.bootstrap_server}

    def read(topic: str) -> dict[str, Any]:
        records = 0
        with ClusterView(config) as view:
            spans = {n: (0, end) for n, end in view.high_watermarks(topic).items()}
        with RawLog(config) as log, log.read(topic, spans, committed=True) as parts:
            for part in parts:
                batches = read_batches(part.records, check_crc=False, compiled=True)
                records += int(batches.records[batches.control < 0].sum())
        return {"records": records}

    return read


def _audit(args: argparse.Namespace) -> _Read:
    from eoscheck.audit.engine import run_audit
    from eoscheck.audit.findings import Guarantee
    from eoscheck.audit.spec import AuditSpec

    config = {"bootstrap.servers": args.bootstrap_server}

    def read(topic: str) -> dict[str, Any]:
        spec = AuditSpec(
            output=topic,
            reader="client" if args.reader == "client" else "fast",
            memory_mb=args.memory,
            max_findings=args.max_findings,
            expect=Guarantee(args.expect),
        )
        report = run_audit(spec, client_config=config)
        gaps = [f for f in report.findings if f.code == "GAP"]
        return {
            "max_findings": args.max_findings,
            "records": report.counts["output_records"],
            "duplicates": report.anomalies.get("DUPLICATE", 0),  # type: ignore[call-overload]
            "gaps": report.counts.get("missing_numbers", 0),
            "others": sorted(set(report.anomalies) - {"DUPLICATE", "GAP"}),
            "unknowns": [f"{each.subject}: {each.reason}" for each in report.unknowns],
            "duplicates_named": [f.identity for f in report.findings if f.code == "DUPLICATE"],
            "gaps_named": [
                number
                for finding in gaps
                for number in range(
                    finding.evidence["first_missing"], finding.evidence["last_missing"] + 1
                )
            ],
        }

    return read


def _loop(args: argparse.Namespace) -> _Read:
    from confluent_kafka import Consumer, TopicPartition

    def read(topic: str) -> dict[str, Any]:
        consumer = Consumer(
            {
                "bootstrap.servers": args.bootstrap_server,
                "group.id": "bench-nobody",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
            }
        )
        found = list(consumer.list_topics(topic, timeout=_IDLE_S).topics[topic].partitions)
        consumer.assign([TopicPartition(topic, number, 0) for number in found])
        gc.collect()
        gc.disable()
        seen: set[int] = set()
        twice: list[int] = []
        records, open_ends, deadline = 0, len(found), time.monotonic() + _IDLE_S
        while open_ends:
            messages = consumer.consume(10_000, 0.5)
            if not messages and time.monotonic() > deadline:
                raise SystemExit(f"nothing came in {_IDLE_S:g} s")
            for message in messages:
                error = message.error()
                if error is not None:
                    open_ends -= 1
                    continue
                number = int(message.key())
                if number in seen:
                    twice.append(number)
                else:
                    seen.add(number)
                records += 1
            if messages:
                deadline = time.monotonic() + _IDLE_S
        consumer.close()
        gc.enable()
        return _of_numbers(records, seen, twice)

    return read


def _kafka_python(args: argparse.Namespace) -> _Read:
    from kafka import KafkaConsumer, TopicPartition

    def read(topic: str) -> dict[str, Any]:
        consumer = KafkaConsumer(
            bootstrap_servers=args.bootstrap_server,
            isolation_level="read_committed",
            enable_auto_commit=False,
            group_id=None,
            max_poll_records=10_000,
        )
        places = [TopicPartition(topic, n) for n in consumer.partitions_for_topic(topic) or ()]
        consumer.assign(places)
        ends = consumer.end_offsets(places)
        for place in places:
            consumer.seek(place, 0)
        gc.collect()
        gc.disable()
        seen: set[int] = set()
        twice: list[int] = []
        records, deadline = 0, time.monotonic() + _IDLE_S
        while any(consumer.position(place) < ends[place] for place in places):
            answer = consumer.poll(timeout_ms=500)
            if answer:
                deadline = time.monotonic() + _IDLE_S
            elif time.monotonic() > deadline:
                raise SystemExit(f"nothing came in {_IDLE_S:g} s")
            for batch in answer.values():
                for record in batch:
                    number = int(record.key)
                    if number in seen:
                        twice.append(number)
                    else:
                        seen.add(number)
                    records += 1
        consumer.close()
        gc.enable()
        return _of_numbers(records, seen, twice)

    return read


def _of_numbers(records: int, seen: set[int], twice: Iterable[int]) -> dict[str, Any]:
    missing = [number for number in range(min(seen), max(seen)) if number not in seen]
    named = sorted(twice)
    return {
        "records": records,
        "duplicates": len(named),
        "gaps": len(missing),
        "duplicates_named": named,
        "gaps_named": missing,
    }


def _peak_rss_mb() -> float:
    """Of this process alone: what `getrusage` says may be its parent's."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
    (peak,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return int(peak) / 1024


_READERS: dict[str, Callable[[argparse.Namespace], _Read]] = {
    "floor": _floor,
    "audit": _audit,
    "client": _audit,
    "loop": _loop,
    "kafka-python": _kafka_python,
}

if __name__ == "__main__":
    main()
