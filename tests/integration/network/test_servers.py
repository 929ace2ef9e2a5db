"""A Toxiproxy server of ours ends with the harness; one that is not ours loses our proxies."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from eoscheck.artifacts import cache_folder
from eoscheck.errors import InfrastructureError, UsageError
from eoscheck.network import start_network
from eoscheck.network.api import ToxiproxyApi
from eoscheck.network.binary import VARIABLE, find_or_build
from eoscheck.process import Supervisor
from tests.integration.network.tcp import (
    WAIT_S,
    client_link,
    echo,
    free_address,
    takes_connections,
)


def eventually(what: str, holds: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < give_up_at, f"not within {WAIT_S} s: {what}"
        time.sleep(0.02)


def silent(_: str) -> None:
    """No progress."""


_HARNESS = """
import sys, time
from pathlib import Path
from eoscheck.network import Link, start_network
from eoscheck.process import Supervisor
listen, upstream = (("127.0.0.1", int(port)) for port in sys.argv[2:])
network = start_network(supervisor=Supervisor(), folder=Path(sys.argv[1]), progress=print)
link = Link(role="client", source=0, broker=1, listen=listen, upstream=upstream)
network.connect([link])
network.cut([link]).begin()
child = network._server.child
print(child.pid if child else 0, flush=True)
time.sleep(60)
"""


def harness(folder: Path, *ports: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _HARNESS, str(folder), *map(str, ports)],
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def foreign(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ToxiproxyApi]:
    """Somebody else's server, which `EOSCHECK_TOXIPROXY` names."""
    binary = find_or_build(supervisor=supervisor, cache=cache_folder(), progress=silent)
    host, port = free_address()
    child = supervisor.start(
        [str(binary.path), "-host", host, "-port", str(port), "-proxy-metrics"],
        output=tmp_path / "foreign.log",
    )
    api = ToxiproxyApi(host=host, port=port)

    def answers() -> bool:
        try:
            return api.version() == binary.version
        except InfrastructureError:
            return False

    eventually("it answers", answers)
    monkeypatch.setenv(VARIABLE, f"http://{host}:{port}")
    yield api
    child.stop(timeout_s=WAIT_S)


def test_a_killed_harness_leaves_no_server(tmp_path: Path) -> None:
    with echo() as upstream, harness(tmp_path, free_address()[1], upstream[1]) as process:
        assert process.stdout is not None
        server = int(process.stdout.readline())
        assert psutil.pid_exists(server)
        process.kill()
        eventually("the server is gone", lambda: not psutil.pid_exists(server))


def test_a_killed_harness_leaves_no_proxy_in_a_foreign_server(
    foreign: ToxiproxyApi, tmp_path: Path
) -> None:
    foreign.create("theirs", listen=free_address(), upstream=free_address())
    with echo() as upstream, harness(tmp_path, free_address()[1], upstream[1]) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "0\n"
        assert len(foreign.proxies()) == 2
        process.kill()
        eventually("our proxy is gone", lambda: set(foreign.proxies()) == {"theirs"})


def test_a_foreign_server_works_and_is_left_as_it_was(
    foreign: ToxiproxyApi, supervisor: Supervisor, tmp_path: Path
) -> None:
    foreign.create("theirs", listen=free_address(), upstream=free_address())
    with echo() as upstream:
        link = client_link(source=0, upstream=upstream)
        with start_network(supervisor=supervisor, folder=tmp_path, progress=silent) as network:
            assert network.description == (
                f"Toxiproxy {foreign.version()} at http://{foreign.address}"
            )
            network.connect([link])
            fault = network.cut([link])
            fault.begin()
            assert not takes_connections(link)
            traffic = fault.end()
            assert takes_connections(link)
        assert traffic is not None
        assert traffic.attempts is None, "its log is not ours"
    assert set(foreign.proxies()) == {"theirs"}


def test_a_server_without_metrics_is_refused(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    binary = find_or_build(supervisor=supervisor, cache=cache_folder(), progress=silent)
    host, port = free_address()
    log = tmp_path / "log"
    child = supervisor.start([str(binary.path), "-host", host, "-port", str(port)], output=log)
    eventually("it serves", lambda: "Starting Toxiproxy HTTP server" in log.read_text())
    monkeypatch.setenv(VARIABLE, f"http://{host}:{port}")

    def refused() -> bool:
        try:
            start_network(supervisor=supervisor, folder=tmp_path, progress=silent)
        except InfrastructureError:  # it does not listen yet
            return False
        except UsageError as error:
            return "start it with -proxy-metrics" in str(error)
        return False

    eventually("it is refused, with the way to put it right", refused)
    child.stop(timeout_s=WAIT_S)


def test_a_server_that_died_is_told_in_one_line(supervisor: Supervisor, tmp_path: Path) -> None:
    with echo() as upstream:
        link = client_link(source=0, upstream=upstream)
        with start_network(supervisor=supervisor, folder=tmp_path, progress=silent) as network:
            network.connect([link])
            fault = network.cut([link])
            assert network._server.child is not None
            network._server.child.stop(timeout_s=WAIT_S)
            with pytest.raises(InfrastructureError, match="does not answer GET /metrics") as caught:
                fault.begin()
    assert "\n" not in str(caught.value)
