"""Reads one group's commits from `__consumer_offsets`, batch by batch."""

from __future__ import annotations

from dataclasses import dataclass

from eoscheck.audit.group.topic import TOPIC, GroupCommits, offsets_partition
from eoscheck.cluster.raw_log import RawLog
from eoscheck.cluster.view import ClusterView
from eoscheck.errors import InfrastructureError, UsageError
from eoscheck.logformat.batches import Control
from eoscheck.logformat.headers import read_batches
from eoscheck.logformat.records import read_records


@dataclass(frozen=True, kw_only=True)
class ReadCommits:
    """`number` is the partition of `__consumer_offsets`. `commits` is None where it could not be
    read, `why` says why in one line."""

    number: int
    commits: GroupCommits | None
    why: str = ""


def read_commits(
    log: RawLog, view: ClusterView, *, group: str, topic: str, limit: int = 100
) -> ReadCommits:
    """The commits of `group` for `topic` up to now. An internal topic that may not be read, as for
    most who audit a cluster of others, is no error: what depends on it is not judged."""
    number = -1
    try:
        number = offsets_partition(group, len(view.partitions(TOPIC)))
        start, end = view.log_starts(TOPIC)[number], view.high_watermarks(TOPIC)[number]
        commits = GroupCommits(group, topic=topic, limit=limit)
        with log.read(TOPIC, {number: (start, end)}, committed=False) as reading:
            for part in reading:
                _take(commits, bytes(part.records), begin=part.fetch_offset, end=end)
    except (InfrastructureError, UsageError, KeyError) as error:
        return ReadCommits(number=number, commits=None, why=f"{TOPIC} was not read: {error}")
    return ReadCommits(number=number, commits=commits)


def _take(commits: GroupCommits, data: bytes, *, begin: int, end: int) -> None:
    """Batches from the offset `begin` up to `end`. Those that do not even hold the group's name are
    passed over without a look at their records."""
    name = commits.group.encode()
    batches = read_batches(data, check_crc=False)
    for row in range(len(batches)):
        first, last = int(batches.base_offset[row]), int(batches.last_offset[row])
        if last < begin or first >= end:
            continue
        control = int(batches.control[row])
        if control in (Control.COMMIT, Control.ABORT):
            commits.marker(
                first,
                producer_id=int(batches.producer_id[row]),
                commits=control == Control.COMMIT,
            )
            continue
        foreign = not batches.codec[row] and (
            data.find(name, int(batches.start[row]), int(batches.end[row])) < 0
        )
        if control == Control.OTHER or foreign:
            commits.passed(first, last, records=int(batches.records[row]))
            continue
        records = read_records(data, batches, row)
        if records is None:
            commits.unreadable(first, last)
            continue
        for record in records:
            commits.record(
                record.offset,
                record.key,
                record.value,
                timestamp_ms=record.timestamp,
                producer_id=int(batches.producer_id[row]),
                epoch=int(batches.epoch[row]),
                transactional=bool(batches.transactional[row]),
            )
