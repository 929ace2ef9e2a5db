"""One file from a Maven repository over HTTP, verified before anybody can see it."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from urllib.parse import urlsplit

from eoscheck.artifacts.lock import LockedFile
from eoscheck.artifacts.repository import REPOSITORY_VARIABLE
from eoscheck.errors import InfrastructureError

_CONNECT_TIMEOUT_S = 10.0
_READ_TIMEOUT_S = 30.0
_CHUNK = 1 << 16


class Repository:
    """A Maven repository; `download` may be called from several threads."""

    def __init__(self, base_url: str, *, connections: int) -> None:
        # Here and not above: only who downloads needs it.
        try:
            import requests
            from requests.adapters import HTTPAdapter
            from urllib3.util import Retry
        except ImportError:
            raise InfrastructureError(
                "a download needs the 'embedded' extra: pip install 'eoscheck[embedded]'"
            ) from None
        self._base_url = base_url
        self._network_error = requests.RequestException
        self._probing = requests.Session()
        self._session = requests.Session()
        retry = Retry(total=3, backoff_factor=0.3, status_forcelist=(429, 500, 502, 503, 504))
        adapter = HTTPAdapter(pool_maxsize=connections, max_retries=retry)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    @property
    def name(self) -> str:
        """The base URL without credentials."""
        parts = urlsplit(self._base_url)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()

    def download(self, file: LockedFile, target: Path) -> None:
        """Writes `target` in one atomic step, or not at all.

        Raises InfrastructureError where the repository cannot be reached, does not have the file,
        or has another one; OSError where the disk does not take it.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        # One process at a time fills the cache: what a killed one left is overwritten.
        unverified = target.with_name(f"{target.name}.part")
        try:
            received = self._receive(file, unverified)
            if received != file.sha256:
                raise InfrastructureError(
                    f"{file.path} from {self.name} has SHA-256 {received}, not the locked "
                    f"{file.sha256}: refused and deleted; is a proxy or mirror altering files?"
                )
            unverified.replace(target)
        except self._network_error as error:
            raise InfrastructureError(
                f"cannot download {file.path} from {self.name}: {_reason(error)}; "
                f"check the network, or set {REPOSITORY_VARIABLE} to a mirror's URL"
            ) from error
        finally:
            unverified.unlink(missing_ok=True)

    def probe(self, file: LockedFile, *, timeout_s: float) -> None:
        """Raises InfrastructureError where the repository does not answer, or has no such file.
        One attempt; nothing is downloaded."""
        try:
            with self._probing.head(
                f"{self._base_url}/{file.path}", timeout=timeout_s, allow_redirects=True
            ) as answer:
                answer.raise_for_status()
        except self._network_error as error:
            raise InfrastructureError(
                f"{self.name} does not answer: {_reason(error)}; "
                f"check the network, or set {REPOSITORY_VARIABLE} to a mirror's URL"
            ) from error

    def _receive(self, file: LockedFile, path: Path) -> str:
        """The SHA-256 of what came; no more is read than a byte beyond the locked size."""
        digest = hashlib.sha256()
        timeout = (_CONNECT_TIMEOUT_S, _READ_TIMEOUT_S)
        url = f"{self._base_url}/{file.path}"
        with (
            self._session.get(url, stream=True, timeout=timeout) as response,
            path.open("wb") as out,
        ):
            response.raise_for_status()
            room = file.size
            for chunk in response.iter_content(_CHUNK):
                out.write(chunk)
                digest.update(chunk)
                room -= len(chunk)
                if room < 0:
                    break
        return digest.hexdigest()


def _reason(error: Exception) -> str:
    """The innermost cause: requests wraps urllib3, which wraps the socket's error."""
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"HTTP {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    cause: object = error.args[0] if error.args else error
    text = str(getattr(cause, "reason", cause))
    # urllib3 begins with the connection's representation.
    return re.sub(r"^(<[^>]*>|HTTPS?Connection\([^)]*\)): ", "", text) or type(error).__name__
