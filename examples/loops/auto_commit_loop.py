"""WRONG: the client commits offsets by itself, every now and then, whatever has become of the
invoices.

    python auto_commit_loop.py BROKERS GROUP INSTANCE INPUT OUTPUT
"""

import json
import signal
import sys

from confluent_kafka import Consumer, Producer

brokers, group, instance, source, target = sys.argv[1:]
consumer = Consumer(
    {
        "bootstrap.servers": brokers,
        "group.id": group,
        "group.instance.id": instance,
        "session.timeout.ms": 6000,
        "auto.offset.reset": "earliest",
        "isolation.level": "read_committed",
    }
)
producer = Producer({"bootstrap.servers": brokers, "enable.idempotence": True})
running = True


def stop(*_):
    global running
    running = False


def invoice(value):
    order = json.loads(value)
    return json.dumps({**order, "total": order["amount"] * 1.2})


signal.signal(signal.SIGTERM, stop)
consumer.subscribe([source])
while running:
    for message in consumer.consume(200, 0.1):
        if not message.error():
            producer.produce(target, key=message.key(), value=invoice(message.value()))
    producer.poll(0)
producer.flush()
consumer.close()
