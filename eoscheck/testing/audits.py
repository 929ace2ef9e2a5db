"""`eos_audit`: topics that a test has filled by itself, judged as they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from eoscheck.audit import run_audit
from eoscheck.audit.findings import AuditReport, Verdict
from eoscheck.audit.spec import AuditSpec
from eoscheck.cluster.provider import Cluster
from eoscheck.errors import EoscheckError, UsageError, did_you_mean
from eoscheck.report.audited import write_audited
from eoscheck.testing.failure import audit_failure


class Auditor:
    """Raises EosFailure where the guarantee does not hold, or nobody can tell.

    `title` and `again` say which test it is and what repeats it, `page` where the page about its
    last audit is going to be, if the test fails.
    """

    def __init__(
        self,
        cluster: Cluster,
        *,
        title: str,
        again: str,
        page: Path,
        audit: Callable[..., AuditReport] = run_audit,
    ) -> None:
        self.last: AuditReport | None = None
        self._cluster = cluster
        self._title = title
        self._again = again
        self._page = page
        self._audit = audit

    def __call__(self, *, check: bool = True, **spec: Any) -> AuditReport:
        """`spec` is that of a scenario's `[audit]`: `output`, `input`, `id`, `group`, `expect`...;
        without `check` the report is only returned. Raises UsageError for what it does not know."""
        __tracebackhide__ = True
        try:
            report = self._audit(_spec(spec), client_config=self._cluster.client_config)
        except EoscheckError as error:
            raise error.with_traceback(None) from None
        self.last = report
        if check and report.verdict is not Verdict.PASS:
            raise audit_failure(report, repeat=self._again, page=self._page)
        return report

    def write_report(self) -> str:
        """Its path; why there is none, where it cannot be written."""
        assert self.last is not None
        try:
            return str(
                write_audited(self.last, title=self._title, repeat=self._again, path=self._page)
            )
        except OSError as error:
            return f"{self._page} could not be written: {error.strerror}"


def _spec(said: dict[str, Any]) -> AuditSpec:
    for key in said:
        if key not in AuditSpec.__struct_fields__:
            hint = did_you_mean(key, AuditSpec.__struct_fields__)
            raise UsageError(f"eos_audit does not know {key!r}{hint}")
    try:
        return msgspec.convert(said, AuditSpec)
    except msgspec.ValidationError as error:
        raise UsageError(f"eos_audit: {error}") from error
