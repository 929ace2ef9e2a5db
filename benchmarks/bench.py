"""What every benchmark is given, and the processes it starts."""

from __future__ import annotations

import re
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.subjects import ROOT, Job, Who, command, needs
from eoscheck.cluster import ClusterView, NewTopic, create_topics, delete_topics
from eoscheck.cluster.provider import Cluster
from eoscheck.errors import InfrastructureError
from eoscheck.process import Child, Supervisor, tail

_STOP_S = 40.0
_LOOK_EVERY_S = 0.005


@dataclass(frozen=True, kw_only=True)
class Bench:
    """`subjects`: the app, and the peer where it is built. `folder` goes away at the end."""

    cluster: Cluster
    view: ClusterView
    supervisor: Supervisor
    folder: Path
    seed: int
    subjects: tuple[Who, ...]
    say: Callable[[str], None]

    @property
    def clients(self) -> dict[str, str | int]:
        """Properties of our own clients. What they would log of a lost connection shows anyway."""
        return {**self.cluster.client_config, "log_level": 0}

    def start(self, who: Who, job: Job, state: Path) -> Running:
        """A process of `who` on the state directory `state`."""
        line = command(who, job, bootstrap=self.cluster.bootstrap_servers, state=state)
        output = self.folder / f"{job.name}-{who}-{time.monotonic_ns()}.log"
        started_at = time.monotonic()
        child = self.supervisor.start(line, output=output, cwd=ROOT)
        return Running(child, started_at=started_at)

    @contextmanager
    def application(self, who: Who, job: Job) -> Iterator[Path]:
        """The topics `who` needs for `job`, and a folder for its state; all is gone afterwards."""
        create_topics(
            self.cluster.client_config,
            [NewTopic(name=name, partitions=job.partitions) for name in needs(who, job)],
        )
        state = self.folder / f"{job.name}-state"
        try:
            yield state
        finally:
            self.forget(job)
            shutil.rmtree(state, ignore_errors=True)

    def forget(self, job: Job) -> None:
        """Deletes what the application made on the cluster."""
        made = [topic for topic in self.view.topics() if topic.startswith(f"{job.name}-")]
        if made:
            self.forget_topics(*made)

    def forget_topics(self, *topics: str) -> None:
        delete_topics(self.cluster.client_config, topics)


class Running:
    """A subject's process: its CPU, its memory, and what it says."""

    def __init__(self, child: Child, *, started_at: float) -> None:
        self.started_at = started_at
        self._child = child
        self._process = psutil.Process(child.pid)
        self._read = 0
        self._said: list[str] = []

    def cpu_s(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)

    def rss_mb(self) -> float:
        return self._process.memory_info().rss / 1e6

    def check(self) -> None:
        """Raises InfrastructureError, with the reason it gave, where the process has ended."""
        code = self._child.poll()
        if code is not None:
            said = tail(self._child.output)
            raise InfrastructureError(f"{self._child.command[0]} ended with code {code}: {said}")

    def wait_for(self, event: str, *, timeout_s: float) -> tuple[float, str]:
        """When the first line with `event=<event>` appeared, and the line."""
        wanted = re.compile(rf"event={event}\b")
        deadline = time.monotonic() + timeout_s
        while (now := time.monotonic()) < deadline:
            for line in self._lines():
                if wanted.search(line):
                    return now, line
            self.check()
            time.sleep(_LOOK_EVERY_S)
        raise InfrastructureError(f"no event={event} within {timeout_s:g} s")

    def said(self, event: str) -> list[str]:
        """All lines so far with that event."""
        return [line for line in self._lines() if f"event={event} " in f"{line} "]

    def kill(self) -> float:
        """SIGKILL; returns the moment."""
        at = time.monotonic()
        self._child.signal(signal.SIGKILL)
        self._child.wait(timeout_s=_STOP_S)
        return at

    def stop(self) -> None:
        """Asks it to close cleanly; SIGKILL if that takes too long."""
        self._child.stop(timeout_s=_STOP_S)

    def _lines(self) -> list[str]:
        text = self._child.output.read_bytes()[self._read :]
        whole, newline, _ = text.rpartition(b"\n")
        self._read += len(whole) + len(newline)
        self._said += whole.decode(errors="replace").splitlines()
        return self._said


def field(line: str, name: str) -> float:
    """The number that an event's line gives for `name`."""
    found = re.search(rf"\b{name}=([0-9.]+)", line)
    if found is None:
        raise InfrastructureError(f"no {name}= in {line!r}")
    return float(found[1])
