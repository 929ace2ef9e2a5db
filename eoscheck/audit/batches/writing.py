"""What the batches of all topics tell together: torn transactions, habits of their writers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from eoscheck.audit.batches.habits import find_habits
from eoscheck.audit.batches.view import RawView
from eoscheck.audit.checks.outcome import Checked
from eoscheck.audit.checks.transactions import check_torn
from eoscheck.audit.spec import AuditSpec
from eoscheck.cluster.configs import DEFAULT_SWEEP_MS, ConfigView
from eoscheck.errors import EoscheckError


def check_writing(
    views: Sequence[RawView],
    *,
    written: Sequence[RawView],
    spec: AuditSpec,
    configs: ConfigView,
    client_config: Mapping[str, str],
) -> Iterator[Checked]:
    """`views` have followed their topics to the end; `written`: the subject writes them."""
    for view in views:
        yield view.checked()
    yield check_torn([view.outcomes() for view in views], limit=spec.max_findings)
    hazards = find_habits(
        written,
        client_config=client_config,
        sweep_ms=_sweep_ms(configs),
        recovery_objective_s=spec.recovery_objective_s,
    )
    yield Checked(hazards=hazards)


def _sweep_ms(configs: ConfigView) -> int:
    try:
        return configs.transaction_sweep_ms()
    except EoscheckError:
        return DEFAULT_SWEEP_MS
