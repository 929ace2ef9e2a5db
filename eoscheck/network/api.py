"""Toxiproxy's HTTP API through `toxiproxy-python`, with time-outs, types and one kind of error.

The library keeps its server as class attributes and calls it without a time-out. A subclass for
each server, and its verbs rather than its methods, put both right.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from eoscheck.errors import InfrastructureError, UsageError

Stream = Literal["upstream", "downstream"]
"""Toxiproxy's words: upstream leads to the broker, downstream comes from it."""

_TIMEOUT_S = 10.0
_RECEIVED = "toxiproxy_proxy_received_bytes"
_INSTALL = "network faults need more packages: pip install 'eoscheck[network]'"


@dataclass(frozen=True, kw_only=True)
class ProxyState:
    enabled: bool
    toxics: tuple[str, ...]


class ToxiproxyApi:
    """One server. Every method raises InfrastructureError, one line, where it does not answer
    within 10 s or refuses. May be used from several threads."""

    def __init__(self, *, host: str, port: int) -> None:
        try:
            from toxiproxy.api import APIConsumer
        except ImportError:
            raise UsageError(_INSTALL) from None
        self.address = f"{host}:{port}"
        self._server = type("Server", (APIConsumer,), {"host": host, "port": port})

    def version(self) -> str:
        return str(self._json("get", "/version")["version"])

    def create(self, name: str, *, listen: tuple[str, int], upstream: tuple[str, int]) -> None:
        self._ask(
            "post",
            "/proxies",
            {"name": name, "listen": _address(listen), "upstream": _address(upstream)},
        )

    def destroy(self, name: str) -> None:
        self._ask("delete", f"/proxies/{name}")

    def enable(self, name: str, enabled: bool) -> None:
        """Disabled: its connections are cut, and it takes no more."""
        self._ask("post", f"/proxies/{name}", {"enabled": enabled})

    def add_toxic(
        self, proxy: str, *, name: str, kind: str, stream: Stream, attributes: Mapping[str, int]
    ) -> None:
        self._ask(
            "post",
            f"/proxies/{proxy}/toxics",
            {"name": name, "type": kind, "stream": stream, "attributes": dict(attributes)},
        )

    def remove_toxic(self, proxy: str, name: str) -> None:
        self._ask("delete", f"/proxies/{proxy}/toxics/{name}")

    def proxies(self) -> dict[str, ProxyState]:
        return {
            name: ProxyState(
                enabled=found["enabled"], toxics=tuple(toxic["name"] for toxic in found["toxics"])
            )
            for name, found in self._json("get", "/proxies").items()
        }

    def received(self) -> Iterator[tuple[str, Stream, int]]:
        """(proxy, stream, bytes received) of the connections that have ended: Toxiproxy counts a
        connection when it is over."""
        try:
            from prometheus_client.parser import text_string_to_metric_families
        except ImportError:
            raise UsageError(_INSTALL) from None
        for family in text_string_to_metric_families(self._ask("get", "/metrics").text):
            if family.name == _RECEIVED:
                for sample in family.samples:
                    labels = sample.labels
                    stream: Stream = (
                        "upstream" if labels["direction"] == "upstream" else "downstream"
                    )
                    yield labels["proxy"], stream, int(sample.value)

    def _json(self, verb: str, path: str) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = self._ask(verb, path).json()
        except ValueError:
            raise InfrastructureError(
                f"what answers at {self.address} is no Toxiproxy: {path} gave no JSON"
            ) from None
        return answer

    def _ask(self, verb: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        from requests import RequestException
        from toxiproxy.exceptions import InvalidToxic, NotFound, ProxyExists

        try:
            answer = getattr(self._server, verb)(path, json=body, timeout=_TIMEOUT_S)
        except RequestException as error:
            raise InfrastructureError(
                f"Toxiproxy at {self.address} does not answer {verb.upper()} {path}: "
                f"{type(error).__name__}"
            ) from error
        except (InvalidToxic, NotFound, ProxyExists) as error:
            raise self._refused(verb, path, error.args[0].decode(errors="replace")) from None
        if not answer.ok:
            raise self._refused(verb, path, answer.text)
        return answer

    def _refused(self, verb: str, path: str, said: str) -> InfrastructureError:
        return InfrastructureError(
            f"Toxiproxy at {self.address} refused {verb.upper()} {path}: {' '.join(said.split())}"
        )


def _address(address: tuple[str, int]) -> str:
    host, port = address
    return f"{host}:{port}"
