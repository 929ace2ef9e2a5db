"""Java client properties, as `--command-config` takes them in Kafka's tools, for librdkafka.

Both clients document their names: https://kafka.apache.org/documentation/#adminclientconfigs and
librdkafka's CONFIGURATION.md. Values are never printed: some are secrets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import javaproperties

from eoscheck.cluster.java_login import LOGIN, MECHANISMS, check_login, login_properties
from eoscheck.cluster.without_effect import WITHOUT_EFFECT
from eoscheck.errors import UsageError, did_you_mean

# The same name and meaning in both clients.
_SAME = frozenset(
    {
        "client.dns.lookup",
        "client.id",
        "client.rack",
        "connections.max.idle.ms",
        "enable.metrics.push",
        "metadata.max.age.ms",
        "reconnect.backoff.max.ms",
        "reconnect.backoff.ms",
        "retry.backoff.max.ms",
        "retry.backoff.ms",
        "security.protocol",
        "socket.connection.setup.timeout.ms",
        "ssl.key.password",
        "ssl.keystore.password",
    }
)
# librdkafka's own names, for those who keep one file for its tools.
_LIBRDKAFKA = frozenset(
    {
        "https.ca.location",
        "sasl.mechanisms",
        "sasl.oauthbearer.client.id",
        "sasl.oauthbearer.client.secret",
        "sasl.oauthbearer.extensions",
        "sasl.password",
        "sasl.username",
        "ssl.ca.location",
        "ssl.ca.pem",
        "ssl.certificate.location",
        "ssl.certificate.pem",
        "ssl.key.location",
        "ssl.key.pem",
    }
)
_RENAMED = {
    "request.timeout.ms": "socket.timeout.ms",
    "sasl.mechanism": "sasl.mechanisms",
    "ssl.keystore.certificate.chain": "ssl.certificate.pem",
    "ssl.keystore.key": "ssl.key.pem",
    "ssl.truststore.certificates": "ssl.ca.pem",
}
_TRUST_STORE_ADVICE = "convert it: keytool -list -rfc -keystore STORE > ca.pem"
_KEY_STORE_ADVICE = (
    "convert it: keytool -importkeystore -srckeystore STORE "
    "-destkeystore client.p12 -deststoretype PKCS12"
)


def read_client_properties(path: Path) -> dict[str, str]:
    """The file's properties under librdkafka's names; `bootstrap.servers` in it is left out, and so
    is what makes no difference to a reader (how producers batch, how consumers poll).

    Raises UsageError where the file is missing or not a properties file, and for the first property
    that has no counterpart, by its name.
    """
    try:
        properties = javaproperties.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, javaproperties.InvalidUEscapeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a properties file"
        raise UsageError(f"cannot read the client properties {path}: {reason}") from error
    try:
        return librdkafka_properties(properties)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None


def librdkafka_properties(java: Mapping[str, str]) -> dict[str, str]:
    """Java's client properties under librdkafka's names. Raises UsageError as above."""
    taken = _SAME | _LIBRDKAFKA | _RENAMED.keys() | _TRANSLATED.keys() | LOGIN | _HANDLED
    known = taken | WITHOUT_EFFECT
    ours: dict[str, str] = {}
    for name, value in java.items():
        if name.startswith("sasl.kerberos."):
            raise UsageError(
                f"{name!r}: Kerberos cannot be used here: supported are {', '.join(MECHANISMS)}"
            )
        if name not in known:
            hint = did_you_mean(name, known)
            raise UsageError(f"{name!r} has no counterpart in librdkafka{hint}: leave it out")
        if name in _SAME or name in _LIBRDKAFKA:
            ours[name] = value
        elif name in _RENAMED:
            ours[_RENAMED[name]] = value
        elif name in _TRANSLATED:
            ours.update(_TRANSLATED[name](value, java))
    ours.update(login_properties(java))
    check_login(ours)
    return ours


def _trust_store(value: str, java: Mapping[str, str]) -> dict[str, str]:
    _require(java, "ssl.truststore.type", ("PEM",), _TRUST_STORE_ADVICE)
    return {"ssl.ca.location": value}


def _trust_store_password(_: str, java: Mapping[str, str]) -> dict[str, str]:
    _require(java, "ssl.truststore.type", ("PEM",), _TRUST_STORE_ADVICE)
    raise UsageError("'ssl.truststore.password': a PEM trust store has none: leave it out")


def _key_store(value: str, java: Mapping[str, str]) -> dict[str, str]:
    kind = _require(java, "ssl.keystore.type", ("PEM", "PKCS12"), _KEY_STORE_ADVICE)
    if kind == "PKCS12":
        return {"ssl.keystore.location": value}
    # In Java's PEM store the key and its chain stand in one file.
    return {"ssl.certificate.location": value, "ssl.key.location": value}


def _host_name_check(value: str, _: Mapping[str, str]) -> dict[str, str]:
    # Java switches it off with an empty value.
    return {"ssl.endpoint.identification.algorithm": value.lower() or "none"}


def _require(java: Mapping[str, str], name: str, allowed: tuple[str, ...], advice: str) -> str:
    kind = java.get(name, "JKS").upper()  # Java's default
    if kind not in allowed:
        raise UsageError(f"{name!r} must be {' or '.join(allowed)} here ({advice})")
    return kind


_TRANSLATED: dict[str, Callable[[str, Mapping[str, str]], dict[str, str]]] = {
    "ssl.endpoint.identification.algorithm": _host_name_check,
    "ssl.keystore.location": _key_store,
    "ssl.truststore.location": _trust_store,
    "ssl.truststore.password": _trust_store_password,
}
# Looked at with the store they describe; the servers come from the command line.
_HANDLED = frozenset({"bootstrap.servers", "ssl.keystore.type", "ssl.truststore.type"})
