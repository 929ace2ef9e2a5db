"""Raw batches of a topic, as its leaders hold them: one request to each is always under way."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator, Mapping

from eoscheck.closing import Closing
from eoscheck.cluster.raw_client import RawClient
from eoscheck.cluster.raw_fetcher import FetchedPart as FetchedPart
from eoscheck.cluster.raw_fetcher import Fetcher, PartitionPlace

ANSWER_BYTES = 8 * 1024 * 1024
"""Asked for at once. A broker returns the first batch whole, however large it is."""
_AHEAD = 1
"""Answers that wait for the caller: with the one it has and the one under way, three are held."""
_SILENCE_S = 60.0


class RawLog(Closing):
    """Reads raw batches through connections of a kept client; a context manager.

    Raises InfrastructureError where no broker answers within `timeout_s`.
    """

    def __init__(self, client_config: Mapping[str, str], *, timeout_s: float = 10.0) -> None:
        self._client = RawClient(client_config, timeout_s=timeout_s)
        self._timeout_s = timeout_s

    def read(
        self,
        topic: str,
        spans: Mapping[int, tuple[int, int]],
        *,
        committed: bool,
        answer_bytes: int = ANSWER_BYTES,
        silence_s: float = _SILENCE_S,
    ) -> Reading:
        """Reads each partition from its first offset until a part reaches its second.

        A partition that has nothing more for now gives empty parts about ten times a second, until
        it is dropped. Close the reading, or use it in a `with`.
        """
        return Reading(
            self._client,
            topic,
            spans,
            committed=committed,
            answer_bytes=answer_bytes,
            silence_s=silence_s,
            grace_s=self._timeout_s,
        )

    def close(self) -> None:
        self._client.close()


class Reading(Closing, Iterator[FetchedPart]):
    """Parts of a topic's partitions, each partition's in the order of its log.

    They are fetched in a thread while the caller works on those before. Raises InfrastructureError,
    one line: a topic deleted or created again meanwhile, one that may not be read, and a partition
    whose leader says nothing for `silence_s`.
    """

    def __init__(
        self,
        client: RawClient,
        topic: str,
        spans: Mapping[int, tuple[int, int]],
        *,
        committed: bool,
        answer_bytes: int,
        silence_s: float,
        grace_s: float,
    ) -> None:
        self._fetcher = Fetcher(
            client=client,
            topic=topic,
            committed=committed,
            answer_bytes=answer_bytes,
            silence_s=silence_s,
            grace_s=grace_s,
            places=[
                PartitionPlace(partition=number, offset=start, stop=stop, heard=time.monotonic())
                for number, (start, stop) in spans.items()
                if start < stop
            ],
        )
        self._ready: queue.Queue[list[FetchedPart] | BaseException | None] = queue.Queue(_AHEAD)
        self._parts: list[FetchedPart] = []
        self._over = False
        self._thread = threading.Thread(target=self._run, name=f"fetch {topic}", daemon=True)
        self._thread.start()

    def __next__(self) -> FetchedPart:
        while not self._parts:
            if self._over:
                raise StopIteration
            got = self._ready.get()
            if isinstance(got, list):
                self._parts = got[::-1]
                continue
            self._over = True
            if got is not None:
                raise got
        return self._parts.pop()

    def drop(self, partition: int) -> None:
        """No more of that partition, but for parts that have already come."""
        self._fetcher.dropped.add(partition)

    def close(self) -> None:
        """Waits for the request under way."""
        self._fetcher.stopped = True
        self._over, self._parts = True, []
        while self._thread.is_alive():
            try:
                self._ready.get(timeout=0.05)  # room for what the thread wants to hand on
            except queue.Empty:
                continue
        self._thread.join()

    def _run(self) -> None:
        try:
            for parts in self._fetcher.run():
                self._ready.put(parts)
            self._ready.put(None)
        except BaseException as error:  # noqa: BLE001 - raised where the caller waits
            self._ready.put(error)
