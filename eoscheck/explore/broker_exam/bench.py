"""What a promise is examined with: a partition, groups and ids of its own, and producers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from kafka.protocol.admin import DeleteGroupsRequest
from kafka.protocol.consumer import OffsetFetchRequest

from eoscheck.explore.broker_exam.conversation import (
    COORDINATOR_OF_GROUP,
    Answer,
    Conversation,
    NotExaminedError,
    NotSupportedError,
    error_name,
)
from eoscheck.explore.broker_exam.member import ExamMember
from eoscheck.explore.broker_exam.outcome import Observation
from eoscheck.explore.broker_exam.producer import ExamProducer
from eoscheck.explore.broker_exam.reading import shown

FENCED = (47, 90)
"""INVALID_PRODUCER_EPOCH, PRODUCER_FENCED."""
UNSTABLE_OFFSET_COMMIT = 88
NO_OFFSET = -1
_GROUP_NOT_FOUND = 69
_LONG_MS = 60_000


@dataclass(kw_only=True)
class Bench:
    """`name` is that of its topic, and what its groups and transactional ids begin with; the talk's
    time-out bounds each wait for what comes at once, `expiry_s` that for the end of an expired
    transaction. Its records are in `partition`; nothing is written to `spare`."""

    talk: Conversation
    name: str
    expiry_s: float
    partition: int = 0
    spare: int = 1
    groups: list[str] = field(default_factory=list)
    _members: list[ExamMember] = field(default_factory=list)
    _producers: list[ExamProducer] = field(default_factory=list)

    def producer(
        self,
        *,
        transactional: bool = True,
        timeout_ms: int = _LONG_MS,
        own_epochs: bool = False,
    ) -> ExamProducer:
        """Initialised; all transactional ones have the same transactional id."""
        producer = ExamProducer(
            self.talk,
            self.name,
            transactional_id=self.name if transactional else None,
            timeout_ms=timeout_ms,
            own_epochs=own_epochs,
        )
        producer.init().required()
        self._producers.append(producer)
        return producer

    def group(self) -> str:
        """A new one's name."""
        name = f"{self.name}-{len(self.groups) + 1}"
        self.groups.append(name)
        return name

    def member(self, group: str, *, instance_id: str | None = None) -> ExamMember:
        """It has joined."""
        member = ExamMember(self.talk, group, instance_id=instance_id)
        member.join()
        self._members.append(member)
        return member

    def lso(self) -> int:
        return self.talk.end(self.name, self.partition, committed=True)

    def high_watermark(self) -> int:
        return self.talk.end(self.name, self.partition, committed=False)

    def settled(self) -> bool:
        """Whether no transaction is open in the partition, after a while: a broker writes the
        markers after it has answered EndTxn."""
        return self.talk.until(lambda: self.lso() == self.high_watermark())

    def shown(self, *, committed: bool = True) -> list[str]:
        """The values that a consumer of that isolation level is given."""
        records = shown(
            self.talk.client_config,
            self.name,
            self.partition,
            committed=committed,
            timeout_s=self.talk.timeout_s,
        )
        level = "read_committed" if committed else "read_uncommitted"
        listed = ", ".join(f"{value} at {offset}" for offset, value in records) or "nothing"
        self.talk.exchanges.append(f"a {level} consumer is shown {listed}")
        return [value for _, value in records]

    def offset_fetch(self, group: str, *, require_stable: bool) -> tuple[Answer, int]:
        """The answer, and the offset in it (-1: none). UNSTABLE_OFFSET_COMMIT is an answer."""
        asked = OffsetFetchRequest.OffsetFetchRequestTopic
        answer = self.talk.ask(
            f"OffsetFetch({group}, {'require_stable' if require_stable else 'any'})",
            lambda: OffsetFetchRequest(
                group_id=group,
                topics=[asked(name=self.name, partition_indexes=[self.partition])],
                require_stable=require_stable,
                min_version=7 if require_stable else 1,
                max_version=7,
            ),
            node=lambda: self.talk.coordinator(COORDINATOR_OF_GROUP, group),
            code=lambda body: int(body.error_code or body.topics[0].partitions[0].error_code),
            told=lambda body: f"offset {body.topics[0].partitions[0].committed_offset}",
        )
        offset = int(answer.body.topics[0].partitions[0].committed_offset) if answer.ok else -1
        return answer, offset

    def stable_offset(self, group: str) -> int:
        """The committed offset, once no transaction holds it, as far as the broker tells so. Raises
        NotExaminedError where that does not come."""
        offset = NO_OFFSET
        telling = True

        def is_stable() -> bool:
            nonlocal offset, telling
            try:
                answer, offset = self.offset_fetch(group, require_stable=telling)
            except NotSupportedError:
                if not telling:
                    raise
                telling = False
                return False
            return answer.code != UNSTABLE_OFFSET_COMMIT and bool(answer.required())

        if not self.talk.until(is_stable):
            raise NotExaminedError(
                f"the offsets of {group} are still UNSTABLE_OFFSET_COMMIT after "
                f"{self.talk.timeout_s:g} s without an open transaction"
            )
        return offset

    def leave(self) -> list[str]:
        """Open transactions are aborted, members leave, groups are deleted; returns what could not
        be. An error is no matter where it says that there is nothing left to end."""
        left: list[str] = []
        endings = [producer.abandon for producer in self._producers]
        endings += [member.leave for member in self._members]
        for ending in endings:
            try:
                ending()
            except NotExaminedError as error:
                left.append(str(error))
        for group in self.groups:
            try:
                answer = self._delete(group)
            except NotExaminedError as error:
                left.append(f"group {group}: {error}")
                continue
            if answer.code not in (0, _GROUP_NOT_FOUND):
                left.append(f"group {group}: {error_name(answer.code)}")
        return left

    def _delete(self, group: str) -> Answer:
        return self.talk.ask(
            f"DeleteGroups({group})",
            lambda: DeleteGroupsRequest(groups_names=[group], max_version=2),
            node=lambda: self.talk.coordinator(COORDINATOR_OF_GROUP, group),
            code=lambda body: int(body.results[0].error_code),
        )


def refused(expected: str, answer: Answer, codes: Collection[int]) -> Observation:
    """A request that must get one of these errors.

    Raises NotExaminedError for another error: it was refused, but not for that reason."""
    if answer.code not in (0, *codes):
        wanted = " or ".join(error_name(code) for code in codes)
        raise NotExaminedError(f"{answer.text}, where {wanted} says why")
    holds = answer.code in codes
    return Observation(expected=expected, seen=answer.short if holds else answer.text, holds=holds)


def offset_is(expected: str, found: int, wanted: int, *, what: str = "offset") -> Observation:
    seen = f"no {what}" if found == NO_OFFSET else f"{what} {found}"
    return Observation(
        expected=expected,
        seen=seen if found == wanted else f"{seen} instead of {wanted}",
        holds=found == wanted,
    )


def given(expected: str, found: Sequence[str], *wanted: str) -> Observation:
    """What a consumer must be shown, no more and no less."""
    seen = f"a consumer is shown {', '.join(found) or 'nothing'}"
    if list(found) != list(wanted):
        seen += f" instead of {', '.join(wanted) or 'nothing'}"
    return Observation(expected=expected, seen=seen, holds=list(found) == list(wanted))
