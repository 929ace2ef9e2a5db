"""A load that trickles, and pours out more when it is told to: numbered through like any other."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from eoscheck.audit.identity import parse
from eoscheck.errors import InfrastructureError, UsageError
from eoscheck.load.driver import identity_of
from eoscheck.load.outcomes import Outcomes
from eoscheck.load.records import generate
from eoscheck.load.senders import PlainSender
from eoscheck.run.feed import Wanted

_CHUNK = 500
_WAIT_S = 0.01
_POLL_S = 0.05
_POUR_S = 600.0


class Tap:
    """A `Feed`: `load.rate` records a second, and `pour` as many more as fast as it goes."""

    def __init__(self, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self.over = threading.Event()
        self._sleep = sleep
        self.sent = 0
        self._more = 0
        self._lock = threading.Lock()

    def pour(self, records: int) -> None:
        """Returns when they have been handed to the client; `sent` counts them then. Raises
        InfrastructureError where that takes longer than ten minutes."""
        with self._lock:
            self._more += records
        give_up_at = time.monotonic() + _POUR_S
        while self._left():
            if self.over.is_set() or time.monotonic() >= give_up_at:
                raise InfrastructureError(f"{records} records were not written in time")
            self._sleep(_POLL_S)

    def run(self, wanted: Wanted, *, stop: threading.Event) -> None:
        spec, now = wanted.spec, wanted.recorder.now
        if spec.transaction_size is not None:
            raise UsageError("measure restore writes no transactions: leave out transaction_size")
        identify = parse(wanted.identify)
        outcomes = Outcomes(topic=spec.topic, recorder=wanted.recorder)
        sender = PlainSender(
            topic=spec.topic,
            client_config=wanted.client_config,
            outcomes=outcomes,
            acks=spec.acks,
        )
        records = generate(spec, seed=wanted.seed, run_id=wanted.run_id)
        next_at = now()

        def send(intended: float) -> None:
            key, value = next(records)
            sender.send(identity_of(identify, key, value), key, value, intended)
            self.sent += 1

        try:
            while not stop.is_set():
                chunk = min(self._left(), _CHUNK)
                for _ in range(chunk):
                    send(now())
                with self._lock:
                    self._more -= chunk
                while next_at <= now():
                    send(next_at)
                    next_at += 1 / spec.rate
                outcomes.write_if_due()
                sender.serve(0.0 if self._left() else _WAIT_S)
        finally:
            self.over.set()
            sender.finish()
            outcomes.write()

    def _left(self) -> int:
        with self._lock:
            return self._more
