"""WRONG: the client commits offsets by itself, every now and then, whatever has become of the
invoices.

    python auto_commit_loop.py BROKERS GROUP INSTANCE INPUT OUTPUT
"""

import json
import signal
import sys
from threading import Event

from confluent_kafka import Consumer, Producer

brokers, group, instance, source, target = sys.argv[1:]
reading = {
    "bootstrap.servers": brokers,
    "group.id": group,
    "group.instance.id": instance,
    "session.timeout.ms": 6000,
    "auto.offset.reset": "earliest",
    "isolation.level": "read_committed",
}
writing = {"bootstrap.servers": brokers, "enable.idempotence": True}
consumer, producer, stopped = Consumer(reading), Producer(writing), Event()
signal.signal(signal.SIGTERM, lambda *_: stopped.set())


def invoice(order):
    return json.dumps({**order, "total": order["amount"] * 1.2})


consumer.subscribe([source])
while not stopped.is_set():
    for message in consumer.consume(200, 0.1):
        if not message.error():
            value = invoice(json.loads(message.value()))
            producer.produce(target, key=message.key(), value=value)
    producer.poll(0)
producer.flush()
consumer.close()
