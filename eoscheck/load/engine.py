"""The load of one generator process: many streams on one producer, in a thread of its own.

Whoever opens streams and takes reports may live in an event loop: nothing here waits for them, and
no call of the client is made outside of `run`. What goes between the threads are deques and
references, which need no lock.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

import msgspec

from eoscheck.history import SendsAcknowledged, SendsUnconfirmed
from eoscheck.history.events import Event, Identity
from eoscheck.load.driver import identity_of, open_sender
from eoscheck.load.outcomes import Outcomes
from eoscheck.load.pacing import LONGEST_WAIT_S, Paced, wait_s
from eoscheck.load.senders import Identify, Sender
from eoscheck.load.spec import LoadSpec

BLOCK = 2**32
"""Numbers that each generator has for itself: below 2^53 for two million of them, so that every
JSON reader keeps them whole."""
_CHUNK = 200
"""Records of one stream before the others have their turn, and the answers theirs."""

Records = Iterator[tuple[bytes, bytes]]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a generator's records since its last report. `first` is the number of the first
    in `sent`: reports join on without a hole. `events` are dated by the generator's clock.

    `intended` and `answered` are columns: when each acknowledged record was to leave, and when its
    delivery report came.
    """

    first: int
    sent: list[Identity]
    events: list[SendsAcknowledged | SendsUnconfirmed]
    intended: list[float]
    answered: list[float]


@dataclass
class Stream:
    """Records at a rate, from `start` on (seconds of the engine's clock)."""

    records: Records
    pacing: Paced
    sent: int = 0
    open: bool = True


@dataclass
class _Log:
    """Where the outcomes are written to: events are kept until somebody takes them."""

    now: Callable[[], float]
    events: deque[Event] = field(default_factory=deque)

    def record(self, event: Event) -> None:
        self.events.append(event)


class _TimedOutcomes(Outcomes):
    """Notes when each delivery report came."""

    def __init__(self, *, topic: str, log: _Log) -> None:
        super().__init__(topic=topic, recorder=log)
        self.answers: deque[tuple[float, float]] = deque()
        self._now = log.now

    def acknowledged(
        self, identity: Identity, partition: int, offset: int, intended: float
    ) -> None:
        self.answers.append((intended, self._now()))
        super().acknowledged(identity, partition, offset, intended)


class Engine:
    """`block` is this generator's own: its records are numbered from `block * BLOCK` on, without a
    hole, whichever stream they belong to. `clock` counts seconds of the run."""

    def __init__(
        self,
        spec: LoadSpec,
        *,
        block: int,
        run_id: str,
        seed: int,
        client_config: Mapping[str, str],
        identify: Identify,
        clock: Callable[[], float],
    ) -> None:
        self.numbers = itertools.count(block * BLOCK)
        """For the streams' records: each takes the next one when it is made."""
        self.most_late_s = 0.0
        self._clock = clock
        self._identify = identify
        self._log = _Log(clock)
        self._outcomes = _TimedOutcomes(topic=spec.topic, log=self._log)
        self._open_sender = partial(
            open_sender,
            spec,
            seed=seed,
            transactional_id=f"eoscheck-load-{run_id}-{block}",
            client_config=client_config,
            outcomes=self._outcomes,
            clock=clock,
        )
        self._streams: tuple[Stream, ...] = ()
        self._sent: deque[Identity] = deque()
        self._reported = block * BLOCK
        self._stopping = False

    def open(self, records: Records, *, rate: float) -> Stream:
        """Its records leave at `rate` a second from now on, whatever becomes of them."""
        stream = Stream(records, Paced(rate=rate, start=self._clock()))
        self._streams = (*self._streams, stream)
        return stream

    def close(self, stream: Stream) -> None:
        stream.open = False
        self._streams = tuple(each for each in self._streams if each is not stream)

    def stop(self) -> None:
        """No more records; `run` returns when it knows, or gave up to know, what came of them."""
        self._stopping = True

    def run(self) -> None:
        """Sends until `stop`. Blocks: the one function that belongs into a thread."""
        sender = self._open_sender()
        try:
            while not self._stopping:
                wait = self._send_due(sender)
                self._outcomes.write_if_due()
                sender.serve(wait)
        finally:
            sender.finish()
            self._outcomes.write()

    def take(self) -> Report:
        """What has come since it was last asked; for one reader."""
        # Outcomes first: whatever is answered for was noted as sent before.
        events = [self._log.events.popleft() for _ in range(len(self._log.events))]
        answers = self._outcomes.answers
        timed = [answers.popleft() for _ in range(len(answers))]
        first = self._reported
        sent = [self._sent.popleft() for _ in range(len(self._sent))]
        self._reported += len(sent)
        return Report(
            first=first,
            sent=sent,
            events=[e for e in events if isinstance(e, SendsAcknowledged | SendsUnconfirmed)],
            intended=[intended for intended, _ in timed],
            answered=[answered for _, answered in timed],
        )

    def _send_due(self, sender: Sender) -> float:
        """Sends what is due; says how long nothing will be."""
        gap = LONGEST_WAIT_S
        for stream in self._streams:
            now = self._clock()
            due = min(stream.pacing.due(now), stream.sent + _CHUNK)
            if stream.sent < due:
                self.most_late_s = max(self.most_late_s, now - stream.pacing.intended(stream.sent))
            while stream.sent < due and stream.open:
                key, value = next(stream.records)
                identity = identity_of(self._identify, key, value)
                self._sent.append(identity)
                sender.send(identity, key, value, stream.pacing.intended(stream.sent))
                stream.sent += 1
            gap = min(gap, stream.pacing.intended(stream.sent) - self._clock())
        return wait_s(gap)
