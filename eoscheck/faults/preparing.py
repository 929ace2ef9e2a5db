"""What has to be there before the subject starts, so that faults can be done to it later."""

from __future__ import annotations

from collections.abc import Sequence

from eoscheck.errors import UsageError
from eoscheck.faults.broker_disconnect import NEEDS_DOCKER, BrokerDisconnect
from eoscheck.faults.clock import needs_clocks
from eoscheck.faults.disk import volume_bytes
from eoscheck.faults.spec import FaultTable
from eoscheck.process.volume import require_mounts
from eoscheck.subject import Subject
from eoscheck.subject.clock import find_library


def check_machine(tables: Sequence[FaultTable], *, provider: str = "embedded") -> None:
    """Raises UsageError where this machine, or a cluster of that provider, cannot do one of them,
    with what would help."""
    for table in tables:
        if isinstance(table, BrokerDisconnect) and provider != "docker":
            raise UsageError(NEEDS_DOCKER)
    if volume_bytes(tables) is not None:
        require_mounts()
    if needs_clocks(tables):
        find_library()


def prepare(subject: Subject, tables: Sequence[FaultTable]) -> None:
    """To be called before the first start; `Subject.discard_state` undoes it."""
    size_bytes = volume_bytes(tables)
    if size_bytes is not None:
        subject.mount_state(size_bytes)
    if needs_clocks(tables):
        subject.fake_clocks(find_library())
