"""One HTML file that opens offline, on a phone and in print, and can be sent round.

A Content-Security-Policy forbids every load from outside and every script but the ones written
here, by their hashes: what a record contains stays text even if an escape were forgotten.
"""

from __future__ import annotations

import base64
import hashlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined

from eoscheck import __version__
from eoscheck.audit.findings import Verdict
from eoscheck.measure.figures import LatencyFigure
from eoscheck.report import evidence, numbers
from eoscheck.report.charts import ChartLibrary, NoCharts, chart_library
from eoscheck.report.drawing import cost_chart
from eoscheck.report.panel import Panel
from eoscheck.report.quantile_chart import latency_panel
from eoscheck.report.view import remark, run_view
from eoscheck.report.words import headline, lede, overall, place_of, struck_by
from eoscheck.run.result import DemoResult

_PAGE = Path(__file__).with_name("page")


def write_html(
    result: DemoResult, *, path: Path, charts: ChartLibrary | NoCharts | None = None
) -> Path:
    """Writes the report in one atomic step and returns its path; missing folders are made.

    `charts`: by default the library from the cache or the Maven repository; without it the report
    has its numbers in tables, and a line that says how to get the charts.
    """
    return write_page(render(result, charts=charts or chart_library()), path=path)


def write_page(content: str, *, path: Path) -> Path:
    """In one atomic step; missing folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, unfinished = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(content)
        Path(unfinished).chmod(0o644)
        Path(unfinished).replace(path)
    finally:
        Path(unfinished).unlink(missing_ok=True)
    return path


def render(result: DemoResult, *, charts: ChartLibrary | NoCharts) -> str:
    """The page: a pure function of its arguments."""
    styles = [_asset("report.css"), _asset("charts.css")]
    scripts: list[str] = []
    if isinstance(charts, ChartLibrary):
        styles.insert(0, charts.style)
        scripts = [f"/*\n{charts.license}*/\n{charts.script}", _asset("timeline.js")]
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            result=result,
            verdict=overall(result),
            headline=headline(result),
            lede=lede(result),
            seeds=sorted({run.seed for run in result.runs}),
            runs=[run_view(index, run) for index, run in enumerate(result.runs)],
            latency_chart=_latency_chart(result),
            cost=result.cost,
            chart=None if result.cost is None else cost_chart(result.cost),
            environments=_environments(result),
            charts=charts,
            styles=styles,
            scripts=scripts,
            policy=_policy(styles=styles, scripts=scripts),
            data=inert_json(result),
            version=__version__,
        )
    )


def _latency_chart(result: DemoResult) -> Panel | None:
    """Of several runs: a line for each guarantee, of its first run."""
    first: dict[str, LatencyFigure] = {}
    for run in result.runs:
        if run.figures.latency.overall is not None and run.expected.verdict is Verdict.PASS:
            first.setdefault(run.guarantee.value, run.figures.latency.overall)
    return latency_panel("Seconds by quantile", list(first.items())) if len(first) > 1 else None


def render_page(template: str, *, styles: Sequence[str], **values: object) -> str:
    """Another page in the same dress: `styles` are files beside the template. It has no scripts."""
    texts = [_asset(name) for name in styles]
    return (
        _environment()
        .get_template(template)
        .render(
            styles=texts, policy=_policy(styles=texts, scripts=[]), version=__version__, **values
        )
    )


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("eoscheck.report", "page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        count=numbers.count,
        date=numbers.date,
        duration=numbers.duration,
        moment=numbers.moment,
        rate=numbers.rate,
        percent=numbers.percent,
        megabytes=numbers.megabytes,
        whole_percent=lambda share: numbers.count(share * 100) + " %",
        times=lambda ratio: f"{ratio:.2f} ×",
        plural=numbers.plural,
        pc=lambda share: f"{share * 100:.3f}%",
        label=evidence.label,
        lines=evidence.lines,
        inline=evidence.inline,
        place=place_of,
        remark=remark,
        struck=lambda fault: struck_by(fault.kind, instance=fault.instance, target=fault.target),
    )
    return environment


def _asset(name: str) -> str:
    return (_PAGE / name).read_text(encoding="utf-8")


def _policy(*, styles: Sequence[str], scripts: Sequence[str]) -> str:
    """https://www.w3.org/TR/CSP3/: a hash allows exactly one inline element."""

    def hashes(texts: Sequence[str]) -> str:
        digests = (hashlib.sha256(text.encode()).digest() for text in texts)
        listed = (f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
        return " ".join(listed) or "'none'"

    return (
        f"default-src 'none'; style-src {hashes(styles)}; "
        f"script-src {hashes(scripts)}; base-uri 'none'; form-action 'none'"
    )


def inert_json(result: msgspec.Struct | Sequence[msgspec.Struct]) -> str:
    """JSON that no HTML parser can leave: `<`, `>` and `&` only ever stand inside strings."""
    text = msgspec.json.encode(result).decode()
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _environments(result: DemoResult) -> list[tuple[dict[str, str], list[str]]]:
    """Each environment once, with the runs that had it."""
    environments: list[tuple[dict[str, str], list[str]]] = []
    for run in result.runs:
        for environment, names in environments:
            if environment == run.environment:
                names.append(run.title)
                break
        else:
            environments.append((run.environment, [run.title]))
    return environments
