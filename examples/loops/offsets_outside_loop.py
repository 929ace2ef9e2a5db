"""WRONG: invoices are written in transactions, but offsets are committed after them, beside them.

python offsets_outside_loop.py BROKERS GROUP INSTANCE INPUT OUTPUT
"""

import faulthandler
import json
import signal
import sys

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Producer

brokers, group, instance, source, target = sys.argv[1:]
consumer = Consumer(
    {
        "bootstrap.servers": brokers,
        "group.id": group,
        "group.instance.id": instance,  # who comes back at once gets its partitions back
        "session.timeout.ms": 6000,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "isolation.level": "read_committed",  # what its writer took back is no order
    }
)
producer = Producer(
    {
        "bootstrap.servers": brokers,
        "transactional.id": f"{group}-{instance}",  # the same after each restart: it fences zombies
        "transaction.timeout.ms": 10000,
    }
)
PATIENCE_S = 10
running = True


def stop(*_):
    global running
    running = False


def invoice(value):
    order = json.loads(value)
    return json.dumps({**order, "total": order["amount"] * 1.2})


def process(batch):
    producer.begin_transaction()
    for message in batch:
        producer.produce(target, key=message.key(), value=invoice(message.value()))
    producer.commit_transaction(PATIENCE_S)
    consumer.commit(asynchronous=False)


def go_back():
    """To what is committed: the records of an aborted transaction come again."""
    for place in consumer.committed(consumer.assignment(), PATIENCE_S):
        place.offset = place.offset if place.offset >= 0 else OFFSET_BEGINNING
        consumer.seek(place)


signal.signal(signal.SIGTERM, stop)
producer.init_transactions(3 * PATIENCE_S)
consumer.subscribe([source])
while running:
    # A client that hangs is ended: whoever starts us again makes it good.
    faulthandler.dump_traceback_later(2 * PATIENCE_S, exit=True)
    batch = [message for message in consumer.consume(200, 0.1) if not message.error()]
    try:
        if batch:
            process(batch)
    except KafkaException as error:
        if not error.args[0].txn_requires_abort():
            raise  # fenced, or nobody answers
        producer.abort_transaction(PATIENCE_S)
        go_back()
consumer.close()
