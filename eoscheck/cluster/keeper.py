"""A cluster that outlives the command that started it: `eoscheck cluster up`.

The keeper is a process of its own (`python -m eoscheck.cluster.keeper OPTIONS`) and the parent of
the brokers. It prints one JSON object a line, `{"progress": "..."}`, then `{"error": "..."}` or
`{"ready": {...}}`, and nothing more; SIGTERM ends it, and the brokers with it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import msgspec
import platformdirs
import psutil
from filelock import FileLock, Timeout

from eoscheck.cluster.addresses import ClientListener
from eoscheck.cluster.providers import start_cluster
from eoscheck.cluster.spec import ClusterSpec
from eoscheck.errors import EoscheckError, InfrastructureError, UsageError
from eoscheck.process import Supervisor, tail

_STOP_TIMEOUT_S = 30.0
_LOOK_EVERY_S = 1.0
_SAME_PROCESS_S = 0.5
_ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """A process by its id and when it was created: an id may be another's by now."""

    pid: int
    created: float

    def process(self) -> psutil.Process | None:
        """None once it has ended."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created) < _SAME_PROCESS_S
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


class KeptCluster(msgspec.Struct, frozen=True, kw_only=True):
    """A running cluster, as its state file says. `pid` and `created` are the keeper's."""

    pid: int
    created: float
    bootstrap_servers: str
    direct_servers: str
    description: str


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What cluster is to be kept, and the port of its first broker; None: a free one.

    `state`: the file that says where it is, None: the user's own, of `eoscheck cluster up`. With an
    `owner` it ends as soon as that process does, and the file's folder goes with it."""

    cluster: ClusterSpec = ClusterSpec()
    port: int | None = None
    state: str | None = None
    owner: Owner | None = None

    @property
    def state_file(self) -> Path:
        return _state_file() if self.state is None else Path(self.state)


class _News(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    progress: str | None = None
    error: str | None = None
    ready: KeptCluster | None = None


def kept_cluster(state: Path | None = None) -> KeptCluster | None:
    """The cluster that is up, as the file `state` says (None: the user's own). A state file whose
    keeper is gone is removed."""
    state = state or _state_file()
    try:
        kept = msgspec.json.decode(state.read_bytes(), type=KeptCluster)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError:
        kept = None
    if kept is None or _keeper(kept) is None:
        state.unlink(missing_ok=True)
        return None
    return kept


def start_kept(wanted: Wanted, *, progress: Callable[[str], None]) -> KeptCluster:
    """Starts a keeper and returns when its cluster answers.

    Raises UsageError where one is up already, and what `start_cluster` raises.
    """
    options = msgspec.json.encode(wanted).decode()
    log = wanted.state_file.with_name("keeper.log")
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as errors:
        keeper = subprocess.Popen(
            [sys.executable, "-P", "-m", "eoscheck.cluster.keeper", options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
    try:
        return _wait_ready(keeper, log, progress)
    except BaseException:  # not ready, or interrupted: nothing is left behind
        keeper.terminate()
        keeper.wait(_STOP_TIMEOUT_S)
        raise


def stop_kept(state: Path | None = None) -> KeptCluster | None:
    """Stops the cluster that is up, and returns what it was; None where there was none."""
    kept = kept_cluster(state)
    keeper = None if kept is None else _keeper(kept)
    if keeper is None:
        return None
    try:
        keeper.terminate()
        keeper.wait(_STOP_TIMEOUT_S)
    except psutil.TimeoutExpired:
        keeper.kill()  # its supervisor sees that and kills the broker
        keeper.wait(_STOP_TIMEOUT_S)
    except psutil.NoSuchProcess:
        pass  # it ended meanwhile
    (state or _state_file()).unlink(missing_ok=True)
    return kept


def keep(
    wanted: Wanted,
    *,
    progress: Callable[[str], None],
    ready: Callable[[KeptCluster], None],
) -> None:
    """Starts a cluster, says when it is `ready`, and keeps it until this process is interrupted.

    Raises UsageError where one is up already, InfrastructureError where the broker ends by itself.
    """
    state = wanted.state_file
    state.parent.mkdir(parents=True, exist_ok=True)
    try:
        with (
            FileLock(state.with_suffix(".lock"), blocking=False),
            _supervisor(wanted) as supervisor,
            start_cluster(
                wanted.cluster,
                supervisor=supervisor,
                listener=ClientListener(port=wanted.port),
                progress=progress,
            ) as cluster,
        ):
            kept = KeptCluster(
                pid=os.getpid(),
                created=psutil.Process().create_time(),
                bootstrap_servers=cluster.bootstrap_servers,
                direct_servers=cluster.direct_servers,
                description=cluster.description,
            )
            state.write_bytes(msgspec.json.encode(kept))
            try:
                ready(kept)
                while (failure := cluster.failure(timeout_s=_LOOK_EVERY_S)) is None:
                    if wanted.owner is not None and wanted.owner.process() is None:
                        return
            finally:
                state.unlink(missing_ok=True)
    except Timeout:
        raise UsageError(_already_up(state)) from None
    raise InfrastructureError(failure)


def _supervisor(wanted: Wanted) -> Supervisor:
    supervisor = Supervisor()
    if wanted.owner is not None:
        supervisor.remove_at_exit(wanted.state_file.parent)
    return supervisor


def _already_up(state: Path) -> str:
    kept = kept_cluster(state)
    what = "is being started" if kept is None else f"is up already at {kept.bootstrap_servers}"
    return f"a cluster {what}: stop it with 'eoscheck cluster down'"


def _state_file() -> Path:
    return platformdirs.user_state_path("eoscheck") / "cluster.json"


def _keeper(kept: KeptCluster) -> psutil.Process | None:
    """The process that wrote the state."""
    return Owner(pid=kept.pid, created=kept.created).process()


def _wait_ready(
    keeper: subprocess.Popen[bytes], log: Path, progress: Callable[[str], None]
) -> KeptCluster:
    assert keeper.stdout is not None
    with keeper.stdout as stream:
        for line in stream:
            news = msgspec.json.decode(line, type=_News)
            if news.progress is not None:
                progress(news.progress)
            if news.error is not None:
                raise InfrastructureError(news.error)
            if news.ready is not None:
                return news.ready
    raise InfrastructureError(f"the cluster's keeper ended: {' '.join(tail(log, 3))}")


def _tell(news: _News) -> None:
    os.write(1, msgspec.json.encode(news) + b"\n")


def _end(_number: int, _frame: FrameType | None) -> None:
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)
    sys.exit(0)


def main() -> None:
    for number in _ENDING:
        signal.signal(number, _end)
    wanted = msgspec.json.decode(sys.argv[1], type=Wanted)
    try:
        keep(
            wanted,
            progress=lambda what: _tell(_News(progress=what)),
            ready=lambda kept: _tell(_News(ready=kept)),
        )
    except EoscheckError as error:
        _tell(_News(error=str(error)))
        sys.exit(2)


if __name__ == "__main__":
    main()
