"""The last committed value of each key: a table as its topic holds it."""

from __future__ import annotations

from collections.abc import Sequence

from eoscheck.audit.checks.results import TableEntry
from eoscheck.audit.identity import parse
from eoscheck.audit.records import Content, Misfits, Place
from eoscheck.history.events import Identity

_MISFITS_SHOWN = 5


class TableBuilder:
    """Takes the records of one topic in batches. Keys are those of the records, as text."""

    def __init__(self, topic: str, *, result: str) -> None:
        self.topic = topic
        self.expressions = (result,)
        self.unidentified = 0
        self._key = parse("key")
        self._result = parse(result)
        self._last: dict[Identity, tuple[int, int, int | None, bool]] = {}
        self._unfit: list[Place] = []
        self._unfit_count = 0

    def add(
        self, partitions: Sequence[int], offsets: Sequence[int], contents: Sequence[Content]
    ) -> None:
        for partition, offset, (key, value, headers) in zip(
            partitions, offsets, contents, strict=True
        ):
            name = self._key(key, None, None)
            found = None if value is None else self._result(key, value, headers)
            number = found if isinstance(found, int) and abs(found) < 2**62 else None
            fits = name is not None and (value is None or number is not None)
            if not fits:
                self._unfit_count += 1
                if len(self._unfit) < _MISFITS_SHOWN:
                    self._unfit.append(Place(self.topic, partition, offset))
            if name is None:
                self.unidentified += 1
            else:
                self._last[name] = (partition, offset, number, fits)

    def entries(self) -> list[TableEntry]:
        return [
            TableEntry(
                key=name, place=Place(self.topic, partition, offset), value=number, fits=fits
            )
            for name, (partition, offset, number, fits) in self._last.items()
        ]

    def misfits(self) -> list[Misfits]:
        if not self._unfit_count:
            return []
        return [Misfits(expression=self.expressions[0], count=self._unfit_count, first=self._unfit)]
