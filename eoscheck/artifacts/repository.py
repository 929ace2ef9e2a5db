"""Which Maven repository to download from."""

from __future__ import annotations

import os
from pathlib import Path
from xml.etree import ElementTree

from eoscheck.errors import InfrastructureError, UsageError

REPOSITORY_VARIABLE = "EOSCHECK_MAVEN_REPOSITORY"


def repository_url(*, settings: Path | None = None) -> str:
    """The base URL, without a slash at its end.

    `EOSCHECK_MAVEN_REPOSITORY`, else the mirror of `central` in Maven's user settings (`settings`,
    by default `~/.m2/settings.xml`), else Maven Central. Credentials may stand in `~/.netrc`.
    """
    chosen = os.environ.get(REPOSITORY_VARIABLE) or _mirror_of_central(
        settings or Path.home() / ".m2" / "settings.xml"
    )
    return (chosen or _maven_central()).rstrip("/")


def _maven_central() -> str:
    try:
        from jgo.constants import MAVEN_CENTRAL_URL
    except ImportError:
        raise InfrastructureError(
            "a download needs the 'embedded' extra: pip install 'eoscheck[embedded]'"
        ) from None
    return MAVEN_CENTRAL_URL


def _mirror_of_central(settings: Path) -> str | None:
    """The first mirror that stands for `central`, as Maven would choose it."""
    if not settings.is_file():
        return None
    try:
        root = ElementTree.parse(settings).getroot()  # noqa: S314  the user's own file
    except ElementTree.ParseError as error:
        raise UsageError(f"{settings} is not valid XML: {error}") from error
    # Maven reads the file with and without its namespace.
    for mirror in root.iterfind("{*}mirrors/{*}mirror"):
        url = mirror.findtext("{*}url", "").strip()
        if url and _stands_for_central(mirror.findtext("{*}mirrorOf", "")):
            return url
    return None


def _stands_for_central(mirror_of: str) -> bool:
    """https://maven.apache.org/guides/mini/guide-mirror-settings.html: a comma-separated list of
    repository ids and wildcards; `!id` takes one out."""
    words = {word.strip() for word in mirror_of.split(",")}
    return "!central" not in words and bool(words & {"central", "*", "external:*"})
