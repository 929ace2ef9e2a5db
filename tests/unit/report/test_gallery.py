"""The committed gallery is what the README says: real, whole, small, and of these verdicts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.report.pages import read

GALLERY = Path(__file__).parents[3] / "reports" / "gallery"


@pytest.mark.parametrize("name", ["green", "red-torn-transaction", "measures"])
def test_a_report_of_the_gallery_is_whole_and_at_most_two_megabytes(name: str) -> None:
    path = GALLERY / f"{name}.html"
    assert path.stat().st_size <= 2_000_000
    page = read(path.read_text(encoding="utf-8"))
    assert page.faults == []
    assert all("src" not in element.attributes for element in page.elements)
    [data] = [e for e in page.all("script") if e.attributes.get("id") == "eoscheck-data"]
    known = json.loads(data.text)
    if name == "measures":
        assert {each["what"] for each in known} == {
            "recovery",
            "cost",
            "commit-interval",
            "restore",
        }
        return
    [run] = known["runs"]
    assert run["verdict"] == ("pass" if name == "green" else "fail")
    assert run["figures"]["recoveries"]
    kinds = {lane["kind"] for lane in run["figures"]["lanes"]}
    assert kinds == {"instance", "broker"}
    assert ("TORN_TRANSACTION" in run["audit"]["anomalies"]) == (name != "green")
