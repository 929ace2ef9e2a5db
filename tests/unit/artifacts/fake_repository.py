"""A Maven repository on loopback that does as it is told."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec

from eoscheck.artifacts import Lock, LockedFile


class FakeRepository:
    """`content` by path; `failures` answers a path with that status so many times first."""

    def __init__(self) -> None:
        self.content: dict[str, bytes] = {}
        self.failures: dict[str, tuple[int, int]] = {}
        self.served: Counter[str] = Counter()
        self.delay_s = 0.0
        handler = type("Handler", (_Handler,), {"repository": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/maven2"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def stop(self) -> None:
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()

    def write_lock(self, path: Path) -> Path:
        """A lock file of all its content."""
        files = [
            LockedFile(path=name, sha256=hashlib.sha256(body).hexdigest(), size=len(body))
            for name, body in self.content.items()
        ]
        path.write_bytes(msgspec.json.encode(Lock(roots=["a:b:1"], files=files)))
        return path


class _Handler(BaseHTTPRequestHandler):
    repository: FakeRepository

    def do_GET(self) -> None:
        path = self.path.removeprefix("/maven2/")
        status, times = self.repository.failures.get(path, (0, 0))
        time.sleep(self.repository.delay_s)
        self.repository.served[path] += 1
        if self.repository.served[path] <= times:
            self.send_error(status)
        elif path not in self.repository.content:
            self.send_error(404)
        else:
            body = self.repository.content[path]
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Not on standard error."""
