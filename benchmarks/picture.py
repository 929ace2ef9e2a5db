"""A measure as one SVG file: the report's own drawing, laid out to stand by itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from eoscheck.measure.figures import Distribution, Estimate
from eoscheck.measure.measured import Measured
from eoscheck.report import numbers
from eoscheck.report.drawing import RatioChart, StripPlot, Tick
from eoscheck.report.measure_view import measure_view
from eoscheck.report.panel import Line, Panel

_WIDTH, _MARGIN = 860, 24
_NAME, _FIGURES = 250, 190
"""Columns beside a strip: what it is, and its figures."""
_Y_LABELS = 56
_ROWS = (0, -9, 9, -18, 18)
_COLOURS = {
    "main": "blue",
    "warm": "amber",
    "violet": "violet",
    "fault": "red",
    "line": "grey",
    "hollow": "blue",
}
_STYLE = """
svg { --card: #fff; --ink: #15191d; --soft: #5a646e; --line: #e2e5e8; --blue: #1f6fb5;
  --amber: #b06a0b; --violet: #7b5cb8; --red: #c0332c; --grey: #8d97a1;
  font: 13px system-ui, -apple-system, "Segoe UI", Roboto, Arial, sans-serif; }
@media (prefers-color-scheme: dark) { svg { --card: #171b1f; --ink: #e7eaed; --soft: #98a3ae;
  --line: #2b3238; --blue: #6cb0f0; --amber: #e0a145; --violet: #b39ae8; --red: #f2827a;
  --grey: #77828d; } }
text { fill: var(--ink); } .soft { fill: var(--soft); }
.tick { fill: var(--soft); font-size: 12px; }
.title { font-size: 16px; font-weight: 650; } .kind { font-weight: 600; }
.paper { fill: var(--card); } .track { stroke: var(--line); } .one { stroke: var(--soft); }
.rule { stroke: var(--ink); stroke-dasharray: 3 3; } .dot { fill-opacity: .55; }
.interval, .whisker { stroke-width: 3; stroke-opacity: .5; stroke-linecap: round; }
.join { stroke-width: 1.75; } .median { stroke: var(--ink); stroke-width: 2; }
"""


def picture(measured: Measured, *, title: str) -> str:
    """The whole file. It needs a recovery, a cost, a sweep of intervals, or restores."""
    view = measure_view(0, measured)
    canvas = _Canvas(title)
    if view.strips is not None:
        canvas.strips(view.strips)
    if view.ratios is not None:
        canvas.ratios(view.ratios)
    for each in view.panels:
        canvas.panel(each)
    return canvas.drawn()


class _Canvas:
    """From the top down."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._parts: list[str] = []
        self._y = 30.0
        self._text(_MARGIN, title, "title")
        self._y += 16

    def drawn(self) -> str:
        height = round(self._y + 10)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
            f'viewBox="0 0 {_WIDTH} {height}" role="img">'
            f"<title>{escape(self._title)}</title><style>{_STYLE}</style>"
            f'<rect class="paper" width="{_WIDTH}" height="{height}" rx="8"/>'
            + "\n".join(self._parts)
            + "</svg>\n"
        )

    def strips(self, plot: StripPlot) -> None:
        group = ""
        for strip in plot.strips:
            if strip.group != group:
                group = strip.group
                self._y += 22
                self._text(_MARGIN, group, "kind")
                self._y += 4
            marks = [
                f'<circle class="dot" cx="{_at(dot.x)}" cy="{22 + _ROWS[dot.row]}" r="5" '
                f'style="fill: var(--{"violet" if dot.point.look else "blue"})"/>'
                for dot in strip.dots
            ]
            marks += [
                f'<line class="median" x1="{_at(x)}" x2="{_at(x)}" y1="2" y2="42"/>'
                for x, _name in strip.quantiles
            ]
            self._strip(strip.label, marks, _spread(strip.figure), plot.ticks, height=44)
        self._axis(plot.ticks, " s")

    def ratios(self, chart: RatioChart) -> None:
        for mark in chart.marks:
            marks = [f'<line class="one" x1="{_at(chart.one)}" x2="{_at(chart.one)}" y2="28"/>']
            if mark.low is not None and mark.high is not None:
                marks.append(
                    f'<line class="interval" style="stroke: var(--blue)" x1="{_at(mark.low)}" '
                    f'x2="{_at(mark.high)}" y1="14" y2="14"/>'
                )
            marks.append(f'<circle cx="{_at(mark.x)}" cy="14" r="6" style="fill: var(--blue)"/>')
            self._strip(mark.label, marks, _times(mark.estimate), chart.ticks, height=28)
        self._axis(chart.ticks, " ×")

    def panel(self, chart: Panel) -> None:
        self._y += 24
        self._text(_MARGIN, chart.title, "soft")
        if len(chart.lines) > 1:
            self._y += 20
            keys = "".join(
                f'<tspan style="fill: var(--{_COLOURS[line.look]})">'
                f"{'○' if line.look == 'hollow' else '●'} </tspan>"
                f'<tspan>{escape(line.label)}</tspan><tspan dx="14"></tspan>'
                for line in chart.lines
            )
            self._parts.append(f'<text class="soft" x="{_MARGIN}" y="{self._y:.0f}">{keys}</text>')
        self._y += 8
        labels = [
            f'<text class="tick" x="100%" y="{tick.y + 4}" text-anchor="end">'
            f"{escape(tick.label)}</text>"
            for tick in chart.y_ticks
        ]
        self._nested(_MARGIN, _Y_LABELS, chart.height, labels)
        left = _MARGIN + _Y_LABELS + 10
        self._nested(left, _WIDTH - _MARGIN - left, chart.height + 22, _plane(chart))
        self._y += chart.height + 26

    def _strip(
        self, label: str, marks: Iterable[str], figures: str, ticks: Sequence[Tick], *, height: int
    ) -> None:
        tracks = [
            f'<line class="track" x1="{_at(tick.x)}" x2="{_at(tick.x)}" y2="{height}"/>'
            for tick in ticks
        ]
        middle = self._y + height / 2 + 4
        self._parts.append(f'<text x="{_MARGIN}" y="{middle:.0f}">{escape(label)}</text>')
        self._nested(_MARGIN + _NAME, _plot_width(), height, [*tracks, *marks])
        self._parts.append(
            f'<text class="soft" x="{_WIDTH - _MARGIN - _FIGURES + 14}" y="{middle:.0f}">'
            f"{escape(figures)}</text>"
        )
        self._y += height

    def _axis(self, ticks: Sequence[Tick], unit: str) -> None:
        labels = [
            f'<text class="tick" x="{_at(tick.x)}" y="14" text-anchor="middle">'
            f"{tick.value:g}{unit}</text>"
            for tick in ticks
        ]
        self._nested(_MARGIN + _NAME, _plot_width(), 20, labels)
        self._y += 24

    def _nested(self, x: float, width: float, height: float, marks: Iterable[str]) -> None:
        """Places inside are shares of its own width."""
        self._parts.append(
            f'<svg x="{x:.0f}" y="{self._y:.0f}" width="{width:.0f}" height="{height:.0f}" '
            f'style="overflow: visible">{"".join(marks)}</svg>'
        )

    def _text(self, x: float, text: str, look: str) -> None:
        self._parts.append(
            f'<text class="{look}" x="{x:.0f}" y="{self._y:.0f}">{escape(text)}</text>'
        )


def _plane(chart: Panel) -> list[str]:
    marks = [
        f'<line class="track" x1="0" x2="100%" y1="{tick.y}" y2="{tick.y}"/>'
        for tick in chart.y_ticks
    ]
    marks += [
        f'<text class="tick" x="{_at(tick.x)}" y="{chart.height + 16}" '
        f'text-anchor="{tick.anchor}">{escape(tick.label)}</text>'
        for tick in chart.x_ticks
    ]
    for rule in chart.rules:
        aside = -6 if rule.anchor == "end" else 6
        marks.append(
            f'<line class="rule" x1="{_at(rule.x)}" x2="{_at(rule.x)}" y2="{chart.height}"/>'
            f'<text class="kind" x="{_at(rule.x)}" dx="{aside}" y="12" '
            f'text-anchor="{rule.anchor}">{escape(rule.label)}</text>'
        )
    for line in chart.lines:
        marks += _series(line)
    return marks


def _series(line: Line) -> list[str]:
    colour = f"var(--{_COLOURS[line.look]})"
    drawn = []
    if line.joined:
        drawn += [
            f'<line class="join" style="stroke: {colour}" x1="{_at(one.x)}" y1="{one.y}" '
            f'x2="{_at(other.x)}" y2="{other.y}"/>'
            for one, other in zip(line.marks, line.marks[1:], strict=False)
        ]
    drawn += [
        f'<line class="whisker" style="stroke: {colour}" x1="{_at(mark.x)}" x2="{_at(mark.x)}" '
        f'y1="{mark.low}" y2="{mark.high}"/>'
        for mark in line.marks
        if mark.low is not None and mark.high is not None
    ]
    if line.dots:
        fill = "var(--card)" if line.look == "hollow" else colour
        drawn += [
            f'<circle style="fill: {fill}; stroke: {colour}" cx="{_at(mark.x)}" cy="{mark.y}" '
            f'r="4"><title>{escape(mark.says)}</title></circle>'
            for mark in line.marks
        ]
    return drawn


def _plot_width() -> float:
    return _WIDTH - 2 * _MARGIN - _NAME - _FIGURES


def _at(share: float) -> str:
    return f"{share * 100:.2f}%"


def _times(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.2f} × (no interval)"
    return f"{estimate.value:.2f} × [{estimate.low:.2f} – {estimate.high:.2f}]"


def _spread(figure: Distribution) -> str:
    longest = numbers.duration(figure.max)
    return f"p50 {numbers.duration(figure.p50.value)}, max of {figure.n} {longest}"
