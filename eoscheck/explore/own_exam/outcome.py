"""What a command of the tool's own exam left behind: red with which codes, by which fault."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from eoscheck.audit.findings import Verdict
from eoscheck.errors import InfrastructureError
from eoscheck.explore.crashpoints.cells import Cell
from eoscheck.explore.crashpoints.result import MATRIX_FILE
from eoscheck.explore.own_exam.plan import NO_FAULT, Means
from eoscheck.run.result import RESULT_FILE


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """`codes` counts the anomalies that were found, `fault` is what brought them out: the cells
    that it takes, of a matrix. `reasons` are those of the verdict."""

    verdict: Verdict
    reasons: list[str]
    codes: dict[str, int]
    fault: str


def seen(folder: Path, means: Means, *, fault: str) -> Seen:
    """Of the one run or matrix below `folder`; `fault` is that of a scenario, in words. Raises
    InfrastructureError where there is none."""
    name = MATRIX_FILE if means is Means.CRASHPOINTS else RESULT_FILE
    found = sorted(folder.glob(f"*/{name}"))
    if not found:
        raise InfrastructureError("the command left no result")
    content = msgspec.json.decode(found[-1].read_bytes())
    if means is Means.CRASHPOINTS:
        return _of_matrix(content)
    codes = {code: count for code, count in content["audit"]["anomalies"].items() if count}
    kills = f"{content['tally']['injected']} random kills"
    return Seen(
        verdict=Verdict(content["verdict"]),
        reasons=content["reasons"],
        codes=codes,
        fault=kills if means is Means.KILLS else fault,
    )


def _of_matrix(content: Any) -> Seen:
    red = [each for each in content["cells"] if each["colour"] == "red"]
    cells: list[str] = []
    codes: dict[str, int] = {}
    for each in red:
        cells += each.get("culprits") or [msgspec.convert(each["cell"], Cell).name]
        for code, count in each["codes"].items():
            codes[code] = codes.get(code, 0) + count
    fault = ", ".join(dict.fromkeys(cells)) or f"{len(content['cells'])} cells"
    if not red and content.get("before"):
        codes, fault = content["before"], NO_FAULT
    return Seen(
        verdict=Verdict(content["verdict"]),
        reasons=content["reasons"],
        codes=codes,
        fault=fault,
    )
