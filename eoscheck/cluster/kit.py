"""What every node of a version is started from: made once, kept in the cache."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from eoscheck.cluster.archive import archive_options
from eoscheck.cluster.distribution import Distribution, prepare_distribution
from eoscheck.cluster.storage import formatted_template
from eoscheck.errors import InfrastructureError
from eoscheck.process import Supervisor

_PREPARE_TIMEOUT_S = 300.0


@dataclass(frozen=True, kw_only=True)
class Kit:
    """`template` is a formatted data directory, `jvm_options` use the class-data archive."""

    distribution: Distribution
    template: Path
    jvm_options: tuple[str, ...]


def prepare_kit(
    version: str,
    *,
    features: Mapping[str, int],
    supervisor: Supervisor,
    progress: Callable[[str], None],
) -> Kit:
    """Of that version of Kafka, with `features` at chosen levels.

    Raises UsageError for a version that is not there, InfrastructureError in one line where
    something cannot be downloaded or made.
    """
    distribution = prepare_distribution(version, supervisor=supervisor, progress=progress)
    distribution.work.mkdir(parents=True, exist_ok=True)
    guard = FileLock(distribution.work / ".lock", timeout=_PREPARE_TIMEOUT_S)
    try:
        with guard:
            template = formatted_template(distribution, features=features, supervisor=supervisor)
            options = archive_options(
                distribution, template=template, supervisor=supervisor, progress=progress
            )
    except Timeout:
        raise InfrastructureError(
            f"another process has held {guard.lock_file} for {_PREPARE_TIMEOUT_S:.0f} s: "
            "end it, or set EOSCHECK_CACHE to another folder"
        ) from None
    return Kit(distribution=distribution, template=template, jvm_options=options)
