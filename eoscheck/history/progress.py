"""What is due and what has come out, followed while a history is written."""

from __future__ import annotations

from collections import defaultdict

from eoscheck.history.events import Event, OutputsObserved, SendsAcknowledged


class Progress:
    """Follows the history as it is written: what is due, and what has come out.

    `due` is, for each input partition, one past the last acknowledged record: the offset a group
    commits when it is done. (The high watermark would not do: a transaction's marker lies behind
    the last record, and many clients never commit past it.) `topic` is the input's.
    """

    def __init__(self) -> None:
        self.topic = ""
        self.due: dict[int, int] = {}
        self.observed_to: dict[int, int] = defaultdict(int)
        self.last_output_at = 0.0
        self.outputs = 0
        self.acknowledged = 0

    def __call__(self, event: Event) -> None:
        if isinstance(event, SendsAcknowledged):
            self.topic = event.topic
            self.acknowledged += len(event.identities)
            for partition, offset in zip(event.partitions, event.offsets, strict=True):
                self.due[partition] = max(self.due.get(partition, 0), offset + 1)
        elif isinstance(event, OutputsObserved):
            self.observed_to[event.partition] = event.last_offset + 1
            self.last_output_at = event.t
            self.outputs += len(event.identities)
