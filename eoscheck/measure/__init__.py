"""Figures from a run's history: recovery, latency, liveness, cost, and how sure each is."""

from eoscheck.measure.cost import cost_from_drains
from eoscheck.measure.extra import require_extra
from eoscheck.measure.figures import CostFigure, Drain, RunFigures
from eoscheck.measure.summary import from_history

__all__ = [
    "CostFigure",
    "Drain",
    "RunFigures",
    "cost_from_drains",
    "from_history",
    "require_extra",
]
