"""A Java client properties file says the same to librdkafka, or is refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from eoscheck.cluster.client_properties import librdkafka_properties, read_client_properties
from eoscheck.cluster.external import ExternalCluster
from eoscheck.errors import UsageError

_PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule required"
_OAUTH = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required"
_SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required"


@pytest.mark.parametrize(
    ("java", "librdkafka"),
    [
        ({"client.id": "me", "bootstrap.servers": "x:1"}, {"client.id": "me"}),
        ({"request.timeout.ms": "5000"}, {"socket.timeout.ms": "5000"}),
        ({"sasl.mechanism": "SCRAM-SHA-512"}, {"sasl.mechanisms": "SCRAM-SHA-512"}),
        (
            {"sasl.jaas.config": f'{_PLAIN} username="al;ice" password="a\\"b\\\\c";'},
            {"sasl.username": "al;ice", "sasl.password": 'a"b\\c'},
        ),
        (
            {"sasl.jaas.config": f"{_SCRAM}\n  username=alice\n  password=secret ;\n"},
            {"sasl.username": "alice", "sasl.password": "secret"},
        ),
        (
            {"ssl.truststore.type": "PEM", "ssl.truststore.location": "/ca.pem"},
            {"ssl.ca.location": "/ca.pem"},
        ),
        ({"ssl.truststore.certificates": "-----B"}, {"ssl.ca.pem": "-----B"}),
        (
            {
                "ssl.keystore.type": "pem",
                "ssl.keystore.location": "/me.pem",
                "ssl.key.password": "p",
            },
            {
                "ssl.certificate.location": "/me.pem",
                "ssl.key.location": "/me.pem",
                "ssl.key.password": "p",
            },
        ),
        (
            {
                "ssl.keystore.type": "PKCS12",
                "ssl.keystore.location": "/me.p12",
                "ssl.keystore.password": "p",
            },
            {"ssl.keystore.location": "/me.p12", "ssl.keystore.password": "p"},
        ),
        (
            {"ssl.endpoint.identification.algorithm": ""},
            {"ssl.endpoint.identification.algorithm": "none"},
        ),
        ({"ssl.ca.location": "/ca.pem"}, {"ssl.ca.location": "/ca.pem"}),
        ({"acks": "all", "key.deserializer": "X", "ssl.enabled.protocols": "TLSv1.3"}, {}),
        (
            {
                "sasl.mechanism": "OAUTHBEARER",
                "sasl.login.callback.handler.class": "org.apache.kafka.common.security."
                "oauthbearer.secured.OAuthBearerLoginCallbackHandler",
                "sasl.oauthbearer.token.endpoint.url": "https://x/t",
                "sasl.jaas.config": f"{_OAUTH} clientId='a' clientSecret=\"s\" scope=all "
                'extension_logicalCluster="c" extension_pool=p;',
            },
            {
                "sasl.mechanisms": "OAUTHBEARER",
                "sasl.oauthbearer.method": "oidc",
                "sasl.oauthbearer.token.endpoint.url": "https://x/t",
                "sasl.oauthbearer.client.id": "'a'",
                "sasl.oauthbearer.client.secret": "s",
                "sasl.oauthbearer.scope": "all",
                "sasl.oauthbearer.extensions": "logicalCluster=c,pool=p",
            },
        ),
    ],
)
def test_properties_are_translated(java: dict[str, str], librdkafka: dict[str, str]) -> None:
    assert librdkafka_properties(java) == librdkafka


@pytest.mark.parametrize(
    ("java", "complaint"),
    [
        ({"config.providers": "file"}, "'config.providers' has no counterpart"),
        ({"sasl.kerberos.service.name": "secret"}, "Kerberos cannot be used here: supported are"),
        ({"ack": "all"}, "'ack' has no counterpart.*'acks'"),
        ({"sasl.mechansim": "PLAIN"}, "'sasl.mechansim' has no counterpart.*'sasl.mechanism'"),
        (
            {"ssl.truststore.password": "secret", "ssl.truststore.location": "secret"},
            "'ssl.truststore.type' must be PEM here .*keytool -list -rfc",
        ),
        (
            {"ssl.truststore.password": "secret", "ssl.truststore.type": "PEM"},
            "'ssl.truststore.password': a PEM trust store has none",
        ),
        ({"ssl.truststore.location": "secret"}, "'ssl.truststore.type' must be PEM"),
        (
            {"ssl.keystore.location": "secret", "ssl.keystore.type": "JKS"},
            "'ssl.keystore.type' must be PEM or PKCS12 here .*keytool -importkeystore",
        ),
        ({"sasl.jaas.config": "com.acme.Kerberos required x=secret;"}, "'sasl.jaas.config' must"),
        ({"sasl.jaas.config": f"{_PLAIN} username=a;"}, "'sasl.jaas.config' must"),
        ({"sasl.jaas.config": f"{_PLAIN} username=a password=secret"}, "semicolon"),
        ({"sasl.jaas.config": f"{_PLAIN} username=a password=secret tokenauth=b;"}, "exactly"),
        ({"sasl.jaas.config": f"{_OAUTH} clientSecert=secret;"}, "'clientSecert' .* clientSecret"),
        (
            {"sasl.login.callback.handler.class": "com.acme.secret.Handler"},
            "'sasl.login.callback.handler.class' can only be org.apache.kafka",
        ),
        ({"security.protocol": "SASL_SSL"}, "'sasl.mechanism' 'GSSAPI' cannot be used here"),
        (
            {"security.protocol": "sasl_ssl", "sasl.mechanism": "SCRAM-SHA-521"},
            "did you mean 'SCRAM-SHA-512'",
        ),
        (
            {"security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN"},
            "PLAIN needs 'sasl.username', which .*'sasl.jaas.config'",
        ),
        (
            {
                "security.protocol": "SASL_SSL",
                "sasl.mechanism": "OAUTHBEARER",
                "sasl.jaas.config": f"{_OAUTH} clientId=a clientSecret=secret;",
            },
            "OAUTHBEARER needs 'sasl.oauthbearer.token.endpoint.url', which .* of its own",
        ),
        (
            {
                "security.protocol": "SASL_SSL",
                "sasl.mechanism": "OAUTHBEARER",
                "sasl.oauthbearer.token.endpoint.url": "file:///secret",
            },
            "'sasl.oauthbearer.token.endpoint.url' must begin with https://",
        ),
    ],
)
def test_what_has_no_counterpart_is_refused_by_name_and_no_value_is_shown(
    tmp_path: Path, java: dict[str, str], complaint: str
) -> None:
    file = tmp_path / "client.properties"
    file.write_text("".join(f"{name}={value}\n" for name, value in java.items()))
    with pytest.raises(UsageError, match=complaint) as caught:
        read_client_properties(file)
    assert str(file) in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_or_unreadable_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_client_properties(tmp_path / "none")
    binary = tmp_path / "keystore.jks"
    binary.write_bytes(b"\xfe\xed\xfe\xed\xff")
    with pytest.raises(UsageError, match="not a properties file"):
        read_client_properties(binary)


def test_an_external_cluster_is_a_configuration_that_librdkafka_takes(tmp_path: Path) -> None:
    file = tmp_path / "client.properties"
    file.write_text(
        "security.protocol=SASL_PLAINTEXT\n"
        "sasl.mechanism=SCRAM-SHA-256\n"
        f'sasl.jaas.config={_SCRAM} \\\n  username="alice" \\\n  password="secret";\n'
    )
    with ExternalCluster(bootstrap_server="127.0.0.1:1", command_config=file) as cluster:
        assert cluster.client_config["sasl.password"] == "secret"
        assert cluster.client_config["bootstrap.servers"] == cluster.direct_servers
        assert not cluster.owned
        assert cluster.description == "external Kafka at 127.0.0.1:1 (SASL_PLAINTEXT)"
        AdminClient({**cluster.client_config, "log_level": 0})


@pytest.mark.parametrize("address", ["localhost", "a:1,b", "a:x", ":1", ""])
def test_an_address_without_a_port_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match="host:port"):
        ExternalCluster(bootstrap_server=address)
