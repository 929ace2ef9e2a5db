"""The chart library, uPlot (MIT): never part of this repository, fetched by lock file, inlined."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from eoscheck.artifacts import fetch
from eoscheck.errors import InfrastructureError

LOCK = Path(__file__).with_name("uplot-1.6.30.lock.json")
_SCRIPT = "/dist/uPlot.iife.min.js"
_STYLE = "/dist/uPlot.min.css"
_LICENSE = "/LICENSE"


@dataclass(frozen=True, kw_only=True)
class ChartLibrary:
    """Text to inline. `license` has to stand beside the script, wherever it goes."""

    script: str
    style: str
    license: str


@dataclass(frozen=True, kw_only=True)
class NoCharts:
    """The library could not be had, and why: one line that names the fix."""

    reason: str


def chart_library(
    *, cache: Path | None = None, progress: Callable[[str], None] | None = None
) -> ChartLibrary | NoCharts:
    """From the cache, else from the Maven repository. A report without charts is still a report,
    so what is missing is said and not raised."""
    try:
        [jar] = fetch(LOCK, cache=cache, progress=progress)
    except InfrastructureError as error:
        return NoCharts(reason=str(error))
    with zipfile.ZipFile(jar) as archive:
        return ChartLibrary(
            script=_read(archive, _SCRIPT),
            style=_read(archive, _STYLE),
            license=_read(archive, _LICENSE),
        )


def _read(archive: zipfile.ZipFile, ending: str) -> str:
    [name] = [name for name in archive.namelist() if name.endswith(ending)]
    return archive.read(name).decode()
