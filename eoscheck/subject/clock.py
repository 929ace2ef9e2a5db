"""A process's own wall clock, stepped while it runs: libfaketime, loaded before the process starts.

libfaketime reads its offset from a file, so a step needs no restart. Only calls through libc are
faked: a statically linked program (most of Go's) keeps the true time. Monotonic clocks stay true,
as they do when a machine's clock is set.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from eoscheck.durations import parse_duration
from eoscheck.errors import InfrastructureError, UsageError

LIBRARY_VARIABLE = "FAKETIME_LIB"
SEEN_TIMEOUT_S = 10.0
"""How long a process may take to look at its clock after a step."""

_NAMES = ("libfaketimeMT.so.1", "libfaketime.so.1")
_FOLDERS = (
    *("/usr/lib/{machine}-linux-gnu/faketime", "/usr/lib64/faketime", "/usr/lib/faketime"),
    *("/usr/local/lib/faketime", "/usr/local/lib64/faketime"),
)
_CACHE_S = 1
"""For so long the library goes on with the offset it has read: 10 by default, and at 0 it would
open its file at each look at the clock."""
_POLL_S = 0.02
_SIGNED = re.compile(r"[+-]")


class Clock:
    """The wall clock of one instance's processes, `offset_s` ahead of the machine's.

    `folder` holds its file. `environment` is what each of the processes must be started with.
    """

    def __init__(
        self, folder: Path, *, library: Path, wall_clock: Callable[[], float] = time.time
    ) -> None:
        self._file = folder / "clock"
        self._library = library
        self._wall_clock = wall_clock
        self._steps: list[tuple[float, float]] = []
        folder.mkdir(parents=True, exist_ok=True)
        self._set(0.0)

    @property
    def offset_s(self) -> float:
        return self._steps[-1][1]

    def environment(self, inherited: Mapping[str, str]) -> dict[str, str]:
        """What is added to the `inherited` variables. What they preload is preloaded still."""
        others = inherited.get("LD_PRELOAD", "")
        return {
            "LD_PRELOAD": f"{self._library} {others}".strip(),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": str(_CACHE_S),
            "DONT_FAKE_MONOTONIC": "1",
            # Else a Java process that waits on a condition sleeps by the wrong clock.
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",
            "FAKETIME_NO_CACHE": "0",
        }

    def step(self, by_s: float, *, pid: int, timeout_s: float = SEEN_TIMEOUT_S) -> dict[str, Any]:
        """Sets it forwards, or back where `by_s` is negative. Returns once process `pid` has looked
        at it: evidence that it goes by the new time. Raises InfrastructureError where it does not.
        """
        self.raise_if_unloaded(pid)
        set_at = time.monotonic()
        self._set(self.offset_s + by_s)
        written = self._file.stat()
        # A reader leaves its mark: an access time that is not the one of the new file.
        while self._file.stat().st_atime_ns == written.st_atime_ns:
            if time.monotonic() - set_at > timeout_s:
                raise InfrastructureError(
                    f"process {pid} did not look at its clock within {timeout_s:g} s of the step "
                    "(or its folder is mounted noatime, and does not tell)"
                )
            time.sleep(_POLL_S)
        return {
            "pid": pid,
            "offset_s": self.offset_s,
            "seen_after_s": round(time.monotonic() - set_at, 3),
        }

    def set_right(self) -> dict[str, Any]:
        """The true time again; idempotent, and true also for processes started later."""
        self._set(0.0)
        return {"offset_s": 0.0}

    def true_time(self, shown: float) -> float:
        """When it was that the clock showed `shown` (Unix seconds); where it did so twice, the
        later time."""
        for number in reversed(range(len(self._steps))):
            since, offset_s = self._steps[number]
            # It takes the library up to its cache's time to notice: the steps overlap by that.
            until = self._steps[number + 1][0] + _CACHE_S if number + 1 < len(self._steps) else None
            true = shown - offset_s
            if true >= since and (until is None or true <= until):
                return true
        return shown

    def raise_if_unloaded(self, pid: int) -> None:
        """Raises InfrastructureError where process `pid` does not have the library."""
        try:
            maps = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise InfrastructureError(f"process {pid} cannot be looked at: {error}") from error
        if str(self._library.resolve()) not in maps:  # the kernel names no links
            raise InfrastructureError(
                f"process {pid} has not loaded {self._library.name}: "
                "is it statically linked, or a wrapper that cleans its environment?"
            )

    def _set(self, offset_s: float) -> None:
        temporary = self._file.with_suffix(".new")
        temporary.write_text(f"{offset_s:+.3f}\n", encoding="ascii")
        # An access time of long ago, so that the first reader's is another one even where the
        # kernel keeps access times only now and then (relatime).
        os.utime(temporary, ns=(0, time.time_ns()))
        temporary.replace(self._file)
        self._steps.append((self._wall_clock(), offset_s))


def parse_step(text: str, *, what: str) -> float:
    """`"+1h"` or `"-90s"` as seconds. Raises UsageError."""
    if not _SIGNED.match(text):
        raise UsageError(f'{what} needs a sign: "+1h" is forwards, "-1h" back; not {text!r}')
    seconds = parse_duration(text[1:], what=what)
    if seconds == 0:
        raise UsageError(f"{what} is no step: {text!r}")
    return -seconds if text[0] == "-" else seconds


def find_library(env: Mapping[str, str] = os.environ) -> Path:
    """libfaketime, by FAKETIME_LIB, in the usual places, or from PyPI. Raises UsageError."""
    if sys.platform != "linux":
        raise UsageError("a fault of the clock needs libfaketime on Linux")
    if given := env.get(LIBRARY_VARIABLE):
        path = Path(given)
        if not path.is_file():
            raise UsageError(f"{LIBRARY_VARIABLE} is {given}, and there is no such file")
        return path.resolve()
    for path in _candidates():
        if path.is_file():
            return path
    raise UsageError(
        "a fault of the clock needs libfaketime: pip install 'eoscheck[clock]', or "
        f"apt-get install libfaketime, or name the library in {LIBRARY_VARIABLE}"
    )


def _candidates() -> Iterable[Path]:
    for folder in _FOLDERS:
        for name in _NAMES:
            yield Path(folder.format(machine=os.uname().machine)) / name
    package = find_spec("libfaketime")
    for place in package.submodule_search_locations or () if package else ():
        yield from sorted(Path(place).rglob("libfaketime.so.1"))
