"""All that a finished run leaves for people and machines, beside each other in its folder."""

from __future__ import annotations

from pathlib import Path

from eoscheck.report.html import write_html, write_page
from eoscheck.report.junit import to_junit
from eoscheck.report.markdown import to_markdown
from eoscheck.run.result import DemoResult

REPORT_FILE = "report.html"
JUNIT_FILE = "junit.xml"
SUMMARY_FILE = "summary.md"


def write_all(result: DemoResult, *, folder: Path) -> Path:
    """The page, JUnit XML and Markdown; the result's JSON and the history's NDJSON are there
    already. Returns the page's path."""
    write_page(to_junit(result), path=folder / JUNIT_FILE)
    write_page(to_markdown(result), path=folder / SUMMARY_FILE)
    return write_html(result, path=folder / REPORT_FILE)
