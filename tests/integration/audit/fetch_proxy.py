"""A proxy that lies: it stands between a client and a broker, and rewrites answers to Fetch.

For tests of what no broker does: a list of aborted transactions that is not true, markers of the
other kind, epochs that fall, batches that are not there. Other answers pass as they are, but that
every broker is where the proxy is.
"""

from __future__ import annotations

import asyncio
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from crc32c import crc32c
from kafka.protocol.consumer import FetchResponse
from kafka.protocol.metadata import FindCoordinatorResponse, MetadataResponse

from eoscheck.logformat import Control, read_batches

HOST = "127.0.0.1"
_LENGTH = struct.Struct(">i")
_REQUEST = struct.Struct(">hhi")
_FETCH, _METADATA, _FIND_COORDINATOR = 1, 3, 10
_MOVED: dict[int, Any] = {_METADATA: MetadataResponse, _FIND_COORDINATOR: FindCoordinatorResponse}
_CRC, _CHECKED, _EPOCH, _RECORDS = 17, 21, 51, 61


@dataclass
class Answer:
    """One partition's part of an answer: whole batches, and the list of aborted transactions as
    (producer id, first offset)."""

    batches: list[bytes]
    aborted: list[tuple[int, int]]


Lie = Callable[[Answer], Answer]
Fate = Literal["pass", "keep", "close"]
Proxy = TypeVar("Proxy", bound="FetchProxy")


@dataclass
class FetchProxy:
    """`lie` is asked for every partition of every answer to Fetch; `lies` counts the changed. What
    went wrong
    in the proxy itself is in `failures`, and raised at its end."""

    broker_port: int
    lie: Lie = lambda answer: answer
    port: int = 0
    lies: int = 0
    failures: list[BaseException] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, broker = await asyncio.open_connection(HOST, self.broker_port)
        asked: dict[int, tuple[int, int]] = {}
        directions = [
            asyncio.ensure_future(self._requests(reader, broker, asked)),
            asyncio.ensure_future(self._answers(there, writer, asked)),
        ]
        await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
        for direction in directions:
            direction.cancel()
        ended = await asyncio.gather(*directions, return_exceptions=True)
        self.failures += [
            each
            for each in ended
            if isinstance(each, Exception) and not isinstance(each, ConnectionError)
        ]
        for end in (broker, writer):
            end.close()

    async def _requests(
        self,
        reader: asyncio.StreamReader,
        broker: asyncio.StreamWriter,
        asked: dict[int, tuple[int, int]],
    ) -> None:
        while (frame := await _frame(reader)) is not None:
            key, version, number = _REQUEST.unpack_from(frame)
            asked[number] = key, version
            broker.write(_LENGTH.pack(len(frame)) + frame)
            await broker.drain()

    async def _answers(
        self,
        broker: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        asked: dict[int, tuple[int, int]],
    ) -> None:
        while (frame := await _frame(broker)) is not None:
            (number,) = _LENGTH.unpack_from(frame)
            key, version = asked.pop(number)
            match self.fate(key):
                case "close":
                    return
                case "keep":
                    continue
            frame = self._rewritten(frame, key, version)
            writer.write(_LENGTH.pack(len(frame)) + frame)
            await writer.drain()

    def fate(self, key: int) -> Fate:
        """What becomes of an answer to a request of this API key: it is passed on, kept back, or
        the connection is closed instead of it."""
        return "pass"

    def _rewritten(self, frame: bytes, key: int, version: int) -> bytes:
        kind = FetchResponse if key == _FETCH else _MOVED.get(key)
        if kind is None:
            return frame
        answer = kind.decode(frame, version=version, header=True)
        if key == _FETCH:
            for topic in answer.responses:
                for partition in topic.partitions:
                    self._lie(partition)
        elif key == _METADATA:
            for broker in answer.brokers:
                broker.host, broker.port = HOST, self.port
        else:
            for found in [answer, *(getattr(answer, "coordinators", None) or [])]:
                found.host, found.port = HOST, self.port
        return bytes(answer.encode(header=True))

    def _lie(self, partition: Any) -> None:
        records = bytes(partition.records or b"")
        aborted = [
            (each.producer_id, each.first_offset) for each in partition.aborted_transactions or ()
        ]
        told = self.lie(Answer(split(records), list(aborted)))
        if told.batches != split(records):
            self.lies += 1
            partition.records = b"".join(told.batches)
        if told.aborted != aborted:
            self.lies += 1
            entry = type(partition).AbortedTransaction
            partition.aborted_transactions = [
                entry(producer_id=producer, first_offset=first) for producer, first in told.aborted
            ]


async def _frame(reader: asyncio.StreamReader) -> bytes | None:
    try:
        (size,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        return await reader.readexactly(size)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


@contextmanager
def fetch_proxy(broker: str, lie: Lie) -> Iterator[FetchProxy]:
    """Before the broker at `host:port`."""
    with opened(FetchProxy(broker_port=port_of(broker), lie=lie)) as proxy:
        yield proxy


def port_of(broker: str) -> int:
    return int(broker.rpartition(":")[2])


@contextmanager
def opened(proxy: Proxy) -> Iterator[Proxy]:
    """On a port of its own, in a thread of its own."""
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(proxy.serve, HOST, 0))
    proxy.port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever, name="fetch proxy", daemon=True)
    thread.start()

    async def stop() -> None:
        server.close()
        mine = asyncio.current_task()
        others = [task for task in asyncio.all_tasks() if task is not mine]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    try:
        yield proxy
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result(timeout=10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=10)
        loop.close()
        if proxy.failures:
            raise AssertionError("the proxy failed") from proxy.failures[0]


# ---------------------------------------------------------------- batches as bytes


def split(data: bytes) -> list[bytes]:
    """The whole batches."""
    batches = read_batches(data)
    ends = zip(batches.start.tolist(), batches.end.tolist(), strict=True)
    return [data[start:end] for start, end in ends]


def base_offset(batch: bytes) -> int:
    return int.from_bytes(batch[:8], "big")


def header(batch: bytes) -> Any:
    """One row of `Batches`."""
    return read_batches(batch)


def with_epoch(batch: bytes, epoch: int) -> bytes:
    return _sealed(batch[:_EPOCH] + epoch.to_bytes(2, "big") + batch[_EPOCH + 2 :])


def with_marker(batch: bytes, kind: Control) -> bytes:
    """A marker of the other kind. Length, attributes, time, offset and the key's length are a byte
    each before the key: a version and the kind."""
    at = _RECORDS + 5 + 2
    assert header(batch).control[0] in (Control.ABORT, Control.COMMIT)
    changed = _sealed(batch[:at] + int(kind).to_bytes(2, "big") + batch[at + 2 :])
    assert header(changed).control[0] == kind
    return changed


def flipped(batch: bytes, at: int = -1) -> bytes:
    """One bit is wrong, and the CRC as it was."""
    damaged = bytearray(batch)
    damaged[at] ^= 1
    return bytes(damaged)


def without(batches: Sequence[bytes], *offsets: int) -> list[bytes]:
    return [batch for batch in batches if base_offset(batch) not in offsets]


def _sealed(batch: bytes) -> bytes:
    crc = crc32c(batch[_CHECKED:]).to_bytes(4, "big")
    return batch[:_CRC] + crc + batch[_CHECKED:]
