"""The protocol trace of a run: which steps each instance did, in which order (docs/trace.md)."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from eoscheck.closing import Closing
from eoscheck.errors import InfrastructureError, UsageError
from eoscheck.faults.wire_steps import PROTOCOL
from eoscheck.faults.witness import Witness
from eoscheck.history import Recorder
from eoscheck.history.recorder import read_lines
from eoscheck.wire import Exchange, Step, TopicRoles, Wire

if TYPE_CHECKING:
    from eoscheck.run.scenario import Scenario
    from eoscheck.subject import Subject

TRACE_FILE = "trace.ndjson"
"""In a run's folder, beside its history: a `Traced` in each line."""

IDLE = frozenset({"Fetch", "Heartbeat", "ConsumerGroupHeartbeat", "Metadata"})
"""What a client that has nothing to do repeats: told as one, with its number."""

_WRITE_EVERY_S = 0.2


class Traced(Exchange, frozen=True, kw_only=True, omit_defaults=True):
    """An exchange as the trace has it: times are seconds since the run began. With `times` above 1
    it stands for so many idle ones like it, one after the other, the last of them sent at `last`.
    """

    times: int = 1
    last: float | None = None


def learned_steps(exchanges: Iterable[Exchange]) -> dict[Step, int]:
    """The steps of the protocol that these are, each with how often it was done, in the order in
    which each was first sent. Only what went its whole way counts: was answered, without a fault.

    A pure function: of a run without faults, its keys are the app's crash points.
    """
    first: dict[Step, float] = {}
    counts: dict[Step, int] = {}
    for exchange in exchanges:
        if exchange.action is not None or exchange.outcome == "unanswered":
            continue
        for step in exchange.steps:
            if step.partition("(")[0] not in PROTOCOL:
                continue
            counts[step] = counts.get(step, 0) + times(exchange)
            first[step] = min(first.get(step, exchange.sent), exchange.sent)
    return {step: counts[step] for step in sorted(counts, key=lambda each: first[each])}


def rollbacks(exchanges: Iterable[Exchange]) -> int:
    """How many transactions the subject ended by an abort."""
    return sum(
        exchange.steps == ("EndTxn(abort)",)
        and exchange.answered is not None
        and not exchange.error
        and exchange.action is None
        for exchange in exchanges
    )


def times(exchange: Exchange) -> int:
    """How many exchanges it stands for."""
    return exchange.times if isinstance(exchange, Traced) else 1


class Collapse:
    """Exchanges in, trace out: repeated idle ones of a connection become one, until the instance
    does anything else. Given back in the order in which they were told."""

    def __init__(self) -> None:
        self._idle: dict[int, dict[tuple[object, ...], Traced]] = {}

    def add(self, exchange: Traced) -> list[Traced]:
        """What is certain by now."""
        if exchange.request.api not in IDLE or exchange.action is not None:
            return [*self._idle.pop(exchange.instance, {}).values(), exchange]
        like = (exchange.connection, exchange.steps, exchange.outcome, exchange.error)
        idle = self._idle.setdefault(exchange.instance, {})
        before = idle.get(like)
        idle[like] = (
            exchange
            if before is None
            else msgspec.structs.replace(
                before, times=before.times + exchange.times, last=exchange.sent
            )
        )
        return []

    def rest(self) -> list[Traced]:
        left = [each for idle in self._idle.values() for each in idle.values()]
        self._idle.clear()
        return left


class TraceWriter(Closing):
    """Appends to `<folder>/trace.ndjson`, in a thread of its own: to be told is quick. What comes
    after `close` is dropped. `since_start` turns the wire's time into the run's."""

    def __init__(self, folder: Path, *, since_start: Callable[[float], float]) -> None:
        self._since_start = since_start
        self._told: deque[Exchange] = deque()
        self._collapse = Collapse()
        self._file = (folder / TRACE_FILE).open("wb")
        self._encoder = msgspec.json.Encoder()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="trace", daemon=True)
        self._thread.start()

    def __call__(self, exchange: Exchange) -> None:
        if not self._closing.is_set():
            self._told.append(exchange)

    def close(self) -> None:
        """Idempotent; everything that was told is in the file then."""
        self._closing.set()
        self._thread.join()
        self._file.close()

    def _run(self) -> None:
        while not self._closing.wait(_WRITE_EVERY_S):
            self._write()
        self._write()
        self._append(self._collapse.rest())
        self._file.flush()

    def _write(self) -> None:
        while self._told:
            self._append(self._collapse.add(self._of_the_run(self._told.popleft())))
        self._file.flush()

    def _append(self, entries: Iterable[Traced]) -> None:
        self._file.writelines(self._encoder.encode(each) + b"\n" for each in entries)

    def _of_the_run(self, exchange: Exchange) -> Traced:
        fields = {name: getattr(exchange, name) for name in exchange.__struct_fields__}
        fields["sent"] = round(self._since_start(exchange.sent), 6)
        if exchange.answered is not None:
            fields["answered"] = round(self._since_start(exchange.answered), 6)
        return Traced(**fields)


@contextmanager
def tracing(
    wire: Wire, *, roles: TopicRoles, subject: Subject, recorder: Recorder
) -> Iterator[Witness]:
    """A run's part of the wire: what goes over it is written beside the history, and the witness
    hears of it. To be entered before the subject starts; what is left on the wire is healed. Where
    the run cannot go on and the wire knows why (a client speaks TLS), that is what is raised."""
    witness = Witness()

    def crash(instance: int) -> None:
        subject.kill(instance)

    with TraceWriter(recorder.path.parent, since_start=recorder.since_start) as writer:

        def listener(exchange: Exchange) -> None:
            witness(exchange)
            writer(exchange)

        wire.begin(roles=roles, crash=crash, listener=listener)
        try:
            yield witness
        except InfrastructureError:
            wire.check()
            raise
        finally:
            wire.heal_all()


def topic_roles(scenario: Scenario) -> TopicRoles:
    """What the scenario's topics are to its subject, as its roles and its audit say. A topic
    between two roles is written as an output and read as an input."""
    audit = scenario.audit
    changelogs = {each.name for each in audit.changelogs}
    if audit.final_state is not None:
        changelogs.add(audit.final_state.topic)
    return TopicRoles(
        inputs=frozenset(
            {audit.input or scenario.load.topic, *(role.input for role in scenario.roles)}
        ),
        outputs=frozenset({audit.output, *(role.output for role in scenario.roles)}),
        changelogs=frozenset(changelogs),
    )


def read_trace(folder: Path) -> list[Traced]:
    """All of a run's trace, by when it was sent.

    Raises UsageError where the folder holds none, or a line of it is damaged (the last line may be
    cut short by a killed harness: it is left out).
    """
    path = folder / TRACE_FILE
    if not path.is_file():
        raise UsageError(
            f"{folder} has no {TRACE_FILE}: it is written by `eoscheck run --trace`, and by runs "
            "with faults at steps of the protocol"
        )
    traced = read_lines(path, msgspec.json.Decoder(Traced), fault="is no exchange")
    return sorted(traced, key=lambda each: each.sent)
