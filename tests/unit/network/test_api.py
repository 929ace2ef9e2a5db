"""What does not answer, or is no Toxiproxy, is one clear line within a bounded time."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from eoscheck.errors import InfrastructureError, UsageError
from eoscheck.network import api as api_module
from eoscheck.network.api import ToxiproxyApi
from eoscheck.network.binary import VARIABLE
from eoscheck.network.server import open_server
from eoscheck.network.sockets import established, require_counters
from eoscheck.process import Supervisor


@contextmanager
def answering(code: int, body: bytes) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Says nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def refused(port: int) -> str:
    with pytest.raises(InfrastructureError) as caught:
        ToxiproxyApi(host="127.0.0.1", port=port).version()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_nobody_listens() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        assert refused(port) == (
            f"Toxiproxy at 127.0.0.1:{port} does not answer GET /version: ConnectionError"
        )


def test_one_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_module, "_TIMEOUT_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert "does not answer GET /version: ReadTimeout" in refused(silent.getsockname()[1])


@pytest.mark.parametrize(
    ("code", "body", "said"),
    [
        (200, b"<html>\n", "is no Toxiproxy: /version gave no JSON"),
        (404, b"not\nfound", "refused GET /version: not found"),
        (409, b"there is one", "refused GET /version: there is one"),
        (500, b"oh\n no", "refused GET /version: oh no"),
    ],
)
def test_another_server(code: int, body: bytes, said: str) -> None:
    with answering(code, body) as port:
        assert said in refused(port)


def test_two_servers_at_once() -> None:
    """toxiproxy-python itself has but one a process."""
    with (
        answering(200, b'{"version": "2.5.0"}') as one,
        answering(200, b'{"version": "2.6.0"}') as other,
    ):
        first = ToxiproxyApi(host="127.0.0.1", port=one)
        second = ToxiproxyApi(host="127.0.0.1", port=other)
        assert (first.version(), second.version()) == ("2.5.0", "2.6.0")


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://127.0.0.1:8474", "give http://127.0.0.1:PORT"),
        ("http://toxiproxy.example:8474", "give http://127.0.0.1:PORT"),
        ("http://127.0.0.1:none", "has no port number"),
        ("http://127.0.0.1:{port}", "is version 2.1.4: install Toxiproxy 2.5 or newer"),
    ],
)
def test_a_url_that_cannot_be_used(
    url: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with answering(200, b'{"version": "2.1.4"}') as port, Supervisor() as supervisor:
        monkeypatch.setenv(VARIABLE, url.format(port=port))
        with pytest.raises(UsageError, match=said):
            open_server(supervisor=supervisor, folder=tmp_path, progress=lambda _: None)


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux' kernel")
def test_bytes_of_a_living_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        with socket.create_connection(address) as client, listener.accept()[0] as accepted:
            client.sendall(b"x" * 1234)
            accepted.recv(1, socket.MSG_PEEK)
            ends = {each.local: each for each in established()}
            assert ends[address].received == 1234
            assert ends[address].remote == client.getsockname()
            assert ends[client.getsockname()].received == 0
        assert address not in {each.local for each in established()}


def test_where_bytes_cannot_be_told_network_faults_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(UsageError, match="network faults need Linux"):
        require_counters()


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "toxiproxy.api", None)
    with pytest.raises(UsageError, match=r"pip install 'eoscheck\[network\]'"):
        ToxiproxyApi(host="127.0.0.1", port=1)
