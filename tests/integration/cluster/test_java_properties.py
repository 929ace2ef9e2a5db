"""Every property that Java's own clients know has been thought of."""

from __future__ import annotations

import re
import subprocess

import pytest

from eoscheck.cluster.client_properties import librdkafka_properties
from eoscheck.cluster.distribution import KAFKA_VERSION, Distribution, prepare_distribution
from eoscheck.cluster.without_effect import WITHOUT_EFFECT
from eoscheck.errors import UsageError
from eoscheck.process import Supervisor

_CLASSES = ("admin.AdminClientConfig", "consumer.ConsumerConfig", "producer.ProducerConfig")

# Each would change whom we reach, how we log in, or what is allowed on the way; and librdkafka has
# no such thing, or another language for it (OpenSSL's names of ciphers).
_REFUSED = {
    "bootstrap.controllers",
    "config.providers",
    "sasl.client.callback.handler.class",
    "sasl.login.class",
    "ssl.cipher.suites",
    "ssl.engine.factory.class",
}
_REFUSED_FAMILIES = (
    "sasl.kerberos.",
    "sasl.oauthbearer.assertion.",
    "sasl.oauthbearer.expected.",  # the broker's part of checking a token
    "sasl.oauthbearer.header.urlencode",
    "sasl.oauthbearer.jwks.",
    "sasl.oauthbearer.jwt.validator.class",
)


@pytest.fixture(scope="module")
def java_properties(supervisor: Supervisor) -> set[str]:
    """As the clients' own `main` prints them for Kafka's documentation."""
    distribution = prepare_distribution(
        KAFKA_VERSION, supervisor=supervisor, progress=lambda _: None
    )
    return set().union(*(_documented(distribution, name) for name in _CLASSES))


def _documented(distribution: Distribution, name: str) -> set[str]:
    command = distribution.command(f"org.apache.kafka.clients.{name}")
    page = subprocess.run(
        command, capture_output=True, text=True, check=True, env=distribution.environment
    ).stdout
    found = set(re.findall(r'id="[a-z]*configs?_([a-z0-9._]+)"', page))
    assert len(found) > 50, page[:500]
    return found


def test_each_property_of_javas_clients_is_taken_or_refused_on_purpose(
    java_properties: set[str],
) -> None:
    refused = {name for name in java_properties if not _taken(name)}
    on_purpose = {
        name
        for name in java_properties
        if name in _REFUSED or any(map(name.startswith, _REFUSED_FAMILIES))
    }
    assert refused == on_purpose


def test_what_has_no_effect_are_properties_of_javas_clients(java_properties: set[str]) -> None:
    older = {"auto.include.jmx.reporter"}  # gone since Kafka 4.0
    assert WITHOUT_EFFECT - java_properties == older


def _taken(name: str) -> bool:
    """Another complaint is about the value."""
    try:
        librdkafka_properties({name: "x"})
    except UsageError as error:
        return "has no counterpart" not in str(error) and "Kerberos" not in str(error)
    return True
