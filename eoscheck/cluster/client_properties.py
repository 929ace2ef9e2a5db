"""Java client properties, as `--command-config` takes them in Kafka's tools, for librdkafka.

Both clients document their names: https://kafka.apache.org/documentation/#adminclientconfigs and
librdkafka's CONFIGURATION.md. Values are never printed: some are secrets.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import javaproperties

from eoscheck.errors import UsageError, did_you_mean

# The same name and meaning in both clients.
_SAME = frozenset(
    {
        "client.dns.lookup",
        "client.id",
        "client.rack",
        "connections.max.idle.ms",
        "metadata.max.age.ms",
        "reconnect.backoff.max.ms",
        "reconnect.backoff.ms",
        "retry.backoff.max.ms",
        "retry.backoff.ms",
        "sasl.kerberos.service.name",
        "security.protocol",
        "ssl.key.password",
        "ssl.keystore.password",
    }
)
# librdkafka's own names, for those who keep one file for its tools.
_LIBRDKAFKA = frozenset(
    {
        "sasl.mechanisms",
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
_LOGIN_MODULE = re.compile(
    r"\s*org\.apache\.kafka\.common\.security\.(?:plain\.Plain|scram\.Scram)LoginModule\s+required"
    r"(?P<options>(?:\s+\w+\s*=\s*(?:\"(?:[^\"\\]|\\.)*\"|[^\s;]+))*)\s*;\s*"
)
_LOGIN_OPTION = re.compile(r"(\w+)\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^\s;]+))")


def read_client_properties(path: Path) -> dict[str, str]:
    """The file's properties under librdkafka's names; `bootstrap.servers` in it is left out.

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
    known = _SAME | _LIBRDKAFKA | _RENAMED.keys() | _TRANSLATED.keys() | _HANDLED
    ours: dict[str, str] = {}
    for name, value in java.items():
        if name not in known:
            hint = did_you_mean(name, known)
            raise UsageError(f"{name!r} has no counterpart in librdkafka{hint}: leave it out")
        if name in _SAME or name in _LIBRDKAFKA:
            ours[name] = value
        elif name in _RENAMED:
            ours[_RENAMED[name]] = value
        elif name in _TRANSLATED:
            ours.update(_TRANSLATED[name](value, java))
    return ours


def _login(value: str, _: Mapping[str, str]) -> dict[str, str]:
    match = _LOGIN_MODULE.fullmatch(value)
    options = {
        name: re.sub(r"\\(.)", r"\1", quoted) if quoted else bare
        for name, quoted, bare in _LOGIN_OPTION.findall(match.group("options") if match else "")
    }
    if options.keys() != {"username", "password"}:
        raise UsageError(
            "'sasl.jaas.config' must be a PlainLoginModule or ScramLoginModule with exactly "
            'username="..." and password="...", and end with a semicolon'
        )
    return {"sasl.username": options["username"], "sasl.password": options["password"]}


def _trust_store(value: str, java: Mapping[str, str]) -> dict[str, str]:
    _require(java, "ssl.truststore.type", ("PEM",), "convert it: keytool -exportcert -rfc")
    return {"ssl.ca.location": value}


def _key_store(value: str, java: Mapping[str, str]) -> dict[str, str]:
    kind = _require(
        java, "ssl.keystore.type", ("PEM", "PKCS12"), "convert it: keytool -importkeystore"
    )
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
    "sasl.jaas.config": _login,
    "ssl.endpoint.identification.algorithm": _host_name_check,
    "ssl.keystore.location": _key_store,
    "ssl.truststore.location": _trust_store,
}
# Looked at with the store they describe; the servers come from the command line.
_HANDLED = frozenset({"bootstrap.servers", "ssl.keystore.type", "ssl.truststore.type"})
