"""One process of an app: state directory, threads, signals, exit code."""

from __future__ import annotations

import gc
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

from rocksdict import Cache

from reference_app.streams.directory import StateDirectory
from reference_app.streams.errors import DirtyCloseError, StreamsError, StuckError
from reference_app.streams.logs import event
from reference_app.streams.metrics import MetricsFile, Recorder
from reference_app.streams.options import StreamsOptions
from reference_app.streams.owners import GroupWatch
from reference_app.streams.parts import Parts
from reference_app.streams.standby import StandbyReader, Standbys
from reference_app.streams.stream_thread import Process, StreamThread
from reference_app.streams.topology import Topology

_LOG = logging.getLogger(__name__)
INTERNAL_ERROR = 70
"""Exit code of what should not happen: EX_SOFTWARE of sysexits.h."""
_BLOCK_CACHE_BYTES = 64 * 1024 * 1024
_WRITE_EVERY_S = 0.2
_COLLECT_EVERY_S = 10.0
_FREEZE_AFTER_S = 1.0
_OWNERS_EVERY_S = 1.0
_STUCK_AFTER = 2
"""Times the longest poll interval: after one of them the member has left its group anyway."""


class StreamsApp:
    """Runs a topology until SIGTERM or SIGINT, or until something only a user can put right."""

    def __init__(
        self, topology: Topology, options: StreamsOptions, *, parts: Parts | None = None
    ) -> None:
        self._topology = topology
        self._options = options
        self._parts = parts or Parts()
        self._stopping = threading.Event()
        self._watchdog: threading.Timer | None = None
        self._workers: list[StreamThread] = []
        self._ends: list[tuple[int, str]] = []

    def run(self) -> int:
        """Blocks; returns the exit code. Each way out is one log line, `event=exit`."""
        with self._signals(), _quiet_gc():
            try:
                with StateDirectory(self._options.state_dir, self._options.application_id) as held:
                    code, why = self._run(held)
            except StreamsError as error:  # before there was a directory to write to
                code, why = error.exit_code, str(error)
        if self._watchdog is not None:
            self._watchdog.cancel()
        level = logging.INFO if code == 0 else logging.ERROR
        event(_LOG, "exit", level=level, code=code, reason=why)
        return code

    def stop(self) -> None:
        """Asks for a clean close; safe in a signal handler. The process ends within the bound."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        self._watchdog = self._start_watchdog()

    def _run(self, directory: StateDirectory) -> tuple[int, str]:
        process = Process(
            topology=self._topology,
            options=self._options,
            parts=self._parts,
            directory=directory,
            clients=self._parts.clients(
                options=self._options,
                client_id=f"{self._options.application_id}-{directory.process_id}",
                consumer_overrides=self._parts.consumer_overrides,
            ),
            cache=Cache(_BLOCK_CACHE_BYTES),
            stopping=self._stopping,
            closing=self._closing,
        )
        standbys = self._standbys(process)
        recorders = [
            Recorder(worker=number, transactional_id=self._transactional_id(directory, number))
            for number in range(self._options.num_stream_threads)
        ]
        metrics = MetricsFile(
            self._options.metrics_path,
            recorders,
            application_id=self._options.application_id,
            process_id=directory.process_id,
            processing_guarantee=self._options.processing_guarantee,
            standbys=standbys.offsets if standbys is not None else list,
        )
        threads = self._threads(process, standbys, recorders)
        self._watch(threads, metrics)
        # The first failure tells why; a dirty close of another thread may have followed it.
        code, why = self._ends[0] if self._ends else (0, "stopped by a signal, closed cleanly")
        metrics.write(exit_code=code, reason=why)
        return code, why

    # -- threads

    def _threads(
        self, process: Process, standbys: Standbys | None, recorders: Sequence[Recorder]
    ) -> list[threading.Thread]:
        self._workers = [
            StreamThread(
                process,
                number=number,
                transactional_id=recorder.shows[0].transactional_id,
                standbys=standbys,
                recorder=recorder,
            )
            for number, recorder in enumerate(recorders)
        ]
        runs = [worker.run for worker in self._workers]
        if standbys is not None:
            runs.append(standbys.run)
        # Daemons: when the watchdog's time is up, none of them may hold the process.
        return [threading.Thread(target=self._guarded, args=[run], daemon=True) for run in runs]

    def _guarded(self, run: Callable[[], None]) -> None:
        """One thread's failure stops them all: a process that does half its work helps nobody."""
        try:
            run()
        except StreamsError as error:
            self._ends.append((error.exit_code, str(error)))
        except Exception as error:  # noqa: BLE001 - the last resort: every exit has a reason
            _LOG.exception("event=internal_error")
            why = f"internal error: {type(error).__name__}: {error}"
            self._ends.append((INTERNAL_ERROR, why))
        finally:
            self.stop()

    def _watch(self, threads: Sequence[threading.Thread], metrics: MetricsFile) -> None:
        """Writes metrics and collects garbage now and then, until all threads have ended."""
        for thread in threads:
            thread.start()
        collect_at = time.monotonic() + _FREEZE_AFTER_S
        frozen = False
        while any(thread.is_alive() for thread in threads):
            metrics.write()
            self._exit_if_stuck()
            if time.monotonic() >= collect_at:
                gc.collect()
                if not frozen:
                    gc.freeze()
                    frozen = True
                collect_at = time.monotonic() + _COLLECT_EVERY_S
            for thread in threads:
                thread.join(_WRITE_EVERY_S / len(threads))

    # -- putting the parts together

    def _transactional_id(self, directory: StateDirectory, worker: int) -> str | None:
        if not self._options.exactly_once:
            return None
        return self._parts.transactional_id(
            self._options.application_id, directory.process_id, worker
        )

    def _standbys(self, process: Process) -> Standbys | None:
        replicas = self._options.num_standby_replicas
        if not replicas or not self._topology.stores:
            return None

        def open_reader() -> StandbyReader:
            admin = process.clients.admin()
            topics = process.topics(admin, timeout_s=None)
            return StandbyReader(
                admin=admin,
                consumer=process.clients.standby_consumer(self._parts.standby_overrides),
                watch=GroupWatch(
                    admin,
                    self._options.application_id,
                    self._topology.source.topic,
                    interval_s=_OWNERS_EVERY_S,
                ),
                open_stores=process.tasks(topics).open_stores,
                member=process.clients.process_name,
                replicas=replicas,
            )

        return Standbys(open_reader, self._stopping)

    # -- stopping

    @contextmanager
    def _signals(self) -> Iterator[None]:
        wanted = (signal.SIGTERM, signal.SIGINT)
        former = {number: signal.getsignal(number) for number in wanted}
        for number in wanted:
            signal.signal(number, lambda *_: self.stop())
        try:
            yield
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)

    def _start_watchdog(self) -> threading.Timer:
        watchdog = threading.Timer(self._options.close_timeout_ms / 1000, self._close_timed_out)
        watchdog.daemon = True
        watchdog.start()
        return watchdog

    @contextmanager
    def _closing(self) -> Iterator[None]:
        """Bounds the end of a session as a stop is bounded: clients have been seen to hang."""
        watchdog = self._start_watchdog()
        try:
            yield
        finally:
            watchdog.cancel()

    def _close_timed_out(self) -> None:
        """Runs in the watchdog's thread: another one is stuck in a call that cannot be ended."""
        _exit_now(
            DirtyCloseError.exit_code,
            f"not closed within {self._options.close_timeout_ms} ms: closed dirty",
        )

    def _exit_if_stuck(self) -> None:
        """librdkafka waits by the wall clock: one that is set back while it waits makes it wait for
        as long again. And it sends offsets to a group coordinator that is gone for ever, whatever
        time-out it was given (its issues 5456 and 5511, in 2.16 too). Nothing but an end of the
        process helps; a restart loses nothing."""
        patience_s = _STUCK_AFTER * self._options.max_poll_interval_ms / 1000
        for worker in self._workers:
            if worker.turn_s > patience_s:
                _exit_now(
                    StuckError.exit_code,
                    f"worker {worker.number} has not come back for {worker.turn_s:.0f} s, "
                    f"{_STUCK_AFTER} times --max-poll-interval-ms: restart",
                )


def _exit_now(code: int, why: str) -> NoReturn:
    event(_LOG, "exit", level=logging.ERROR, code=code, reason=why)
    logging.shutdown()
    os._exit(code)


@contextmanager
def _quiet_gc() -> Iterator[None]:
    """No collection in the hot loop: it halves its cost. The app collects now and then itself."""
    gc.disable()
    try:
        yield
    finally:
        gc.unfreeze()
        gc.enable()
