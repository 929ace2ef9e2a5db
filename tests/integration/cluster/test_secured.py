"""Somebody's own Kafka, with TLS, logins and rights: what our clients take, and what they say."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AclOperation, ResourceType  # type: ignore[attr-defined]
from kafka.errors import SaslAuthenticationFailedError

from eoscheck.cluster import ClusterView, NewTopic, create_topics
from eoscheck.cluster.admin_client import open_admin
from eoscheck.cluster.configs import ConfigView
from eoscheck.cluster.external import ExternalCluster
from eoscheck.cluster.oauth import ClientCredentials
from eoscheck.cluster.raw_fetch import RawFetch
from eoscheck.cluster.raw_log import RawLog
from eoscheck.cluster.rights import sees_every_transaction
from eoscheck.cluster.transactions import TransactionView
from eoscheck.errors import EoscheckError, InfrastructureError, UsageError
from eoscheck.process import Supervisor
from tests.integration.cluster.secured import (
    PASSWORD,
    STORE_PASSWORD,
    Authority,
    Secured,
    TokenEndpoint,
    jaas,
    mutual_tls_broker,
    sasl_ssl_broker,
    token_endpoint,
    write_properties,
)

_MAY_READ = "may-read"
_MAY_NOT = "may-not"
_GROUP = "may-see"
_WRONG = "wrong-secret"


@pytest.fixture(scope="module")
def sasl(supervisor: Supervisor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """`auditor` may READ one topic and DESCRIBE one group, `stranger` nothing."""
    with sasl_ssl_broker(supervisor, tmp_path_factory.mktemp("sasl")) as started:
        create_topics(started.inside, [NewTopic(name=_MAY_READ), NewTopic(name=_MAY_NOT)])
        _commit(started, _GROUP, 5)
        _commit(started, "hidden", 5)
        started.allow(
            "auditor",
            (ResourceType.TOPIC, _MAY_READ, AclOperation.READ),
            (ResourceType.GROUP, _GROUP, AclOperation.DESCRIBE),
        )
        yield started


@pytest.fixture(scope="module")
def mutual(supervisor: Supervisor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    with mutual_tls_broker(supervisor, tmp_path_factory.mktemp("mutual")) as started:
        create_topics(started.inside, [NewTopic(name=_MAY_READ)])
        started.allow("CN=auditor", (ResourceType.TOPIC, _MAY_READ, AclOperation.READ))
        yield started


@pytest.fixture
def endpoint() -> Iterator[TokenEndpoint]:
    with token_endpoint() as started:
        yield started


def test_each_login_with_a_password_is_taken_by_both_clients(sasl: Secured) -> None:
    for mechanism in ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"):
        _both_read(sasl, sasl.login(mechanism))


def test_a_token_is_fetched_by_both_clients(sasl: Secured, endpoint: TokenEndpoint) -> None:
    _both_read(sasl, _oauth(sasl, endpoint, clientId="auditor", clientSecret=PASSWORD))
    assert endpoint.asked >= 2, "each has its own"


def test_a_token_may_be_described_by_properties_of_its_own_as_since_kafka_4_1(
    sasl: Secured, endpoint: TokenEndpoint
) -> None:
    file = sasl.properties(
        "kip-1139",
        security_protocol="SASL_SSL",
        sasl_mechanism="OAUTHBEARER",
        sasl_oauthbearer_token_endpoint_url=endpoint.url,
        sasl_oauthbearer_client_credentials_client_id="auditor",
        sasl_oauthbearer_client_credentials_client_secret=PASSWORD,
        sasl_oauthbearer_scope="read",
        sasl_jaas_config=jaas("OAUTHBEARER"),
    )
    _both_read(sasl, file)


def test_a_token_is_kept_while_it_is_good(endpoint: TokenEndpoint) -> None:
    now = [0.0]
    config = {
        "sasl.oauthbearer.token.endpoint.url": endpoint.url,
        "sasl.oauthbearer.client.id": "auditor",
        "sasl.oauthbearer.client.secret": PASSWORD,
        "sasl.oauthbearer.extensions": "logicalCluster=a,pool=b=c",
    }
    provider = ClientCredentials(config, clock=lambda: now[0])
    first = provider.token()
    now[0] = 239.0  # of 300 s
    assert (provider.token(), endpoint.asked) == (first, 1)
    now[0] = 241.0
    provider.token()
    assert endpoint.asked == 2
    assert provider.extensions() == {"logicalCluster": "a", "pool": "b=c"}
    endpoint.secret = "another"
    now[0] = 900.0
    with pytest.raises(SaslAuthenticationFailedError, match=r"no token from http.*401") as caught:
        provider.token()
    assert PASSWORD not in str(caught.value)


def test_each_key_store_is_taken_by_both_clients(mutual: Secured, tmp_path: Path) -> None:
    me = mutual.authority.issue("auditor")
    stores = {
        "pem": {"ssl.keystore.type": "PEM", "ssl.keystore.location": str(me.pem)},
        "encrypted-pem": {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(me.encrypted_pem),
            "ssl.key.password": STORE_PASSWORD,
        },
        "pkcs12": {
            "ssl.keystore.type": "PKCS12",
            "ssl.keystore.location": str(me.pkcs12),
            "ssl.keystore.password": STORE_PASSWORD,
        },
        "inline": {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.certificate.chain": me.certificate,
            "ssl.keystore.key": me.key,
            "ssl.truststore.certificates": mutual.authority.pem,
        },
    }
    for name, store in stores.items():
        trust = {"ssl.truststore.type": "PEM"}
        if name != "inline":
            trust["ssl.truststore.location"] = str(mutual.authority.file)
        file = write_properties(tmp_path / name, {"security.protocol": "SSL", **trust, **store})
        _both_read(mutual, file)


def test_a_refused_login_is_one_line_at_once_and_shows_no_secret(
    sasl: Secured, endpoint: TokenEndpoint, capfd: pytest.CaptureFixture[str]
) -> None:
    other = Authority(sasl.folder, "another authority")
    untrusted = sasl.properties(
        "untrusted",
        security_protocol="SASL_SSL",
        sasl_mechanism="PLAIN",
        sasl_jaas_config=jaas("PLAIN", username="auditor", password=_WRONG),
        ssl_truststore_location=str(other.file),
    )
    refused = [
        (sasl.login("SCRAM-SHA-512", password=_WRONG), "invalid credentials"),
        (sasl.login("PLAIN", password=_WRONG), "Invalid username or password"),
        (untrusted, "certificate verify failed"),
        (_oauth(sasl, endpoint, clientId="auditor", clientSecret=_WRONG), "invalid_client"),
    ]
    for file, reason in refused:
        config = _config(sasl, file)
        with pytest.raises(InfrastructureError, match=f"did not let us in: .*{reason}") as caught:
            ClusterView(config, timeout_s=120.0)  # at once: pytest's time-out would end this
        assert _WRONG not in str(caught.value)
        assert "\n" not in str(caught.value)
        with pytest.raises(InfrastructureError, match="no Kafka broker answers") as caught:
            open_admin(config, timeout_s=1.0)
        assert _WRONG not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_a_wrong_protocol_is_one_line_that_names_the_fix(sasl: Secured, mutual: Secured) -> None:
    for broker, config in (
        (sasl, {"bootstrap.servers": sasl.servers}),
        (mutual, _config(mutual, mutual.properties("none", security_protocol="SSL"))),
    ):
        with pytest.raises(InfrastructureError, match=r"closes every conn.*--command-config"):
            ClusterView(config, timeout_s=1.0)
        assert broker.embedded.failure() is None


def test_a_store_that_cannot_be_opened_is_one_line(mutual: Secured) -> None:
    me = mutual.authority.issue("somebody")
    wrong = {
        "p12": ("PKCS12", me.pkcs12, "ssl_keystore_password", "password"),
        "pem": ("PEM", me.encrypted_pem, "ssl_key_password", "PEM lib"),
        "gone": ("PEM", me.pem.with_name("gone"), "ssl_key_password", "No such file"),
    }
    for name, (kind, store, password, reason) in wrong.items():
        file = mutual.properties(
            name,
            security_protocol="SSL",
            ssl_keystore_type=kind,
            ssl_keystore_location=str(store),
            **{password: _WRONG},
        )
        config = _config(mutual, file)
        with pytest.raises(UsageError, match=f"the key store cannot be read .*{reason}") as caught:
            open_admin(config, timeout_s=1.0)
        assert _WRONG not in str(caught.value)
        with pytest.raises(InfrastructureError, match="the client cannot be made") as failed:
            ClusterView(config)
        assert _WRONG not in str(failed.value)


def test_read_on_a_topic_is_all_that_its_offsets_batches_and_producers_need(sasl: Secured) -> None:
    config = _config(sasl, sasl.login("SCRAM-SHA-256"))
    with ClusterView(config) as view, TransactionView(config) as transactions:
        assert view.topics() == [_MAY_READ]
        assert view.log_starts(_MAY_READ) == view.last_stable_offsets(_MAY_READ) == {0: 0}
        assert view.committed(_GROUP, _MAY_READ) == {0: 5}
        assert transactions.producers(_MAY_READ, 0) == []
    with RawFetch(config) as log:
        assert not log.fetch(_MAY_READ, 0, 0, committed=False).records


def test_a_login_that_ends_while_a_topic_is_read_is_renewed(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    """A broker closes connections that do not log in again in time (KIP-368)."""
    with (
        sasl_ssl_broker(supervisor, tmp_path, connections_max_reauth_ms="1000") as broker,
        token_endpoint(lifetime_s=2.0) as endpoint,
    ):
        create_topics(broker.inside, [NewTopic(name="t")])
        broker.allow("auditor", (ResourceType.TOPIC, "t", AclOperation.READ))
        producer = Producer({**broker.inside, "batch.size": 1000, "log_level": 0})
        for _ in range(1000):
            producer.produce("t", b"x" * 100, partition=0)
        assert producer.flush(30.0) == 0
        config = _config(
            broker, _oauth(broker, endpoint, clientId="auditor", clientSecret=PASSWORD)
        )
        end, began = 0, time.monotonic()
        with (
            ClusterView(config) as view,
            RawLog(config) as log,
            log.read("t", {0: (0, 1000)}, committed=True, answer_bytes=1000) as reading,
        ):
            for part in reading:
                end = part.next_offset
                time.sleep(0.03)  # somebody who works on each part
            assert end == 1000
            assert time.monotonic() - began > 2.0, "longer than a login and a token last"
            assert view.high_watermarks("t") == {0: 1000}


@pytest.mark.parametrize(
    ("ask", "what", "right"),
    [
        (lambda c: ClusterView(c).partitions(_MAY_NOT), f"topic '{_MAY_NOT}'", "READ on the topic"),
        (lambda c: ClusterView(c).committed("hidden", _MAY_READ), "group 'hidden'", "the group"),
        (lambda c: ClusterView(c).group_members("hidden"), "group 'hidden'", "DESCRIBE or READ on"),
        (
            lambda c: ConfigView(c).compacted(_MAY_READ),
            f"cleanup.policy of {_MAY_READ}",
            "DESCRIBE_CONFIGS on the topic",
        ),
        (
            lambda c: ConfigView(c).transaction_sweep_ms(),
            "cleanup.interval.ms",
            "DESCRIBE_CONFIGS on the cluster",
        ),
    ],
    ids=["topic", "offsets", "members", "compaction", "sweep"],
)
def test_what_may_not_be_read_is_named_with_the_right_that_is_missing(
    sasl: Secured, ask: Callable[[dict[str, str]], object], what: str, right: str
) -> None:
    config = _config(sasl, sasl.login("SCRAM-SHA-256"))
    with pytest.raises(EoscheckError, match=f"{re.escape(what)}.*{right}.* is needed") as caught:
        ask(config)
    assert "\n" not in str(caught.value)


def test_transactions_that_are_hidden_from_us_are_not_taken_for_none(sasl: Secured) -> None:
    Producer({**sasl.inside, "transactional.id": "its-own", "log_level": 0}).init_transactions(30.0)
    config = _config(sasl, sasl.login("PLAIN"))
    assert not sees_every_transaction(config)
    sasl.allow("auditor", (ResourceType.TRANSACTIONAL_ID, "its-own", AclOperation.DESCRIBE))
    assert not sees_every_transaction(config)
    assert sees_every_transaction(sasl.inside)
    sasl.allow("stranger", (ResourceType.TRANSACTIONAL_ID, "*", AclOperation.DESCRIBE))
    assert sees_every_transaction(_config(sasl, sasl.login("PLAIN", user="stranger")))


def _oauth(broker: Secured, endpoint: TokenEndpoint, **options: str) -> Path:
    return broker.properties(
        "oauth",
        security_protocol="SASL_SSL",
        sasl_mechanism="OAUTHBEARER",
        sasl_oauthbearer_token_endpoint_url=endpoint.url,
        sasl_jaas_config=jaas("OAUTHBEARER", **options),
    )


def _config(broker: Secured, file: Path) -> dict[str, str]:
    return ExternalCluster(bootstrap_server=broker.servers, command_config=file).client_config


def _both_read(broker: Secured, file: Path) -> None:
    """confluent-kafka and kafka-python."""
    config = _config(broker, file)
    with ClusterView(config) as view:
        assert view.topics() == [_MAY_READ], file
    admin = open_admin(config, timeout_s=10.0)
    try:
        assert admin.list_topics() == [_MAY_READ], file
    finally:
        admin.close()


def _commit(broker: Secured, group: str, offset: int) -> None:
    consumer = Consumer({**broker.inside, "group.id": group, "log_level": 0})
    consumer.commit(offsets=[TopicPartition(_MAY_READ, 0, offset)], asynchronous=False)
    consumer.close()
