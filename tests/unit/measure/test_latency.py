from __future__ import annotations

import sys

import numpy as np
import pytest

from eoscheck.errors import InfrastructureError
from eoscheck.history import Event, PhaseStarted
from eoscheck.measure import from_history, require_extra
from eoscheck.measure.figures import Latency
from tests.unit.measure.histories import fault, seen, sent


def measure(*events: Event) -> Latency:
    return from_history(events).latency


def test_a_stall_is_paid_for_by_everything_it_held_up() -> None:
    """Ten records a second; the reader gets nothing from 1.0 to 2.0 s. Timed from the real send,
    a blocked sender would show one slow record; from the intended one, each of them waited."""
    intended = [i / 10 for i in range(20)]
    early = [(i, 0, t) for i, t in enumerate(intended) if t < 1.0]
    late = [(i, 0, t) for i, t in enumerate(intended) if t >= 1.0]
    figure = measure(
        sent(3.0, *early, *late),
        *(seen(t + 0.01, i) for i, _, t in early),
        seen(2.0, *(i for i, _, _ in late)),
    ).overall
    assert figure is not None
    assert figure.n == 20
    assert figure.max == pytest.approx(1.0)
    waits = sorted([0.01] * 10 + [2.0 - t for _, _, t in late])
    assert figure.p50 == pytest.approx(waits[9], rel=1e-3)
    assert figure.p90 == pytest.approx(waits[17], rel=1e-3)
    assert figure.p99 == figure.max


def test_quantiles_are_within_the_histograms_three_digits() -> None:
    rng = np.random.default_rng(7)
    waits = rng.lognormal(-2, 1, size=5000)
    records = [(i, 0, float(i)) for i in range(len(waits))]
    figure = measure(
        sent(0.0, *records), *(seen(i + float(wait), i) for i, wait in enumerate(waits))
    ).overall
    assert figure is not None
    for q, value in [(0.5, figure.p50), (0.9, figure.p90), (0.99, figure.p99)]:
        expected = float(np.quantile(waits, q, method="inverted_cdf"))
        assert value == pytest.approx(expected, rel=1.1e-3)
    assert figure.max == pytest.approx(float(waits.max()))


def test_steady_state_ends_where_the_first_fault_could_touch_a_record() -> None:
    figure = measure(
        PhaseStarted(t=1.0, phase="steady"),
        sent(9.0, ("warming", 0, 0.5), ("calm", 0, 1.5), ("caught", 0, 4.9), ("later", 0, 6.0)),
        seen(1.0, "warming"),
        seen(1.75, "calm"),
        fault(5.0),
        seen(8.0, "caught", "later"),
    )
    assert figure.overall is not None
    assert figure.steady is not None
    assert figure.faults is not None
    assert (figure.overall.n, figure.steady.n, figure.faults.n) == (4, 1, 2)
    assert figure.steady.max == pytest.approx(0.25)
    assert figure.faults.max == pytest.approx(3.1)


def test_without_a_fault_everything_is_steady() -> None:
    figure = measure(sent(1.0, ("a", 0, 1.0)), seen(1.5, "a"))
    assert figure.steady == figure.overall
    assert figure.faults is None


def test_only_the_first_copy_counts() -> None:
    figure = measure(sent(1.0, ("a", 0, 1.0)), seen(1.5, "a"), seen(9.0, "a")).overall
    assert figure is not None
    assert (figure.n, figure.max) == (1, pytest.approx(0.5))


def test_a_record_sent_a_moment_early_has_no_negative_latency() -> None:
    figure = measure(sent(1.0, ("a", 0, 1.0)), seen(0.999, "a")).overall
    assert figure is not None
    assert (figure.p50, figure.max) == (0.0, 0.0)


def test_no_output_gives_no_figure() -> None:
    assert measure(sent(1.0, ("a", 0, 1.0))) == Latency(overall=None, steady=None, faults=None)


@pytest.mark.parametrize("module", ["hdrh.histogram", "scipy.stats"])
def test_a_missing_extra_is_one_line_that_names_the_fix(
    monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InfrastructureError, match=r"pip install 'eoscheck\[measure\]'"):
        require_extra()
