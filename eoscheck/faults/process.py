"""The process family: kill, terminate, pause, restart; with the state directory wiped or kept.

A fault is done to one instance and leaves evidence. Its heal is always the same: the instance runs
again (`Subject.heal`).
"""

from __future__ import annotations

from typing import Any

from eoscheck.errors import InfrastructureError
from eoscheck.faults.schedule import PlannedFault
from eoscheck.subject import Subject


def strike(subject: Subject, fault: PlannedFault) -> dict[str, Any]:
    """Does it, and returns the evidence that it was done.

    Raises InfrastructureError with the reason where it did not bite: the instance did not run, did
    not stop cleanly in time, or had nothing to wipe.
    """
    match fault.kind:
        case "kill":
            evidence = subject.kill(fault.instance)
        case "terminate" | "restart":
            evidence = subject.terminate(fault.instance)
        case "pause":
            evidence = subject.pause(fault.instance)
    if fault.wipe:
        wiped = subject.wipe(fault.instance)
        if not wiped["wiped_files"]:
            raise InfrastructureError(
                f"the state directory of instance {fault.instance} was empty: nothing to wipe "
                "(does the command use {state_dir}?)"
            )
        evidence |= wiped
    return evidence
