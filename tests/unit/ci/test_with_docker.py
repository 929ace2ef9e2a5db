"""`.ci/with-docker`: its daemon ends on every way out. Here with a stand-in for Docker."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest

_SCRIPT = Path(__file__).parents[3] / ".ci" / "with-docker"
_WAIT_S = 30.0
_STAND_IN = f"""#!{sys.executable}
import os, signal, socket, sys
address = sys.argv[sys.argv.index("--host") + 1].removeprefix("unix://")
server = socket.socket(socket.AF_UNIX)
server.bind(address)
with open(os.environ["STAND_IN"], "w") as file:
    file.write(f"{{os.getpid()}} {{address}}")
signal.pause()
"""

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="daemons are started as root, on Linux"
)


@pytest.fixture
def scratch() -> Iterator[Path]:
    """Short: the path of a socket has 107 characters at most, and a worker's tmp_path takes most of
    them."""
    with TemporaryDirectory(prefix="eos-") as folder:
        yield Path(folder)


@pytest.fixture
def run(tmp_path: Path, scratch: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    programs = {
        "dockerd": _STAND_IN,
        "docker": "#!/bin/sh\nexit 1\n",  # no daemon answers yet
        "busybox": "#!/bin/sh\n",
        "make": "#!/bin/sh\n",
    }
    for name, text in programs.items():
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(text)
        program.chmod(program.stat().st_mode | stat.S_IXUSR)

    started: list[subprocess.Popen[str]] = []

    def start(*command: str, ci: str = "true") -> subprocess.Popen[str]:
        script = subprocess.Popen(
            [_SCRIPT, *command],
            env={
                "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
                "TMPDIR": str(scratch),
                "STAND_IN": str(tmp_path / "daemon"),
                "CI": ci,
            },
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(script)
        return script

    yield start
    for script in started:
        script.kill()
        script.wait(_WAIT_S)
    if (tmp_path / "daemon").exists() and psutil.pid_exists(_daemon(tmp_path)):
        os.kill(_daemon(tmp_path), signal.SIGKILL)  # what a failed test left


def _until(what: str, holds: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + _WAIT_S
    while not holds():
        assert time.monotonic() < give_up_at, f"not within {_WAIT_S} s: {what}"
        time.sleep(0.02)


def _daemon(folder: Path) -> int:
    return int((folder / "daemon").read_text().split()[0])


def test_the_command_has_the_daemon_and_its_exit_code_is_kept(
    run: Callable[..., subprocess.Popen[str]], tmp_path: Path, scratch: Path
) -> None:
    script = run("sh", "-c", 'test -S "${DOCKER_HOST#unix://}" && exit 3')
    assert script.wait(_WAIT_S) == 3
    assert not psutil.pid_exists(_daemon(tmp_path))
    assert not list(scratch.iterdir())


@pytest.mark.thorough
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_the_daemon_ends_with_the_script(
    run: Callable[..., subprocess.Popen[str]],
    tmp_path: Path,
    scratch: Path,
    number: signal.Signals,
) -> None:
    script = run("sh", "-c", 'echo $$ >"$STAND_IN.command"; exec sleep 60')
    told = tmp_path / "daemon.command"
    _until("the command runs", lambda: told.exists() and bool(told.read_text().strip()))
    script.send_signal(number)
    script.wait(_WAIT_S)
    _until("the daemon has ended", lambda: not psutil.pid_exists(_daemon(tmp_path)))
    if number is signal.SIGKILL:  # nobody is there who could end the command
        os.kill(int(told.read_text()), signal.SIGKILL)
    else:
        assert script.returncode == 128 + number
        assert not psutil.pid_exists(int(told.read_text()))
        assert not list(scratch.iterdir())


def test_elsewhere_the_command_is_run_without(
    run: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    script = run("sh", "-c", "exit 4", ci="")
    assert script.wait(_WAIT_S) == 4
    assert script.stderr is not None
    assert "no daemon is started: that is for CI=true, as root" in script.stderr.read()
    assert not (tmp_path / "daemon").exists()


def test_the_command_hears_ctrl_c(run: Callable[..., subprocess.Popen[str]]) -> None:
    """What a shell starts in the background ignores it."""
    asks = "import signal; raise SystemExit(signal.getsignal(signal.SIGINT) is signal.SIG_IGN)"
    assert run(sys.executable, "-c", asks).wait(_WAIT_S) == 0
