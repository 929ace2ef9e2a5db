"""What goes wrong, on purpose: the tables, the schedule, and what fires it."""

from eoscheck.faults.injector import run_faults
from eoscheck.faults.kinds import FaultSpec, needs_of
from eoscheck.faults.plan import Targets, plan
from eoscheck.faults.scene import Scene
from eoscheck.faults.spec import FaultTable, PlannedFault

__all__ = [
    "FaultSpec",
    "FaultTable",
    "PlannedFault",
    "Scene",
    "Targets",
    "needs_of",
    "plan",
    "run_faults",
]
