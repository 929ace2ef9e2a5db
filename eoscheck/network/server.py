"""A Toxiproxy server that runs: one that we started, or somebody else's on this machine."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from eoscheck.artifacts import cache_folder
from eoscheck.errors import InfrastructureError, UsageError
from eoscheck.network.api import ToxiproxyApi
from eoscheck.network.binary import (
    HOW_TO_GET_ONE,
    VARIABLE,
    Binary,
    chosen,
    find_or_build,
    is_new_enough,
)
from eoscheck.network.ports import HOST, free_ports
from eoscheck.process import Child, Supervisor, tail

_READY_TIMEOUT_S = 20.0
_STOP_TIMEOUT_S = 5.0
_PORT_ATTEMPTS = 5
_LOOK_EVERY_S = 0.02


@dataclass(frozen=True, kw_only=True)
class Server:
    """`child` is None where it is not ours; `description` is for reports, one line."""

    api: ToxiproxyApi
    description: str
    child: Child | None = None

    def accepted(self) -> Counter[str] | None:
        """Connections taken until now, by proxy, as its log tells; None: its log is not ours."""
        if self.child is None:
            return None
        with self.child.output.open("rb") as log:
            return Counter(name for line in log if (name := _accepted_by(line)) is not None)

    def stop(self) -> None:
        """Ends it where it is ours; idempotent."""
        if self.child is not None:
            self.child.stop(timeout_s=_STOP_TIMEOUT_S)


def open_server(*, supervisor: Supervisor, folder: Path, progress: Callable[[str], None]) -> Server:
    """The server at the URL of `EOSCHECK_TOXIPROXY`, else a new one, whose log is in `folder`.

    Raises UsageError for a URL that cannot be used, InfrastructureError with the way to get a
    server where there is none.
    """
    named = named_server()
    if named is not None:
        return named
    binary = find_or_build(supervisor=supervisor, cache=cache_folder(), progress=progress)
    for attempt in range(1, _PORT_ATTEMPTS + 1):
        server = _start(binary, supervisor, folder / f"toxiproxy-{attempt}.log")
        if server is not None:
            return server
    raise InfrastructureError(f"Toxiproxy found no free port in {_PORT_ATTEMPTS} attempts")


def named_server() -> Server | None:
    """The one that runs at the URL of `EOSCHECK_TOXIPROXY`; None where that is no URL.

    Raises UsageError where it cannot be used, InfrastructureError where nobody answers.
    """
    url = chosen()
    if url is None or "://" not in url:
        return None
    parts = urlsplit(url)
    try:
        port = parts.port or 8474
    except ValueError:
        raise UsageError(f"{VARIABLE}={url} has no port number") from None
    if parts.scheme != "http" or parts.hostname not in {HOST, "localhost"}:
        raise UsageError(
            f"{VARIABLE}={url} cannot be used: give http://127.0.0.1:PORT of a server on this "
            "machine, for its connections are counted here"
        )
    api = ToxiproxyApi(host=HOST, port=port)
    version = api.version()
    if not is_new_enough(version):
        raise UsageError(f"Toxiproxy at {url} is version {version}: {HOW_TO_GET_ONE}")
    try:
        list(api.received())
    except InfrastructureError as error:
        raise UsageError(
            f"Toxiproxy at {url} counts no bytes: start it with -proxy-metrics ({error})"
        ) from error
    return Server(api=api, description=f"Toxiproxy {version} at {url}")


def _start(binary: Binary, supervisor: Supervisor, log: Path) -> Server | None:
    """None where another program took the port first."""
    (port,) = free_ports(1)
    child = supervisor.start(
        [str(binary.path), "-host", HOST, "-port", str(port), "-proxy-metrics"],
        output=log,
        env={"LOG_LEVEL": "info"},  # a line for each connection
    )
    api = ToxiproxyApi(host=HOST, port=port)
    give_up_at = time.monotonic() + _READY_TIMEOUT_S
    while True:
        # It does not end where its port is taken: its log has to be asked.
        said = log.read_text(errors="replace")
        if "address already in use" in said:
            child.stop(timeout_s=_STOP_TIMEOUT_S)
            return None
        with suppress(InfrastructureError):  # not yet
            version = api.version()
            if version == binary.version and "Starting Toxiproxy HTTP server" in said:
                return Server(
                    api=api, description=f"Toxiproxy {version} from {binary.source}", child=child
                )
        if child.poll() is not None or time.monotonic() > give_up_at:
            child.stop(timeout_s=_STOP_TIMEOUT_S)
            raise InfrastructureError(
                f"{binary.path} did not become ready as version {binary.version} within "
                f"{_READY_TIMEOUT_S:.0f} s: {' '.join(tail(log, 2)) or 'it printed nothing'}"
            )
        time.sleep(_LOOK_EVERY_S)


def _accepted_by(line: bytes) -> str | None:
    """The proxy that took a connection, where the log line says so."""
    if b'"Accepted client"' not in line:
        return None
    try:
        name: str = json.loads(line)["name"]
    except ValueError:
        return None  # it is being written
    return name
