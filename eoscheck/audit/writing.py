"""What the batches of all topics tell together: torn transactions, habits of their writers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from eoscheck.audit.checks.habits import Habits, check_habits
from eoscheck.audit.checks.outcome import Checked
from eoscheck.audit.checks.transactions import check_torn
from eoscheck.audit.raw_view import RawView
from eoscheck.audit.spec import AuditSpec
from eoscheck.cluster.configs import DEFAULT_SWEEP_MS, ConfigView
from eoscheck.cluster.transactional_ids import TransactionalId, TransactionalIdView
from eoscheck.errors import EoscheckError


def check_writing(
    views: Sequence[RawView],
    *,
    spec: AuditSpec,
    configs: ConfigView,
    client_config: Mapping[str, str],
) -> Iterator[Checked]:
    """`views` have followed their topics to the end; the first is the output's."""
    for view in views:
        yield view.checked()
    yield check_torn([view.outcomes() for view in views], limit=spec.max_findings)
    if views and views[0].statistics().committed:
        output = views[0]
        known = _coordinators(output, client_config)
        habits = Habits(
            topic=output.topic,
            statistics=output.statistics(),
            longest=output.longest(),
            tenures=output.tenures(),
            known=known,
            sweep_ms=_sweep_ms(configs),
            recovery_objective_s=spec.recovery_objective_s,
        )
        yield Checked(hazards=check_habits(habits))


def _coordinators(output: RawView, client_config: Mapping[str, str]) -> dict[int, TransactionalId]:
    """Nothing where the cluster does not tell: a hazard is then not seen, and no verdict depends on
    it."""
    producers = {tenure.producer_id for tenure in output.tenures()}
    try:
        with TransactionalIdView(client_config) as view:
            return view.known(sorted(producers))
    except EoscheckError:
        return {}


def _sweep_ms(configs: ConfigView) -> int:
    try:
        return configs.transaction_sweep_ms()
    except EoscheckError:
        return DEFAULT_SWEEP_MS
