"""scan -> checks -> findings: what a pipeline's topics say about its guarantee."""

from eoscheck.audit.engine import run_audit
from eoscheck.audit.findings import AuditReport, Code, Finding, Guarantee, Unknown, Verdict
from eoscheck.audit.spec import AuditSpec, Changelog, FinalState, RunningSum

__all__ = [
    "AuditReport",
    "AuditSpec",
    "Changelog",
    "Code",
    "FinalState",
    "Finding",
    "Guarantee",
    "RunningSum",
    "Unknown",
    "Verdict",
    "run_audit",
]
