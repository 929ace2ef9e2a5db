"""Whether a load's file is there, is good, and lasts as long as it must."""

from __future__ import annotations

from eoscheck.audit.identity import parse
from eoscheck.errors import UsageError
from eoscheck.load.replay import lasts_s, survey
from eoscheck.run.scenario import Scenario


def check_input(scenario: Scenario) -> None:
    """Raises UsageError where not: before anything is started for it."""
    load = scenario.load
    if load.input_file is None:
        return
    found = survey(load, identify=parse(scenario.audit.input_id or scenario.audit.id))
    needed = scenario.timing.seconds("steady") + scenario.timing.seconds("faults")
    lasts = lasts_s(load, found)
    if scenario.faults and lasts < needed:
        pace = "load.speed" if load.time_column else "load.rate"
        raise UsageError(
            f"{load.input_file} lasts {lasts:.3g} s at its pace ({found.count} records), and the "
            f"faults need {needed:.3g} s of load: make {pace} or timing.faults smaller"
        )
