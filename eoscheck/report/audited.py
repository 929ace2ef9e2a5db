"""An audit by itself, without a run around it, as a page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from eoscheck.audit.findings import AuditReport, Guarantee, Verdict
from eoscheck.report.html import inert_json, render_page, write_page
from eoscheck.report.view import FindingGroup, finding_groups
from eoscheck.report.words import found


@dataclass(frozen=True, kw_only=True)
class _Audited:
    audit: AuditReport
    guarantee: Guarantee


@dataclass(frozen=True, kw_only=True)
class _View:
    groups: list[FindingGroup]


def audit_headline(audit: AuditReport) -> str:
    guarantee = audit.expect.value
    if audit.verdict is Verdict.UNKNOWN:
        return f"Unknown whether {guarantee} holds in {audit.output}"
    if audit.verdict is Verdict.PASS:
        return f"{guarantee.capitalize()} held in {audit.output}"
    return f"{guarantee.capitalize()} did not hold in {audit.output}: {found(audit.anomalies)}"


def write_audited(audit: AuditReport, *, title: str, repeat: str, path: Path) -> Path:
    """In one atomic step; opens offline, with its data inside as JSON."""
    return write_page(render_audited(audit, title=title, repeat=repeat), path=path)


def render_audited(audit: AuditReport, *, title: str, repeat: str) -> str:
    """The page: a pure function of its arguments. `repeat` is the command that does it again."""
    return render_page(
        "audited.html.j2",
        styles=["report.css"],
        title=title,
        repeat=repeat,
        headline=audit_headline(audit),
        verdict=audit.verdict.value,
        run=_Audited(audit=audit, guarantee=audit.expect),
        view=_View(groups=finding_groups(audit)),
        data=inert_json(audit),
    )
