"""A broker's exam as text for people, and as one JSON object for scripts."""

from __future__ import annotations

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from eoscheck.explore.broker_exam import ExamResult, PromiseResult, Verdict

_STYLE = {
    Verdict.KEPT: "green",
    Verdict.BROKEN: "bold red",
    Verdict.UNKNOWN: "yellow",
    Verdict.NOT_OFFERED: "dim",
}


def as_json(result: ExamResult, *, repeat: str) -> str:
    """docs/certify.md. `repeat` is the command that makes the same exam again."""
    content = {**msgspec.to_builtins(result), "exit_code": result.exit_code, "repeat": repeat}
    return msgspec.json.format(msgspec.json.encode(content), indent=2).decode()


def print_exam(result: ExamResult, *, repeat: str, console: Console) -> None:
    """One line each, with what decided: for a broken promise what was expected, sent and seen."""
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for column in ("", "promise", "evidence"):
        table.add_column(column, overflow="fold")
    for promise in result.promises:
        verdict = Text(promise.verdict.value, style=_STYLE[promise.verdict])
        table.add_row(verdict, Text(promise.title), Text(_evidence(promise)))
    console.print(table)
    counted = [
        f"{number} {verdict.value}"
        for verdict in Verdict
        if (number := sum(each.verdict is verdict for each in result.promises))
    ]
    console.print(Text(f"{result.broker}: {', '.join(counted)}", style="bold"), soft_wrap=True)
    for left in result.left_behind:
        console.print(Text(f"left behind: {left}", style="yellow"), soft_wrap=True)
    console.print(Text(f"repeat: {repeat}", style="dim"), soft_wrap=True)


def _evidence(promise: PromiseResult) -> str:
    separator = "; " if promise.verdict is Verdict.KEPT else "\n"
    return separator.join(promise.evidence)
