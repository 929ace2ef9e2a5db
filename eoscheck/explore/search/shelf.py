"""Failures that are kept for the next search, in Hypothesis's database (a folder).

They are kept as schedules, not as Hypothesis's own choices: those mean something else with every
change to a strategy, and a schedule that was shrunk by us was never drawn.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from hypothesis.database import DirectoryBasedExampleDatabase, ExampleDatabase

from eoscheck.explore.search.schedule import Schedule, decode


class Shelf:
    """What failed for one subject. `document` is its scenario without faults: another command, or
    another option, is another subject."""

    def __init__(self, database: ExampleDatabase, *, document: Mapping[str, Any]) -> None:
        told = msgspec.json.encode(document, order="sorted")
        self._key = b"eoscheck-explore-" + hashlib.sha256(told).hexdigest().encode()
        self._database = database

    def stored(self) -> list[Schedule]:
        """Fewest faults first. What this version cannot read is not there."""
        found = (decode(value) for value in self._database.fetch(self._key))
        return sorted(
            (each for each in found if each is not None),
            key=lambda each: (len(each.faults), each.key),
        )

    def keep(self, schedule: Schedule) -> None:
        self._database.save(self._key, schedule.key)

    def drop(self, schedule: Schedule) -> None:
        self._database.delete(self._key, schedule.key)


def open_database(folder: Path) -> ExampleDatabase:
    return DirectoryBasedExampleDatabase(folder)
