"""Asks coordinators about a topic's producers, for the hazards of how transactions are used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from eoscheck.audit.batches.view import RawView
from eoscheck.audit.checks.habits import Habits, check_habits
from eoscheck.audit.findings import Hazard
from eoscheck.cluster.configs import DEFAULT_SWEEP_MS
from eoscheck.cluster.transactional_ids import TransactionalId, TransactionalIdView
from eoscheck.errors import EoscheckError

_PRODUCERS_ASKED = 1000
"""Of one topic: those of its longest transactions, and the last that wrote."""


def find_habits(
    views: Sequence[RawView],
    *,
    client_config: Mapping[str, str],
    sweep_ms: int = DEFAULT_SWEEP_MS,
    recovery_objective_s: float | None = None,
) -> list[Hazard]:
    """The hazards LONG_TRANSACTION, TIMEOUT_TOO_LONG and FRESH_TRANSACTIONAL_ID of some topics.

    Never fails: where coordinators do not tell (no right to describe transactional ids, say), long
    transactions are judged by the recovery objective alone, and the rest not at all.
    """
    wanted = {view.topic: _producers(view) for view in views}
    known = _known([each for producers in wanted.values() for each in producers], client_config)
    return [
        hazard
        for view in views
        for hazard in check_habits(
            Habits(
                topic=view.topic,
                statistics=view.statistics(),
                longest=view.longest(),
                tenures=view.tenures(),
                known={each: known[each] for each in wanted[view.topic] if each in known},
                sweep_ms=sweep_ms,
                recovery_objective_s=recovery_objective_s,
            )
        )
    ]


def _producers(view: RawView) -> list[int]:
    latest = sorted(view.tenures(), key=lambda each: -each.last_offset)
    ids = [each.producer_id for each in view.longest()] + [each.producer_id for each in latest]
    return list(dict.fromkeys(ids))[:_PRODUCERS_ASKED]


def _known(
    producers: Sequence[int], client_config: Mapping[str, str]
) -> dict[int, TransactionalId]:
    if not producers:
        return {}
    try:
        with TransactionalIdView(client_config) as view:
            return view.known(producers)
    except EoscheckError:
        return {}
