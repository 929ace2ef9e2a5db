"""Tokens for kafka-python; librdkafka gets its own (`sasl.oauthbearer.method=oidc`)."""

from __future__ import annotations

import base64
import ssl
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping

import msgspec
from kafka.errors import SaslAuthenticationFailedError
from kafka.net.sasl.oauth import AbstractTokenProvider

from eoscheck.cluster.tls import ssl_context

_TIMEOUT_S = 10.0
_USED_FOR = 0.8
"""Of a token's life: a new one is fetched before the old one ends."""


class _Answer(msgspec.Struct, frozen=True):
    """RFC 6749, 5.1. `expires_in` counts seconds; where it is not told, a token is used once."""

    access_token: str
    expires_in: float = 0.0


class ClientCredentials(AbstractTokenProvider):  # type: ignore[misc]
    """Fetches a token for a client's id and secret (RFC 6749, 4.4), and keeps it while it is good.

    Thread-safe. `token` raises kafka-python's SaslAuthenticationFailedError, one line without the
    secret, where the endpoint gives none within ten seconds.
    """

    def __init__(
        self, client_config: Mapping[str, str], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._config = client_config
        self._url = client_config["sasl.oauthbearer.token.endpoint.url"]
        self._clock = clock
        self._lock = threading.Lock()
        self._token = ""
        self._good_until = 0.0

    def token(self) -> str:
        with self._lock:
            if not self._token or self._clock() >= self._good_until:
                asked = self._clock()
                answer = self._fetch()
                self._token = answer.access_token
                self._good_until = asked + _USED_FOR * answer.expires_in
            return self._token

    def extensions(self) -> dict[str, str]:
        text = self._config.get("sasl.oauthbearer.extensions", "")
        pairs = (pair.partition("=") for pair in text.split(",") if pair)
        return {name: value for name, _, value in pairs}

    def _fetch(self) -> _Answer:
        try:
            with urllib.request.urlopen(  # noqa: S310 - check_login allows http and https only
                self._request(), timeout=_TIMEOUT_S, context=self._tls()
            ) as answer:
                return msgspec.json.decode(answer.read(), type=_Answer)
        except (OSError, ValueError, msgspec.MsgspecError) as error:
            raise SaslAuthenticationFailedError(f"no token from {self._url}: {error}") from error

    def _request(self) -> urllib.request.Request:
        config = self._config
        login = f"{config['sasl.oauthbearer.client.id']}:{config['sasl.oauthbearer.client.secret']}"
        form = {"grant_type": "client_credentials"}
        if config.get("sasl.oauthbearer.scope"):
            form["scope"] = config["sasl.oauthbearer.scope"]
        return urllib.request.Request(  # noqa: S310
            self._url,
            data=urllib.parse.urlencode(form).encode(),
            headers={
                "Accept": "application/json",
                "Authorization": f"Basic {base64.b64encode(login.encode()).decode()}",
            },
        )

    def _tls(self) -> ssl.SSLContext:
        trusted = self._config.get("https.ca.location")
        return ssl_context({} if trusted is None else {"ssl.ca.location": trusted})
