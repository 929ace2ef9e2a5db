"""What happened in a run: typed events, one line of NDJSON each, in the order they were seen."""

from eoscheck.history.events import (
    BrokerChanged,
    Event,
    FaultHealed,
    FaultInjected,
    FaultMissed,
    GroupChanged,
    GroupSampled,
    InstanceExited,
    InstanceReady,
    InstanceStarted,
    LogSampled,
    OutputsObserved,
    PhaseStarted,
    RunFinished,
    RunStarted,
    SendsAcknowledged,
    SendsUnconfirmed,
)
from eoscheck.history.recorder import Recorder, read_history

__all__ = [
    "BrokerChanged",
    "Event",
    "FaultHealed",
    "FaultInjected",
    "FaultMissed",
    "GroupChanged",
    "GroupSampled",
    "InstanceExited",
    "InstanceReady",
    "InstanceStarted",
    "LogSampled",
    "OutputsObserved",
    "PhaseStarted",
    "Recorder",
    "RunFinished",
    "RunStarted",
    "SendsAcknowledged",
    "SendsUnconfirmed",
    "read_history",
]
