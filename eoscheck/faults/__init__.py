"""What goes wrong, on purpose: the schedule, and what fires it."""

from eoscheck.faults.injector import run_faults
from eoscheck.faults.schedule import FaultSpec, PlannedFault, plan

__all__ = ["FaultSpec", "PlannedFault", "plan", "run_faults"]
