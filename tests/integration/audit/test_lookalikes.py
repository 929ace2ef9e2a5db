"""Innocent look-alikes of anomalies that no other file of tests has.

Elsewhere: aborted transactions, control records and a re-keyed topic (`test_audit_planted`),
compaction and retention (`test_audit_unknown`), records deleted during the read, an empty
partition, a partition added and a topic created again meanwhile (`test_survives_live_topics`).
"""

from __future__ import annotations

from typing import Literal

import msgspec
import pytest
from confluent_kafka import Producer

from eoscheck.audit import AuditSpec, Verdict, run_audit
from eoscheck.cluster import Cluster
from tests.integration.audit.fetch_proxy import HOST
from tests.integration.audit.forgetful_proxy import forgetful_proxy
from tests.integration.audit.writing import WAIT_S, Topics, payment

PAYMENTS = range(20)


def write_receipts(producer: Producer, topic: str) -> list[int]:
    """One batch each, in partition 0: their offsets."""
    offsets: list[int] = []

    def delivered(error: object, message: object) -> None:
        assert error is None, error
        offsets.append(message.offset())  # type: ignore[attr-defined]

    for number in PAYMENTS:
        value = msgspec.json.encode({"id": number})
        producer.produce(topic, value, b"r", partition=0, on_delivery=delivered)
        assert producer.flush(WAIT_S) == 0
    return offsets


@pytest.mark.parametrize("reader", ["fast", "client"])
@pytest.mark.parametrize("transactional", [True, False], ids=["transactional", "idempotent"])
def test_a_retry_that_the_broker_suppressed_is_no_duplicate(
    cluster: Cluster,
    topics: Topics,
    pair: tuple[str, str],
    reader: Literal["fast", "client"],
    *,
    transactional: bool,
) -> None:
    source, output = pair
    topics.write(source, *(payment(0, number) for number in PAYMENTS))
    with forgetful_proxy(cluster.bootstrap_servers) as proxy:
        config = {
            "bootstrap.servers": f"{HOST}:{proxy.port}",
            "enable.idempotence": True,
            "linger.ms": 0,
            "retry.backoff.ms": 10,
            "reconnect.backoff.ms": 10,
            "log_level": 0,
        }
        if transactional:
            config["transactional.id"] = f"{output}-retries"
        producer = Producer(config)
        if transactional:
            producer.init_transactions(WAIT_S)
            producer.begin_transaction()
        offsets = write_receipts(producer, output)
        if transactional:
            producer.commit_transaction(WAIT_S)
        assert proxy.forgotten == 1
        # The batch whose answer was lost was sent again, and answered as the one that is there.
        assert proxy.answered == len(PAYMENTS)
    assert offsets == list(PAYMENTS)
    spec = AuditSpec(output=output, input=source, id="json:/id", reader=reader)
    report = run_audit(spec, client_config=cluster.client_config)
    assert report.verdict is Verdict.PASS, (report.findings, report.unknowns)
    assert (report.findings, report.unknowns) == ([], [])
    assert report.counts["output_records"] == len(PAYMENTS)
    assert "repeated_batches" not in report.counts
