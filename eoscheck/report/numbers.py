"""Numbers as people read them: one way for the page and the terminal."""

from __future__ import annotations

from datetime import UTC, datetime

from eoscheck.measure.figures import Distribution

NONE = "–"
_MINUS = "\u2212"


def count(number: float | None) -> str:
    """1234567 -> 1,234,567."""
    return NONE if number is None else _signed(f"{number:,.0f}")


def duration(seconds: float | None) -> str:
    """Three digits that matter, in the unit that suits: 240 µs, 4.20 ms, 1.62 s, 3 min 05 s."""
    if seconds is None:
        return NONE
    if seconds == 0:
        return "0 s"
    for limit, factor, unit in ((0.9995e-3, 1e6, "µs"), (0.9995, 1e3, "ms"), (119.5, 1.0, "s")):
        if abs(seconds) < limit:
            return _signed(f"{_three_digits(seconds * factor)} {unit}")
    minutes, rest = divmod(round(abs(seconds)), 60)
    return _signed(f"{'-' if seconds < 0 else ''}{minutes} min {rest:02d} s")


def moment(seconds: float | None) -> str:
    """A time of the run's clock: always in seconds, so that a column can be compared."""
    return NONE if seconds is None else f"{seconds:,.1f} s"


def rate(per_second: float | None) -> str:
    """Records a second: 12,345/s, 8.3/s."""
    if per_second is None:
        return NONE
    return f"{per_second:,.1f}/s" if 0 < per_second < 9.95 else f"{per_second:,.0f}/s"


def percent(share: float | None) -> str:
    """0.123 -> 12.3 %."""
    return NONE if share is None else _signed(f"{share * 100:.1f} %").replace(f"{_MINUS}0.0", "0.0")


def short_duration(seconds: float) -> str:
    """For axes: 100 ms, 3 s, 5 min, without digits that say nothing."""
    for limit, factor, unit in ((0.001, 1e6, "µs"), (1.0, 1e3, "ms"), (60.0, 1.0, "s")):
        if abs(seconds) < limit * 0.99999:
            return f"{seconds * factor:.4g} {unit}" if seconds else "0"
    return f"{seconds / 60:.4g} min" if seconds < 3600 else f"{seconds / 3600:.4g} h"


def compact(value: float) -> str:
    """For axes: 0, 250, 12.5k, 3M."""
    for limit, unit in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return _signed(f"{value / limit:.4g}{unit}")
    return _signed(f"{value:.4g}")


def megabytes(value: float) -> str:
    """12.5 MB, 20 GB: by thousands, as disks are sold."""
    return f"{value / 1000:.4g} GB" if value >= 1000 else f"{value:.4g} MB"


def plural(number: int, one: str, many: str | None = None) -> str:
    """1 fault, 2 faults."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def date(iso: str) -> str:
    """2026-01-02T03:04:05+00:00 -> 2026-01-02 03:04 UTC; anything else as it is."""
    try:
        then = datetime.fromisoformat(iso)
    except ValueError:
        return iso
    return iso if then.tzinfo is None else f"{then.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _three_digits(value: float) -> str:
    magnitude = abs(value)
    digits = 0 if magnitude >= 99.95 else 1 if magnitude >= 9.995 else 2
    return f"{value:,.{digits}f}"


def _signed(text: str) -> str:
    return text.replace("-", _MINUS)


def spread(figure: Distribution | None) -> str:
    """`1.20 s / 3.10 s`: the median, and the most."""
    if figure is None:
        return NONE
    longest = "not ended" if figure.censored else duration(figure.max)
    return f"{duration(figure.p50.value)} / {longest}"
