"""A member of a consumer group that heartbeats only when it is told to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kafka.protocol.consumer import (
    HeartbeatRequest,
    JoinGroupRequest,
    LeaveGroupRequest,
    SyncGroupRequest,
)

from eoscheck.explore.broker_exam.conversation import (
    COORDINATOR_OF_GROUP,
    Answer,
    Conversation,
    NotExaminedError,
)

_MEMBER_ID_REQUIRED, _INVALID_SESSION_TIMEOUT = 79, 26
_PROTOCOL = "eoscheck-exam"
# A broker allows no shorter ones than group.min.session.timeout.ms: 6 s by default.
_SESSIONS_MS = (1_000, 6_000, 10_000, 30_000)


@dataclass(frozen=True, kw_only=True)
class Member:
    """Who commits offsets, as TxnOffsetCommit says it (KIP-447)."""

    member_id: str = ""
    generation: int = -1
    instance_id: str | None = None

    def __str__(self) -> str:
        if self == NOBODY:
            return ""
        instance = f" instance {self.instance_id}" if self.instance_id is not None else ""
        return f", member {self.member_id or '-'} generation {self.generation}{instance}"


NOBODY = Member()
"""Of no group: nothing of it is fenced."""


class ExamMember:
    """The only member of its group, by the classic protocol, in the first versions that know static
    members: they are what the most brokers understand. `session_ms` is the shortest session
    that the broker allows."""

    def __init__(self, talk: Conversation, group: str, *, instance_id: str | None) -> None:
        self.session_ms = 0
        self.now = NOBODY
        self._talk = talk
        self._group = group
        self._instance_id = instance_id

    def join(self) -> Member:
        """Raises NotExaminedError where the group does not take it in."""
        member_id = self.now.member_id
        answer = None
        for self.session_ms in _SESSIONS_MS:
            answer = self._join(member_id)
            if answer.code == _MEMBER_ID_REQUIRED:
                member_id = answer.body.member_id
                answer = self._join(member_id)
            if answer.code != _INVALID_SESSION_TIMEOUT:
                break
        if answer is None:
            raise NotExaminedError("no session time-out to join with")
        joined = answer.required().body
        self.now = Member(
            member_id=joined.member_id,
            generation=joined.generation_id,
            instance_id=self._instance_id,
        )
        self._sync()
        return self.now

    def heartbeat(self) -> Answer:
        return self._talk.ask(
            f"Heartbeat({self._group}{self.now})",
            lambda: HeartbeatRequest(
                group_id=self._group,
                generation_id=self.now.generation,
                member_id=self.now.member_id,
                group_instance_id=self._instance_id,
                max_version=3,
            ),
            node=self._node,
            code=lambda body: int(body.error_code),
        )

    def leave(self) -> None:
        self._talk.ask(
            f"LeaveGroup({self._group}{self.now})",
            lambda: LeaveGroupRequest(
                group_id=self._group,
                member_id=self.now.member_id,
                members=[
                    LeaveGroupRequest.MemberIdentity(
                        member_id=self.now.member_id, group_instance_id=self._instance_id
                    )
                ],
                max_version=3,
            ),
            node=self._node,
            code=lambda body: int(body.error_code),
        )

    def _join(self, member_id: str) -> Answer:
        protocol = JoinGroupRequest.JoinGroupRequestProtocol(name=_PROTOCOL, metadata=b"")
        return self._talk.ask(
            f"JoinGroup({self._group}, member {member_id or '-'}, session {self.session_ms} ms)",
            lambda: JoinGroupRequest(
                group_id=self._group,
                session_timeout_ms=self.session_ms,
                rebalance_timeout_ms=self.session_ms,
                member_id=member_id,
                group_instance_id=self._instance_id,
                protocol_type=_PROTOCOL,
                protocols=[protocol],
                min_version=5 if self._instance_id is not None else 0,
                max_version=5,
            ),
            node=self._node,
            code=lambda body: int(body.error_code),
            told=lambda body: f"member {body.member_id} generation {body.generation_id}",
        )

    def _sync(self) -> None:
        given = SyncGroupRequest.SyncGroupRequestAssignment
        self._talk.ask(
            f"SyncGroup({self._group}{self.now})",
            lambda: SyncGroupRequest(
                group_id=self._group,
                generation_id=self.now.generation,
                member_id=self.now.member_id,
                group_instance_id=self._instance_id,
                protocol_type=_PROTOCOL,
                protocol_name=_PROTOCOL,
                assignments=[given(member_id=self.now.member_id, assignment=b"")],
                max_version=3,
            ),
            node=self._node,
            code=lambda body: int(body.error_code),
        ).required()

    def _node(self) -> Any:
        return self._talk.coordinator(COORDINATOR_OF_GROUP, self._group)
