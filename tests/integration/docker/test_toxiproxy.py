"""A Toxiproxy in a container is one at a URL: on this machine's network."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eoscheck.network.binary import VARIABLE
from eoscheck.network.server import open_server
from eoscheck.process import Supervisor
from eoscheck.process.container import Container, ContainerSpec


def test_it_is_used_by_its_url(
    image: str,
    supervisor: Supervisor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    until: Callable[[str, Callable[[], Any]], None],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = ["-host", "127.0.0.1", "-port", str(port), "-proxy-metrics"]
    spec = ContainerSpec(image=image, command=["toxiproxy-server", *options])
    container = Container(spec, supervisor=supervisor)

    def listens() -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", port)) == 0

    try:
        container.start(output=tmp_path / "toxiproxy.log")
        until("Toxiproxy listens", listens)
        monkeypatch.setenv(VARIABLE, f"http://127.0.0.1:{port}")
        server = open_server(supervisor=supervisor, folder=tmp_path, progress=lambda _: None)
        assert server.child is None, "it is not a server of ours"
    finally:
        container.remove()
    assert not listens()
