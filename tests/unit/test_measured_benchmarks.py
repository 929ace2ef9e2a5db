"""Folders of measures as a part of docs/benchmarks.md: pictures that can be shown, rules judged."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from benchmarks.document import with_measured
from benchmarks.measured import write
from benchmarks.measured_sections import COST_RULE, Named, against, sections
from benchmarks.picture import picture
from eoscheck.measure.figures import Estimate
from tests.unit.report.measured_samples import commit_interval, cost, recovery, restore

SAMPLES = {
    "cost": cost,
    "commit-interval": commit_interval,
    "recovery": recovery,
    "restore": restore,
}
HOSTILE = "<script>alert(1)</script> & more"


@pytest.mark.parametrize("what", SAMPLES)
def test_a_picture_is_one_well_formed_file_whose_words_stay_words(what: str) -> None:
    drawn = picture(SAMPLES[what](), title=HOSTILE)
    root = Xml.fromstring(drawn)
    assert root.tag.endswith("svg")
    assert "<script" not in drawn
    assert HOSTILE in "".join(root.itertext())
    marks = [each.tag.rpartition("}")[2] for each in root.iter()]
    assert marks.count("circle") >= 3
    assert "http" not in drawn.replace("http://www.w3.org/2000/svg", "")


def test_the_document_keeps_its_own_part_and_gets_a_new_one_of_measures(tmp_path: Path) -> None:
    document, part = tmp_path / "benchmarks.md", tmp_path / "measured.md"
    document.write_text("# Benchmarks\n\nits own\n", encoding="utf-8")
    named = [
        Named(name=what, measured=sample(), picture=f"{what}.svg")
        for what, sample in SAMPLES.items()
    ]
    write(named, images=tmp_path / "images", part=part, document=document)
    first = document.read_text(encoding="utf-8")
    write(named, images=tmp_path / "images", part=part, document=document)
    assert document.read_text(encoding="utf-8") == first
    assert first.startswith("# Benchmarks\n\nits own\n\n## Measured with eoscheck measure\n")
    assert first.count("## Measured with") == 1
    assert first.count("\n### ") == 4
    for each in named:
        assert f"](images/{each.picture})" in first
        assert (tmp_path / "images" / each.picture).is_file()
        assert each.measured.repeat in first
    # `make bench` writes the rest anew.
    again = with_measured("# Benchmarks\n\nanew\n", part)
    assert again == first.replace("its own", "anew")
    assert with_measured("# Benchmarks\n", tmp_path / "none.md") == "# Benchmarks\n"


def test_restores_stand_beside_those_of_a_standby() -> None:
    """Of the same size, whatever the order in which they were measured."""
    lines = sections([Named(name="profiles", measured=restore(), picture="r.svg")])
    head = lines.index("| profiles | from nothing: p50, most | with a standby: p50, most |")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[head + 2 : head + 7]]
    assert [row[0] for row in rows] == ["8 MB", "16 MB", "32 MB", "64 MB", "128 MB"]
    assert rows[0][1:] == ["388 ms, 388 ms", "104 ms, 104 ms"]


@pytest.mark.parametrize(
    ("value", "low", "high", "said"),
    [
        (0.02, 0.01, 0.04, "less"),
        (0.3, 0.2, 0.4, "more"),
        (0.1, 0.06, 0.14, "as the rule says"),
        (0.1, 0.0, 0.2, "not known: the interval holds all of it"),
        (0.1, 0.0, 0.12, "as the rule says, within the noise"),
        (0.04, 0.0, 0.08, "outside of it, within the noise"),
        (0.1, None, None, "one figure, no interval"),
    ],
)
def test_a_rule_of_thumb_is_judged_by_the_interval(
    value: float, low: float | None, high: float | None, said: str
) -> None:
    assert against(Estimate(value=value, low=low, high=high), COST_RULE) == said
