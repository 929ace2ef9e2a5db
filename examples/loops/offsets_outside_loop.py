"""WRONG: invoices are written in transactions, but offsets are committed after them, beside them.

python offsets_outside_loop.py BROKERS GROUP INSTANCE INPUT OUTPUT
"""

import faulthandler
import json
import signal
import sys
from threading import Event

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Producer

brokers, group, instance, source, target = sys.argv[1:]
reading = {
    "bootstrap.servers": brokers,
    "group.id": group,
    "group.instance.id": instance,  # who comes back at once gets its partitions back
    "session.timeout.ms": 6000,
    "auto.offset.reset": "earliest",
    "enable.auto.commit": False,
    "isolation.level": "read_committed",  # what its writer took back is no order
}
writing = {
    "bootstrap.servers": brokers,
    "transactional.id": f"{group}-{instance}",  # the same after each restart: it fences zombies
    "transaction.timeout.ms": 10000,
}
consumer, producer, stopped = Consumer(reading), Producer(writing), Event()
signal.signal(signal.SIGTERM, lambda *_: stopped.set())


def invoice(order):
    return json.dumps({**order, "total": order["amount"] * 1.2})


def process(batch):
    producer.begin_transaction()
    for message in batch:
        producer.produce(target, key=message.key(), value=invoice(json.loads(message.value())))
    producer.commit_transaction(10)
    consumer.commit(asynchronous=False)


def roll_back():
    """And go back to what is committed: the records come again."""
    producer.abort_transaction(10)
    for place in consumer.committed(consumer.assignment(), 10):
        place.offset = place.offset if place.offset >= 0 else OFFSET_BEGINNING
        consumer.seek(place)


producer.init_transactions(30)
consumer.subscribe([source])
while not stopped.is_set():
    faulthandler.dump_traceback_later(20, exit=True)  # who hangs is ended, and started again
    batch = [message for message in consumer.consume(200, 0.1) if not message.error()]
    try:
        if batch:
            process(batch)
    except KafkaException as error:
        if not error.args[0].txn_requires_abort():
            raise  # fenced, or nobody answers
        roll_back()
consumer.close()
