"""Which cells can have caused what an audit found: pure functions."""

from __future__ import annotations

from eoscheck.audit.findings import AuditReport
from eoscheck.explore.crashpoints.block import Block
from eoscheck.explore.crashpoints.outcome import Outcome

MOST_SUSPECTS = 6
"""Cells that are tried alone for one red audit."""


def suspects(block: Block) -> list[Outcome]:
    """The likeliest first; none where nothing is red.

    Where the subject stopped it is what was done to it last, or before that while the same instance
    was down. Else they are the cells that struck since the last
    audit that found nothing: those first during which a finding came about, then from the last one
    on backwards. Where every cell was over when an audit found nothing, what the last one found may
    be of any.
    """
    struck = [each for each in block.outcomes if each.firing is not None]
    stalled = [each for each in block.outcomes if each.stalled][::-1]
    if block.red is None:
        return stalled
    _, report = block.red
    fresh = [each for each in block.outcomes[block.clean_to :] if each in struck]
    named = _named(report)
    latest_first = (fresh or struck)[::-1]
    ranked = sorted(
        latest_first,
        key=lambda each: named.index(each.cell.name) if each.cell.name in named else len(named),
    )
    return list(dict.fromkeys([*ranked, *stalled]))[:MOST_SUSPECTS]


def cleared(block: Block) -> list[Outcome]:
    """Those of which is known what they did: all where nothing was found, else those that were over
    when an audit found nothing, and those whose step did not come."""
    if block.red is None:
        return [each for each in block.outcomes if not each.stalled]
    return [
        each
        for number, each in enumerate(block.outcomes)
        if not each.stalled and (number < block.clean_to or each.firing is None)
    ]


def _named(report: AuditReport) -> list[str]:
    """The cells that the evidence names, by how many findings."""
    names = [
        finding.evidence["fault"]["fault_id"]
        for finding in report.findings
        if not finding.allowed and "fault" in finding.evidence
    ]
    return sorted(set(names), key=lambda name: -names.count(name))
