"""`python -m tests.acceptance.audited_alone REPORT run SCENARIO ...`: `eoscheck run ...`, and one
audit more before its cluster is gone, into the file REPORT, which knows nothing of the run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec

from eoscheck.audit import AuditReport, AuditSpec, run_audit
from eoscheck.cli.main import main
from eoscheck.run import runner


def audited_alone(path: Path) -> Any:
    def audit(spec: AuditSpec, **of_run: Any) -> AuditReport:
        alone = run_audit(spec, client_config=of_run["client_config"])
        path.write_bytes(msgspec.json.encode(alone))
        return run_audit(spec, **of_run)

    return audit


if __name__ == "__main__":
    runner.run_audit = audited_alone(Path(sys.argv.pop(1)))
    main()
