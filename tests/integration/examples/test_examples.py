"""Apps that are not ours, and two of them in a row: a few kills each; `make accept` has more."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.examples import AT_LEAST_ONCE, STREAMS, build_streams, needs_maven, run_example

_FEW_KILLS = ("faults.0.count=2", "timing.steady=1s", "timing.faults=6s")


@needs_maven
@pytest.mark.timeout(600)
def test_kafka_streams_unchanged_is_green_and_one_property_makes_it_red(tmp_path: Path) -> None:
    build_streams()
    green = run_example(STREAMS, *_FEW_KILLS, report=tmp_path)
    assert (green["verdict"], green["audit"]["anomalies"]) == ("pass", {}), green["reasons"]
    red = run_example(STREAMS, AT_LEAST_ONCE, *_FEW_KILLS, report=tmp_path)
    assert red["verdict"] == "fail"
    assert red["audit"]["anomalies"]["DUPLICATE"] > 0
    assert "LOST" not in red["audit"]["anomalies"]


@pytest.mark.timeout(300)
def test_a_pipeline_of_two_apps_is_exactly_once_end_to_end(tmp_path: Path) -> None:
    short = (
        'faults=[{kind="kill", role="settle"}, {kind="kill", role="bill"}]',
        "timing.faults=5s",
        "timing.steady=1s",
    )
    result = run_example("pipeline-kills", *short, report=tmp_path)
    assert (result["verdict"], result["audit"]["anomalies"]) == ("pass", {}), result["reasons"]
    assert result["figures"]["counts"]["observed"] > 1000
    struck = {each["target"] for each in result["figures"]["recoveries"]}
    assert {name.partition("(")[2] for name in struck} == {"settle)", "bill)"}
    roles = [lane["role"] for lane in result["figures"]["lanes"] if lane["kind"] == "instance"]
    assert roles == ["settle", "settle", "bill", "bill"]
