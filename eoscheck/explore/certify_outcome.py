"""What a command of the tool's own exam left behind: red with which codes, by which fault."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from eoscheck.audit.findings import Verdict
from eoscheck.errors import InfrastructureError
from eoscheck.explore.certify_plan import Bug, Means
from eoscheck.explore.crashpoints.cells import Cell
from eoscheck.explore.crashpoints.result import MATRIX_FILE
from eoscheck.run.result import RESULT_FILE


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """`red`: its verdict; `codes` counts the anomalies that were found, `fault` is what brought
    them out."""

    red: bool
    codes: dict[str, int]
    fault: str


def seen(folder: Path, bug: Bug, means: Means) -> Seen:
    """Of the one run or matrix below `folder`. Raises InfrastructureError where there is none."""
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
        red=content["verdict"] == Verdict.FAIL,
        codes=codes,
        fault=kills if means is Means.KILLS else bug.fault,
    )


def _of_matrix(content: Any) -> Seen:
    red = [each for each in content["cells"] if each["colour"] == "red"]
    if not red and content.get("before"):
        return Seen(red=True, codes=content["before"], fault="none: a stop in order and a restart")
    if not red:
        return Seen(red=False, codes={}, fault=f"{len(content['cells'])} cells")
    cells = [msgspec.convert(each["cell"], Cell).name for each in red]
    codes: dict[str, int] = {}
    for each in red:
        for code, count in each["codes"].items():
            codes[code] = codes.get(code, 0) + count
    return Seen(red=True, codes=codes, fault=", ".join(cells))
