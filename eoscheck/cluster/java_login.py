"""How Java's properties say who logs in, and the same for librdkafka.

PLAIN and SCRAM keep a name and a password in `sasl.jaas.config`. OAUTHBEARER gets a token for a
client's id and secret (RFC 6749, 4.4) from `sasl.oauthbearer.token.endpoint.url`; they stand in
`sasl.jaas.config` (KIP-768), or in properties of their own since Kafka 4.1 (KIP-1139).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from eoscheck.errors import UsageError, did_you_mean

MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER")

_PACKAGE = "org.apache.kafka.common.security."
_PASSWORD_MODULES = (
    f"{_PACKAGE}plain.PlainLoginModule",
    f"{_PACKAGE}scram.ScramLoginModule",
)
_TOKEN_MODULE = f"{_PACKAGE}oauthbearer.OAuthBearerLoginModule"
# Classes that do what librdkafka does too; another one would get another login.
_STANDARD_CLASSES = {
    "sasl.login.callback.handler.class": (
        f"{_PACKAGE}oauthbearer.OAuthBearerLoginCallbackHandler",
        f"{_PACKAGE}oauthbearer.secured.OAuthBearerLoginCallbackHandler",
    ),
    "sasl.oauthbearer.jwt.retriever.class": (
        f"{_PACKAGE}oauthbearer.ClientCredentialsJwtRetriever",
        f"{_PACKAGE}oauthbearer.DefaultJwtRetriever",
    ),
}
_JAAS = "sasl.jaas.config"
_ENDPOINT = "sasl.oauthbearer.token.endpoint.url"
_RENAMED = {
    "sasl.oauthbearer.client.credentials.client.id": "sasl.oauthbearer.client.id",
    "sasl.oauthbearer.client.credentials.client.secret": "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.scope": "sasl.oauthbearer.scope",
    _ENDPOINT: _ENDPOINT,
}
_TOKEN_OPTIONS = {
    "clientId": "sasl.oauthbearer.client.id",
    "clientSecret": "sasl.oauthbearer.client.secret",
    "scope": "sasl.oauthbearer.scope",
}
_EXTENSION = "extension_"

LOGIN = frozenset({_JAAS, *_STANDARD_CLASSES, *_RENAMED})
"""The properties that are read here."""

_MODULE = re.compile(
    r"\s*(?P<module>[\w.]+)\s+required"
    r"(?P<options>(?:\s+[\w.]+\s*=\s*(?:\"(?:[^\"\\]|\\.)*\"|[^\s;]+))*)\s*;\s*"
)
_OPTION = re.compile(r"([\w.]+)\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^\s;]+))")


class _Login(NamedTuple):
    module: str
    options: dict[str, str]


def login_properties(java: Mapping[str, str]) -> dict[str, str]:
    """librdkafka's properties for the login that `java` describes, empty where there is none.

    Raises UsageError, which shows no value, for what librdkafka cannot do.
    """
    for name, standard in _STANDARD_CLASSES.items():
        if name in java and java[name].strip() not in standard:
            raise UsageError(f"{name!r} can only be {standard[0]} here")
    ours = {_RENAMED[name]: value for name, value in java.items() if name in _RENAMED}
    if _JAAS in java:
        login = _parse(java[_JAAS])
        ours |= _token(login) if login.module == _TOKEN_MODULE else _password(login)
    return ours


def check_login(ours: Mapping[str, str]) -> None:
    """Raises UsageError where librdkafka's properties ask for SASL and lack a part of it: the
    client itself would only say that it was disconnected, or that a time-out passed."""
    if not ours.get("security.protocol", "").upper().startswith("SASL"):
        return
    mechanism = ours.get("sasl.mechanisms", "GSSAPI")  # Java's default
    if mechanism not in MECHANISMS:
        hint = did_you_mean(mechanism, MECHANISMS)
        raise UsageError(
            f"'sasl.mechanism' {mechanism!r} cannot be used here{hint}: "
            f"supported are {', '.join(MECHANISMS)}"
        )
    needed: tuple[str, ...] = ("sasl.username", "sasl.password")
    if mechanism == "OAUTHBEARER":
        needed = (_ENDPOINT, "sasl.oauthbearer.client.id", "sasl.oauthbearer.client.secret")
        if urlsplit(ours.get(_ENDPOINT, "https:")).scheme not in ("http", "https"):
            raise UsageError(f"{_ENDPOINT!r} must begin with https:// or http://")
    for name in needed:
        if not ours.get(name):
            raise UsageError(
                f"{mechanism} needs {name!r}, which in Java's properties is "
                + ("a property of its own" if name == _ENDPOINT else f"a part of {_JAAS!r}")
            )


def _parse(text: str) -> _Login:
    match = _MODULE.fullmatch(text)
    if match is None or match["module"] not in (*_PASSWORD_MODULES, _TOKEN_MODULE):
        raise UsageError(
            f"{_JAAS!r} must be a PlainLoginModule, ScramLoginModule or OAuthBearerLoginModule "
            'with its options, as in username="...", and end with a semicolon'
        )
    options = {
        name: re.sub(r"\\(.)", r"\1", quoted) if quoted else bare
        for name, quoted, bare in _OPTION.findall(match["options"])
    }
    return _Login(match["module"], options)


def _password(login: _Login) -> dict[str, str]:
    if login.options.keys() != {"username", "password"}:
        raise UsageError(
            f'{_JAAS!r} must have exactly the options username="..." and password="..." with '
            f"a {login.module.rpartition('.')[2]}"
        )
    return {
        "sasl.username": login.options["username"],
        "sasl.password": login.options["password"],
    }


def _token(login: _Login) -> dict[str, str]:
    extensions = {
        name.removeprefix(_EXTENSION): value
        for name, value in login.options.items()
        if name.startswith(_EXTENSION)
    }
    for name in login.options:
        if name not in _TOKEN_OPTIONS and not name.startswith(_EXTENSION):
            raise UsageError(
                f"{_JAAS!r}: the option {name!r} of OAuthBearerLoginModule cannot be used here: "
                f"supported are {', '.join(_TOKEN_OPTIONS)} and {_EXTENSION}*"
            )
    ours = {
        "sasl.oauthbearer.method": "oidc",
        **{_TOKEN_OPTIONS[n]: v for n, v in login.options.items() if n in _TOKEN_OPTIONS},
    }
    if extensions:
        ours["sasl.oauthbearer.extensions"] = ",".join(f"{n}={v}" for n, v in extensions.items())
    return ours
