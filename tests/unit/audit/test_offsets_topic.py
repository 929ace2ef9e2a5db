"""One group's commits, as the records of `__consumer_offsets` tell them."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eoscheck.audit.checks.commits import Outputs, check_commits, check_writers
from eoscheck.audit.checks.outcome import Anomaly, Checked
from eoscheck.audit.findings import Code, HazardCode
from eoscheck.audit.group.topic import GroupCommits, offsets_partition

GROUP = "app"
INPUT = "payments"


def text(value: str | None) -> bytes:
    if value is None:
        return b"\xff\xff"
    return struct.pack(">h", len(value.encode())) + value.encode()


def compact(value: str | None) -> bytes:
    return b"\0" if value is None else bytes([len(value.encode()) + 1]) + value.encode()


def commit_key(
    partition: int = 0, *, topic: str = INPUT, group: str = GROUP, version: int = 1
) -> bytes:
    return struct.pack(">h", version) + text(group) + text(topic) + struct.pack(">i", partition)


def commit_value(offset: int, version: int = 3, topic_id: bytes | None = None) -> bytes:
    """As Kafka's OffsetCommitValue.json has it."""
    head = struct.pack(">hq", version, offset)
    if version >= 3:
        head += struct.pack(">i", 7)
    if version >= 4:
        tags = b"\0" if topic_id is None else b"\x01\x00" + bytes([len(topic_id)]) + topic_id
        return head + compact("metadata") + struct.pack(">q", 5) + tags
    return head + text("metadata") + struct.pack(">q", 5) + (b"\0" * 8 if version == 1 else b"")


def group_value(members: int, version: int = 3) -> bytes:
    """As GroupMetadataValue.json has it, as far as the number of members."""
    write = compact if version >= 4 else text
    times = struct.pack(">q", 1) if version >= 2 else b""
    number = bytes([members + 1]) if version >= 4 else struct.pack(">i", members)
    return (
        struct.pack(">h", version)
        + write("consumer")
        + struct.pack(">i", 9)
        + write("range")
        + write(None)
        + times
        + number
    )


class Log:
    """The group's partition, record by record."""

    def __init__(self, **more: Any) -> None:
        self.commits = GroupCommits(GROUP, **more)
        self.next = 0

    def plain(self, offset: int | None, partition: int = 0, **value: Any) -> None:
        self._write(offset, partition, value, producer_id=-1, transactional=False)

    def pending(
        self, offset: int | None, partition: int = 0, *, pid: int = 5, **value: Any
    ) -> None:
        self._write(offset, partition, value, producer_id=pid, epoch=2, transactional=True)

    def end(self, *, pid: int = 5, commits: bool = True) -> None:
        self.commits.marker(self.next, producer_id=pid, commits=commits)
        self.next += 1

    def committed(self, offset: int, partition: int = 0, *, pid: int = 5) -> None:
        self.pending(offset, partition, pid=pid)
        self.end(pid=pid)

    def group(self, members: int | None, **value: Any) -> None:
        key = struct.pack(">h", 2) + text(GROUP)
        content = None if members is None else group_value(members, **value)
        self.commits.record(self.next, key, content)
        self.next += 1

    def _write(self, offset: int | None, partition: int, value: Any, **batch: Any) -> None:
        content = None if offset is None else commit_value(offset, **value)
        self.commits.record(
            self.next, commit_key(partition), content, timestamp_ms=1_700_000_000_000, **batch
        )
        self.next += 1

    def check(self, *, transactional: bool | None = True) -> Checked:
        return check_commits(self.commits, number=17, outputs_transactional=transactional)

    def steps(self) -> list[tuple[int | None, int | None]]:
        assert self.commits.back == len(self.commits.steps_back)
        return [(s.before.committed, s.after.committed) for s in self.commits.steps_back]

    def offsets(self) -> dict[int, int | None]:
        return {each.partition: each.committed for each in self.commits.current()}


def regressions(checked: Checked) -> list[Anomaly]:
    (found,) = [each for each in checked.found if each.code == Code.OFFSET_REGRESSION]
    return found.anomalies


@pytest.mark.parametrize(
    ("group", "code"),
    [("app", 96801), ("", 0), ("polygenelubricants", 0), ("Straße", -1808122922), ("𝄞", 1772394)],
)
def test_a_group_is_in_the_partition_of_java_s_hash_of_its_name(group: str, code: int) -> None:
    """ "polygenelubricants" hashes to the one number whose absolute value Java cannot give."""
    assert offsets_partition(group, 50) == abs(code) % 50


@pytest.mark.parametrize("version", [0, 1, 2, 3, 4])
def test_every_version_of_a_commit_is_read(version: int) -> None:
    log = Log()
    log.plain(12345, 6, version=version)
    assert log.offsets() == {6: 12345}
    assert log.commits.undecoded == 0


def test_both_versions_of_the_key_are_read_and_other_groups_are_passed_over() -> None:
    log = Log(topic=INPUT)
    for number, key in enumerate(
        [
            commit_key(0, version=0),
            commit_key(1, version=1),
            commit_key(2, group="app2"),
            commit_key(3, group="ap"),
            commit_key(4, topic="other"),
            struct.pack(">h", 3) + text(GROUP),
            b"",
            None,
        ]
    ):
        log.commits.record(number, key, commit_value(8))
    assert log.offsets() == {0: 8, 1: 8}
    assert log.commits.undecoded == 0


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_no_bytes_break_it(key: bytes, value: bytes) -> None:
    commits = GroupCommits(GROUP)
    commits.record(0, commit_key()[:7] + key, value)
    commits.record(1, commit_key(), value)
    commits.record(2, commit_key(), commit_value(1, version=4)[:14] + value)
    commits.record(3, struct.pack(">h", 2) + text(GROUP), value)
    commits.record(4, key, value)


def test_a_version_that_is_not_known_is_unknown_and_not_guessed() -> None:
    log = Log()
    log.commits.record(0, commit_key(), commit_value(8, version=4).replace(b"\0\4", b"\0\5", 1))
    log.commits.record(1, commit_key(), b"\0")
    assert log.commits.undecoded == 2
    (unknown,) = log.check().unknowns
    assert unknown.subject == Code.OFFSET_REGRESSION


def test_an_offset_that_moves_backwards_is_found_with_both_commits() -> None:
    log = Log()
    log.committed(10, pid=5)
    log.committed(20, pid=5)
    log.committed(15, pid=6)
    log.committed(30, pid=6)
    (anomaly,) = regressions(log.check())
    assert anomaly.place == (INPUT, 0, 15)
    assert anomaly.offsets == [15, 20]
    assert anomaly.detail == (
        "'app' had committed 20, then 15, in a transaction of another producer"
    )
    assert anomaly.facts["before"] == {"transactional": True, "producer_id": 5, "epoch": 2}
    assert anomaly.facts["after"]["producer_id"] == 6
    assert anomaly.facts["time"] == "2023-11-14T22:13:20.000+00:00"
    assert [str(place) for place in anomaly.related["commits"]] == [
        "__consumer_offsets-17@2",
        "__consumer_offsets-17@4",
    ]


def test_the_same_offset_again_and_each_partition_for_itself_are_no_steps_back() -> None:
    log = Log()
    for offset, partition in [(10, 0), (10, 0), (3, 1), (11, 0), (4, 1)]:
        log.plain(offset, partition)
    assert log.steps() == []


def test_commits_of_aborted_and_open_transactions_do_not_count() -> None:
    log = Log()
    log.committed(10)
    log.pending(99)
    log.end(commits=False)
    log.committed(12)
    log.pending(3)
    assert log.steps() == []
    assert log.offsets() == {0: 12}


def test_a_transaction_counts_when_it_commits_and_not_where_its_record_lies() -> None:
    """Between its record and its marker the group was at 5: then it went on to 20."""
    log = Log()
    log.pending(20, 0, pid=5)
    log.pending(5, 1, pid=6)
    log.end(pid=6)
    log.end(pid=5)
    log.committed(21)
    assert log.steps() == []
    assert log.offsets() == {0: 21, 1: 5}


def test_a_commit_that_a_later_record_has_overtaken_never_counts() -> None:
    log = Log()
    log.pending(20, pid=5)
    log.plain(30)
    log.end(pid=5)
    assert log.steps() == []
    assert log.offsets() == {0: 30}


def test_after_a_deleted_or_expired_offset_a_group_may_begin_anywhere() -> None:
    log = Log()
    log.plain(100)
    log.plain(None)
    log.plain(0)
    assert log.steps() == []
    log.plain(None)
    assert log.offsets() == {}


def test_a_topic_that_was_created_anew_begins_anew() -> None:
    log = Log()
    log.plain(100, version=4, topic_id=b"a" * 16)
    log.plain(3, version=4, topic_id=b"b" * 16)
    assert log.steps() == []
    log.plain(2, version=4, topic_id=b"b" * 16)
    assert log.steps() == [(3, 2)]


@pytest.mark.parametrize("version", [0, 1, 2, 3, 4])
def test_a_reset_while_nobody_is_in_the_group_says_so(version: int) -> None:
    log = Log()
    log.group(2, version=version)
    log.committed(10)
    log.group(0, version=version)
    log.plain(0)
    checked = log.check()
    (anomaly,) = regressions(checked)
    assert "while the group had no members: a reset by hand or by a tool?" in anomaly.detail
    assert (anomaly.facts["members"], anomaly.facts["generation"]) == (0, 9)
    assert checked.hazards == []


def test_members_are_those_of_when_the_offsets_were_written_not_of_when_their_marker_was() -> None:
    """A commit returns before its markers are written: its group may be empty by then."""
    log = Log()
    log.group(1)
    log.committed(10, pid=5)
    log.pending(4, pid=6)
    log.group(0)
    log.end(pid=6)
    (anomaly,) = regressions(log.check())
    assert anomaly.facts["members"] == 1


def test_a_plain_commit_back_after_transactions_says_so() -> None:
    log = Log()
    log.group(1)
    log.committed(10)
    log.plain(4)
    (anomaly,) = regressions(log.check())
    assert anomaly.detail.endswith("then 4, outside any transaction")


def test_all_steps_back_are_counted_and_the_first_are_kept() -> None:
    log = Log(limit=2)
    for offset in (9, 8, 7, 6):
        log.plain(offset)
    checked = log.check()
    assert checked.found[0].total == 3
    assert [a.place.offset for a in regressions(checked)] == [8, 7]


def test_plain_commits_beside_transactional_outputs_are_a_hazard() -> None:
    log = Log()
    log.group(1)
    log.plain(3)
    log.committed(5)
    (hazard,) = log.check().hazards
    assert hazard.code == HazardCode.OFFSETS_OUTSIDE_TRANSACTION
    assert (hazard.topic, hazard.partition, hazard.offset) == (INPUT, 0, 3)
    assert hazard.facts == {"outside": 1, "inside": 1, "first": "__consumer_offsets-17@1"}
    assert hazard.detail.startswith("1 of 2 offset commits of 'app' are outside any transaction")
    assert log.check(transactional=False).hazards == []
    assert log.check(transactional=None).hazards == []


def test_commits_inside_transactions_are_no_hazard() -> None:
    log = Log()
    log.committed(3)
    log.pending(7)
    assert log.check().hazards == []
    assert log.check().counts == {"offset_commits": 2}


def outputs(*rows: tuple[int, int]) -> Outputs:
    """(source offset, producer id), of source partition 0, written to partition 1 in this order."""
    offsets, pids = np.array(rows, dtype=np.int64).T
    return Outputs(
        source_partition=np.zeros(len(rows), np.int64),
        source_offset=offsets,
        partition=np.ones(len(rows), np.int64),
        offset=np.arange(len(rows)),
        producer_id=pids,
    )


def zombies(log: Log, written: Outputs, limit: int = 10) -> list[Anomaly]:
    (found,) = check_writers(
        log.commits, written, source=INPUT, output="receipts", limit=limit
    ).found
    assert found.code == Code.ZOMBIE_WRITE
    return found.anomalies


def test_an_output_whose_input_another_producer_committed_is_a_zombie_s() -> None:
    log = Log()
    log.committed(10, pid=5)
    log.committed(20, pid=6)
    written = outputs((9, 5), (10, 6), (12, 5), (19, 6))
    (anomaly,) = zombies(log, written)
    assert anomaly.place == ("receipts", 1, 2)
    assert anomaly.facts == {"writer": 5, "committer": 6}
    assert anomaly.related["inputs"] == [(INPUT, 0, 12)]


def test_outputs_of_those_who_committed_their_inputs_are_silent() -> None:
    log = Log()
    log.committed(10, pid=5)
    log.committed(20, pid=6)
    assert zombies(log, outputs((0, 5), (9, 5), (10, 6), (20, 5), (99, 5))) == []


def test_what_was_committed_twice_or_outside_a_transaction_proves_nothing() -> None:
    log = Log()
    log.committed(10, pid=5)
    log.committed(4, pid=6)
    log.committed(12, pid=6)
    log.plain(20)
    assert zombies(log, outputs((5, 5), (5, 6), (15, 5), (11, -1))) == []
    assert [a.facts["writer"] for a in zombies(log, outputs((5, 5), (11, 5)))] == [5]


@pytest.mark.parametrize("hole", ["at the start", "between"])
def test_a_log_that_compaction_has_thinned_proves_nothing(hole: str) -> None:
    log = Log()
    log.next = 3 if hole == "at the start" else 0
    log.committed(10, pid=5)
    log.next += 1 if hole == "between" else 0
    log.committed(20, pid=6)
    assert log.commits.complete_from > 0
    assert zombies(log, outputs((12, 5))) == []


def test_batches_of_other_groups_leave_no_hole_unless_they_have_one() -> None:
    log = Log()
    log.committed(10)
    log.commits.passed(2, 6, records=5)
    log.next = 7
    log.committed(20)
    assert log.commits.complete_from == 0
    log.commits.passed(9, 12, records=3)
    assert log.commits.complete_from == 12
