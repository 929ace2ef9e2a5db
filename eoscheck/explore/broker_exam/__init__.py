"""Does a broker keep the promises that exactly-once rests on? `examine_broker` asks it."""

from eoscheck.explore.broker_exam.exam import examine_broker, find_promises
from eoscheck.explore.broker_exam.outcome import (
    ExamResult,
    Observation,
    PromiseResult,
    Verdict,
)
from eoscheck.explore.broker_exam.promises import PROMISES, Promise

__all__ = [
    "PROMISES",
    "ExamResult",
    "Observation",
    "Promise",
    "PromiseResult",
    "Verdict",
    "examine_broker",
    "find_promises",
]
