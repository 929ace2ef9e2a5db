"""Who reads the topic, as command lines, and one reading of it in a process of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.audit_dense import uuids_of
from benchmarks.audit_topics import Filled
from benchmarks.subjects import ROOT
from eoscheck.errors import InfrastructureError

JAVA_LIBRARY = ROOT / "benchmarks/peers/java-consumer/target/lib"
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024
_FAILED = 1
"""The exit code of an audit that finds what was planted."""


class Contender(StrEnum):
    """`COMMAND` is `eoscheck audit` whole, with its start; `AUDIT` the same once warm, `EVIDENCE`
    that with as many findings as it shows by default."""

    FLOOR = "floor"
    AUDIT = "audit"
    EVIDENCE = "audit, 100 findings shown"
    COMMAND = "eoscheck audit"
    CLIENT = "audit --reader client"
    JAVA = "ConsumerPerformance"
    LOOP = "confluent-kafka loop"
    KAFKA_PYTHON = "kafka-python loop"


_FINDINGS = 10
_SHOWN = 100


@dataclass(frozen=True, kw_only=True)
class Work:
    """One topic to read. `memory_mb` is for the audit, `warm` a small topic that is read before.
    With `uuids` no sequence is looked for: only duplicates are planted."""

    filled: Filled
    memory_mb: int = 512
    warm: str | None = None
    uuids: bool = False

    @property
    def duplicates(self) -> list[Any]:
        numbers = self.filled.duplicates
        if not self.uuids or not numbers:
            return numbers
        return [bytes(row).decode() for row in uuids_of(np.array(numbers))]


@dataclass(frozen=True, kw_only=True)
class Taken:
    """One reading. `wall_s` and `cpu_s` (user and system) of reading alone, once warm; the `whole`
    ones of the process from its start to its end. `rss_mb` (MiB): its highest."""

    contender: Contender
    wall_s: float
    cpu_s: float
    whole_wall_s: float
    whole_cpu_s: float
    rss_mb: float
    answer: dict[str, Any] = field(default_factory=dict)


def java_is_there() -> bool:
    return JAVA_LIBRARY.exists() and shutil.which("java") is not None


def take(contender: Contender, work: Work, *, server: str) -> Taken:
    """Runs it. Raises InfrastructureError where it fails, or answers wrongly."""
    line = _command(contender, work, server=server)
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        began = time.perf_counter()
        process = subprocess.Popen(line, stdout=output, stderr=errors, cwd=ROOT)
        try:
            _pid, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
        wall_s = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        text, said = _read(output), _read(errors)
    good = (0, _FAILED) if contender is Contender.COMMAND else (0,)
    if process.returncode not in good:
        last = said.strip().splitlines()[-1:] or ["nothing"]
        raise InfrastructureError(f"{contender} ended with {process.returncode}: {last[0]}")
    answer = _answer(contender, text)
    check(contender, work, answer)
    whole_cpu_s = usage.ru_utime + usage.ru_stime
    return Taken(
        contender=contender,
        wall_s=answer.pop("wall_s", wall_s),
        cpu_s=answer.pop("cpu_s", whole_cpu_s),
        whole_wall_s=wall_s,
        whole_cpu_s=whole_cpu_s,
        rss_mb=answer.pop("rss_mb", usage.ru_maxrss * _RSS_UNIT / 2**20),
        answer={key: value for key, value in answer.items() if not key.endswith("_named")},
    )


def check(contender: Contender, work: Work, answer: dict[str, Any]) -> None:
    """Raises InfrastructureError unless exactly what was planted was found.

    Everyone must have counted all committed records, but for the floor, which knows of no aborts.
    """
    filled = work.filled
    written = filled.committed + (filled.aborted if contender is Contender.FLOOR else 0)
    if answer["records"] != written:
        raise InfrastructureError(f"{contender} read {answer['records']} records of {written}")
    if contender in (Contender.FLOOR, Contender.JAVA):
        return
    planted: dict[str, list[Any]] = {"duplicates": work.duplicates, "gaps": filled.gaps}
    for what, numbers in planted.items():
        named = answer[f"{what}_named"]
        if answer[what] != len(numbers) or not set(named) <= set(numbers):
            raise InfrastructureError(
                f"{contender} found {answer[what]} {what} where {len(numbers)} were planted "
                f"({len(set(named) - set(numbers))} of those it names were not)"
            )
        if answer.get("all_named", True) and sorted(named) != sorted(numbers):
            raise InfrastructureError(f"{contender} does not name the {what} that were planted")
    if answer.get("others") or answer.get("unknowns"):
        alarms = answer["others"] or answer["unknowns"]
        raise InfrastructureError(f"{contender} raises a false alarm: {alarms}")


def _command(contender: Contender, work: Work, *, server: str) -> list[str]:
    at = ["--bootstrap-server", server, "--topic", work.filled.topic]
    if contender is Contender.COMMAND:
        command = Path(sys.executable).with_name("eoscheck")
        memory = ["--memory", f"{work.memory_mb}MB", "--format", "json"]
        return [str(command), "audit", *at, *memory]
    if contender is Contender.JAVA:
        return [
            *("java", "-Xlog:disable", "-cp", f"{JAVA_LIBRARY}/*"),
            *("org.apache.kafka.tools.ConsumerPerformance", *at),
            *("--num-records", str(work.filled.committed), "--timeout", "60000"),
            *("--command-property", "isolation.level=read_committed"),
        ]
    reader = {Contender.CLIENT: "client", Contender.LOOP: "loop", Contender.FLOOR: "floor"}
    reader |= {Contender.KAFKA_PYTHON: "kafka-python"}
    line = [sys.executable, "-m", "benchmarks.audit_readers", reader.get(contender, "audit"), *at]
    if work.warm is not None:
        line += ["--warm", work.warm]
    if work.uuids:
        line += ["--expect", "at-most-once"]
    shown = _SHOWN if contender is Contender.EVIDENCE else _FINDINGS
    return [*line, "--memory", str(work.memory_mb), "--max-findings", str(shown)]


def _answer(contender: Contender, text: str) -> dict[str, Any]:
    match contender:
        case Contender.JAVA:
            return _of_java(text)
        case Contender.COMMAND:
            return _of_command(json.loads(text))
    answer: dict[str, Any] = json.loads(text)
    if contender in (Contender.AUDIT, Contender.EVIDENCE, Contender.CLIENT):
        answer["all_named"] = answer["max_findings"] >= max(answer["duplicates"], answer["gaps"])
    return answer


def _of_command(report: dict[str, Any]) -> dict[str, Any]:
    return {
        "records": report["counts"]["output_records"],
        "duplicates": report["anomalies"].get("DUPLICATE", 0),
        "gaps": report["counts"].get("missing_numbers", 0),
        "others": sorted(set(report["anomalies"]) - {"DUPLICATE", "GAP"}),
        "unknowns": report["unknowns"],
        "duplicates_named": [
            each["identity"] for each in report["findings"] if each["code"] == "DUPLICATE"
        ],
        "gaps_named": [],
        "all_named": False,
    }


def _of_java(text: str) -> dict[str, Any]:
    """Its table: names in one line, values in the next. Fetching is without the group's start."""
    lines = [line for line in text.splitlines() if "," in line]
    if len(lines) < 2 or "fetch.time.ms" not in lines[-2]:
        raise InfrastructureError(f"ConsumerPerformance said {text[-200:]!r}")
    names, values = (re.split(r",\s*", line.strip()) for line in lines[-2:])
    row = dict(zip(names, values, strict=True))
    return {
        "records": int(row["data.consumed.in.nMsg"]),
        "wall_s": int(row["fetch.time.ms"]) / 1000,
    }


def _read(handle: Any) -> str:
    handle.seek(0)
    return str(handle.read().decode(errors="replace"))
