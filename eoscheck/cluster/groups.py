"""Who is in a consumer group, asked without taking part.

By kafka-python: where a coordinator goes away while librdkafka's admin client asks for a group, it
aborts the whole process (its issue 5040, in 2.16 too).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kafka.admin import KafkaAdminClient
from kafka.errors import GroupAuthorizationFailedError, KafkaError
from tenacity import (
    Retrying,
    retry_if_exception_type,
    retry_if_not_exception_type,
    stop_after_delay,
    wait_fixed,
)

from eoscheck.cluster.admin_client import RotatingAdmin
from eoscheck.errors import InfrastructureError

_NEEDED = "DESCRIBE or READ on the group is needed"
_RETRY_EVERY_S = 0.1
_ATTEMPTS = 4
_GONE = "[Error 69]"  # GROUP_ID_NOT_FOUND, as kafka-python puts it into words
_HIDDEN = "[Error 30]"  # GROUP_AUTHORIZATION_FAILED
_DEAD = "Dead"  # how older brokers say that there is none
_MOVING = ("[Error 14]", "[Error 15]", "[Error 16]")  # the coordinator loads, is none, is another


class GroupHiddenError(InfrastructureError):
    """The group may not be described by us."""


@dataclass(frozen=True, kw_only=True)
class Member:
    """A member of a consumer group; `partitions` by topic are those it is assigned now."""

    client_id: str
    member_id: str
    instance_id: str | None
    partitions: Mapping[str, list[int]]


@dataclass(frozen=True, kw_only=True)
class Group:
    """`state` is Kafka's word: Stable, Empty, PreparingRebalance, CompletingRebalance."""

    state: str
    members: list[Member]


class _MovingError(Exception):
    """Its coordinator is another, or not there yet."""


class GroupView:
    """Each answer within about `timeout_s`, whichever broker is away. Thread-safe."""

    def __init__(self, client_config: Mapping[str, str], *, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._admin = RotatingAdmin(client_config, attempt_s=timeout_s / _ATTEMPTS)

    def describe(self, group: str) -> Group | None:
        """None where there is no such group.

        Raises GroupHiddenError, or InfrastructureError where nobody answers.
        """
        retrying = Retrying(
            retry=retry_if_exception_type((KafkaError, InfrastructureError, _MovingError))
            & retry_if_not_exception_type(GroupAuthorizationFailedError),
            stop=stop_after_delay(self._timeout_s),
            wait=wait_fixed(_RETRY_EVERY_S),
            reraise=True,
        )
        try:
            answer = retrying(self._ask, group)
        except GroupAuthorizationFailedError as error:
            raise GroupHiddenError(_NEEDED) from error
        except (KafkaError, _MovingError) as error:
            raise InfrastructureError(str(error)) from error
        refusal = answer["error"] or ""
        if refusal.startswith(_HIDDEN):
            raise GroupHiddenError(_NEEDED)
        if refusal.startswith(_GONE) or answer["group_state"] == _DEAD:
            return None
        if refusal:
            raise InfrastructureError(refusal)
        return Group(
            state=answer["group_state"], members=[_member(each) for each in answer["members"]]
        )

    def close(self) -> None:
        self._admin.close()

    def _ask(self, group: str) -> dict[str, Any]:
        def question(admin: KafkaAdminClient) -> dict[str, Any]:
            answer: dict[str, Any] = admin.describe_groups([group])[group]
            if (answer["error"] or "").startswith(_MOVING):
                raise _MovingError(answer["error"])
            return answer

        return self._admin.ask(question)


def _member(found: Mapping[str, Any]) -> Member:
    assigned = found["member_assignment"] or {"assigned_partitions": []}
    by_topic = {
        each["topic"]: sorted(each["partitions"]) for each in assigned["assigned_partitions"]
    }
    return Member(
        client_id=found["client_id"],
        member_id=found["member_id"],
        instance_id=found["group_instance_id"],
        partitions=dict(sorted(by_topic.items())),
    )
