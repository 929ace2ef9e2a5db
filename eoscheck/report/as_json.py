"""The result as one JSON object, for scripts: docs/result-json.md."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec

from eoscheck.report.words import overall
from eoscheck.run.result import DemoResult, RunResult


def to_json(result: DemoResult) -> str:
    """One object, indented, without a newline at its end.

    `verdict`, `counts`, `hazards` and `findings` stand at the top: over all runs, each hazard and
    finding with its `run_id`; and again in each of `runs`.
    """
    runs = [_run(run) for run in result.runs]
    counts: Counter[str] = Counter()
    for run in runs:
        counts.update(run["counts"])
    content = {
        "verdict": overall(result).value,
        "counts": dict(counts),
        "hazards": [{"run_id": r["run_id"], **hazard} for r in runs for hazard in r["hazards"]],
        "findings": [{"run_id": r["run_id"], **found} for r in runs for found in r["findings"]],
        "title": result.title,
        "repeat": result.repeat,
        "generated_at": result.generated_at,
        "cost": msgspec.to_builtins(result.cost),
        "runs": runs,
    }
    return msgspec.json.format(msgspec.json.encode(content), indent=2).decode()


def _run(run: RunResult) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(run)
    audit = fields.pop("audit")
    return {
        "verdict": fields.pop("verdict"),
        "counts": audit.pop("counts"),
        "hazards": audit.pop("hazards"),
        "findings": audit.pop("findings"),
        **fields,
        "audit": audit,
    }
