"""A plain consume-transform-produce loop on librdkafka, done as its documentation shows it: the
client that most applications are, with nothing of its own around the protocol.

What it does when is fixed, so that a fault at a step of the protocol meets the same thing each
time. A batch of records becomes one transaction: the first half is written to partition 0 of the
output, then, after a pause, the second half to partition 1, then the offsets, and after a pause the
commit. With `--roll-back-every N` each N-th transaction is aborted before its offsets, and its
batch is done again.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import click
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

_TWO_HALVES = 2
_POLL_S = 0.1
_CALL_S = 30.0
_FATAL = 3


@dataclass(frozen=True, kw_only=True)
class Options:
    """`roll_back_every` 0: never."""

    output: str
    batch: int
    pause_s: float
    roll_back_every: int
    transactional: bool


@dataclass
class Loop:
    """One thread; `stop` ends it after the transaction that it is in."""

    consumer: Consumer
    producer: Producer
    options: Options
    stop: threading.Event = field(default_factory=threading.Event)
    transactions: int = 0

    def run(self) -> None:
        if self.options.transactional:
            self.producer.init_transactions(_CALL_S)
        batch: list[Message] = []
        while not self.stop.is_set():
            found = self._poll(self.options.batch - len(batch))
            batch += found
            if not batch or (found and len(batch) < _TWO_HALVES):
                continue  # a record alone waits for one poll more, and no longer
            self.transactions += 1
            done = self._transaction(batch) if self.options.transactional else self._plainly(batch)
            if done:
                batch = []

    def _poll(self, most: int) -> list[Message]:
        if most <= 0:
            return []
        found = []
        for message in self.consumer.consume(most, _POLL_S):
            if message.error() is not None:
                raise KafkaException(message.error())
            found.append(message)
        return found

    def _transaction(self, batch: list[Message]) -> bool:
        """False where the batch has to be done again."""
        every = self.options.roll_back_every
        try:
            self.producer.begin_transaction()
            self._write(batch)
            if every and self.transactions % every == 0:
                self.producer.abort_transaction(_CALL_S)
                return False
            self._again(
                lambda: self.producer.send_offsets_to_transaction(
                    _behind(batch), self.consumer.consumer_group_metadata(), _CALL_S
                )
            )
            time.sleep(self.options.pause_s)
            self._again(lambda: self.producer.commit_transaction(_CALL_S))
        except KafkaException as error:
            if error.args[0].fatal():
                raise
            click.echo(f"aborts: {error}", err=True)
            self.producer.abort_transaction(_CALL_S)
            time.sleep(self.options.pause_s)  # whatever it was may be over then
            return False
        return True

    def _plainly(self, batch: list[Message]) -> bool:
        """At least once: outputs, then offsets."""
        self._write(batch)
        self.consumer.commit(offsets=_behind(batch), asynchronous=False)
        return True

    def _write(self, batch: list[Message]) -> None:
        half = len(batch) // 2
        for partition, part in enumerate((batch[:half], batch[half:])):
            for message in part:
                self.producer.produce(
                    self.options.output,
                    key=message.key(),
                    value=_output(message, transaction=self.transactions),
                    partition=partition,
                )
            self.producer.flush(_CALL_S)
            if partition == 0:
                time.sleep(self.options.pause_s)

    def _again(self, call: Callable[[], Any]) -> None:
        """As librdkafka wants it: what is retriable is called again, as it was."""
        give_up_at = time.monotonic() + _CALL_S
        while True:
            try:
                call()
            except KafkaException as error:
                if not error.args[0].retriable() or time.monotonic() > give_up_at:
                    raise
            else:
                return


def _output(message: Message, *, transaction: int) -> bytes:
    value = message.value()
    assert value is not None
    return json.dumps(json.loads(value) | {"transaction": transaction}).encode()


def _behind(batch: list[Message]) -> list[TopicPartition]:
    ends: dict[tuple[str, int], int] = {}
    for message in batch:
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        assert topic is not None
        assert partition is not None
        assert offset is not None
        ends[topic, partition] = max(ends.get((topic, partition), 0), offset + 1)
    return [TopicPartition(topic, partition, end) for (topic, partition), end in ends.items()]


@click.command()
@click.option("--bootstrap-server", required=True)
@click.option("--group", required=True)
@click.option("--transactional-id", help="Exactly once; without it at least once.")
@click.option("--input", "input_topic", required=True)
@click.option("--output", required=True, help="Has two partitions or more.")
@click.option("--batch", type=int, default=20, show_default=True)
@click.option("--pause-ms", type=int, default=400, show_default=True)
@click.option("--roll-back-every", type=int, default=0, show_default=True)
@click.option(
    "--isolation-level",
    type=click.Choice(["read_committed", "read_uncommitted"]),
    default="read_committed",
    show_default=True,
)
@click.option("--session-timeout-ms", type=int, default=6000, show_default=True)
@click.option("--message-timeout-ms", type=int, default=30000, show_default=True)
@click.option("--client-id", help="Default: the group.")
@click.option("--at-least-once", is_flag=True, help="Without transactions, whatever the id.")
def main(
    *,
    bootstrap_server: str,
    group: str,
    transactional_id: str | None,
    input_topic: str,
    output: str,
    batch: int,
    pause_ms: int,
    roll_back_every: int,
    isolation_level: str,
    session_timeout_ms: int,
    message_timeout_ms: int,
    client_id: str | None,
    at_least_once: bool,
) -> None:
    """Copy records from one topic to another, each exactly once."""
    common = {"bootstrap.servers": bootstrap_server, "client.id": client_id or group}
    transactional = transactional_id is not None and not at_least_once
    consumer = Consumer(
        common
        | {
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "session.timeout.ms": session_timeout_ms,
            "heartbeat.interval.ms": session_timeout_ms // 10,
            "isolation.level": isolation_level,
        }
    )
    ids = {"transactional.id": transactional_id} if transactional else {}
    timeout = {"message.timeout.ms": message_timeout_ms}
    producer = Producer(common | ids | timeout | {"enable.idempotence": True})
    loop = Loop(
        consumer=consumer,
        producer=producer,
        options=Options(
            output=output,
            batch=batch,
            pause_s=pause_ms / 1000,
            roll_back_every=roll_back_every,
            transactional=transactional,
        ),
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: loop.stop.set())
    consumer.subscribe([input_topic])
    try:
        loop.run()
    except KafkaException as error:
        cause = error.args[0]
        click.echo(f"ends: {error}", err=True)
        sys.exit(_FATAL if isinstance(cause, KafkaError) and cause.fatal() else 1)
    finally:
        consumer.close()


if __name__ == "__main__":
    main()
