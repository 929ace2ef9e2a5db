"""Which broker has which part at this moment: asked of the cluster, never remembered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError
from tenacity import (
    RetryError,
    Retrying,
    retry_if_exception_type,
    retry_if_result,
    stop_after_delay,
    wait_fixed,
)

from eoscheck.cluster.admin_client import RotatingAdmin
from eoscheck.cluster.quorum import active_controller
from eoscheck.cluster.transactions import ONGOING
from eoscheck.errors import InfrastructureError, UsageError

_ATTEMPT_S = 1.0
"""For one broker's answer: one that is paused would keep us for the whole time-out."""
_RETRY_EVERY_S = 0.1
_T = TypeVar("_T")


class Roles:
    """Answers are ids of brokers. Each comes within about `timeout_s`, also while a broker is away,
    or is an InfrastructureError that says what is not known. From one thread at a time.

    By kafka-python, a new client each time: librdkafka aborts the whole process where a coordinator
    goes away while it is asked for (its issue 5040), and holds on to a broker that is paused.
    """

    def __init__(self, client_config: Mapping[str, str], *, timeout_s: float = 15.0) -> None:
        """`client_config`: librdkafka properties past every proxy, `bootstrap.servers` included."""
        self._admin = RotatingAdmin(client_config, attempt_s=_ATTEMPT_S)
        self._timeout_s = timeout_s

    def leader(self, topic: str, partition: int) -> int:
        """Raises UsageError where there is no such topic or partition."""

        def ask(admin: KafkaAdminClient) -> int | None:
            (known,) = admin.describe_topics([topic])
            leaders = {each["partition_index"]: each["leader_id"] for each in known["partitions"]}
            if partition not in leaders:
                raise UsageError(f"there is no partition {partition} of a topic {topic!r}")
            leader: int = leaders[partition]
            return leader if leader >= 0 else None

        return self._answer(f"who leads {topic}/{partition}", ask)

    def behind(self) -> list[str]:
        """Partitions that lack a replica that is in sync, as `topic/partition`, internal too."""

        def ask(admin: KafkaAdminClient) -> list[str]:
            return sorted(
                f"{topic['name']}/{partition['partition_index']}"
                for topic in admin.describe_topics()
                for partition in topic["partitions"]
                if len(partition["isr_nodes"]) < len(partition["replica_nodes"])
            )

        return self._answer("which partitions are behind", ask)

    def controller(self) -> int:
        """The active one, by its epoch: in metadata each broker names whom it likes (KIP-590), and
        one that is cut off may still name itself."""

        def ask(admin: KafkaAdminClient) -> int | None:
            found = active_controller(admin)
            return None if found is None else found.leader

        return self._answer("who the active controller is", ask)

    def group_coordinator(self, group: str) -> int:
        """The broker that has the group, which must be there."""

        def ask(admin: KafkaAdminClient) -> int | None:
            brokers = admin.describe_cluster()["brokers"]
            for broker in (each["broker_id"] for each in brokers if not each.get("is_fenced")):
                listed = admin.list_groups(broker_ids=[broker])
                if any(row["group_id"] == group for row in listed):
                    return int(broker)
            return None

        return self._answer(f"who coordinates group {group!r}", ask)

    def transaction_coordinator(self, transactional_id: str) -> int:
        """Of an id that has been used."""

        def ask(admin: KafkaAdminClient) -> int | None:
            return _coordinators(admin).get(transactional_id)

        what = f"who coordinates transactional id {transactional_id!r}"
        return self._answer(what, ask)

    def transaction_coordinators(self) -> dict[str, int]:
        """By transactional id: of open transactions, of all ids where none is open just now."""

        def ask(admin: KafkaAdminClient) -> dict[str, int] | None:
            return _coordinators(admin, state_filters=[ONGOING]) or _coordinators(admin) or None

        what = "who coordinates a transaction (was any transactional id used?)"
        return self._answer(what, ask)

    def _answer(self, what: str, ask: Callable[[KafkaAdminClient], _T | None]) -> _T:
        silent = True

        def attempt() -> _T | None:
            nonlocal silent
            try:
                answer = self._admin.ask(ask)
            finally:
                self._admin.close()  # the next one knows of nobody who had a part before
            silent = False
            return answer

        retrying = Retrying(
            retry=retry_if_exception_type((KafkaError, InfrastructureError))
            | retry_if_result(lambda answer: answer is None),
            stop=stop_after_delay(self._timeout_s),
            wait=wait_fixed(_RETRY_EVERY_S),
        )
        try:
            answer = retrying(attempt)
        except RetryError as error:
            cause = error.last_attempt.exception()
            reason = f": {cause}" if silent else ""
            raise InfrastructureError(
                f"the cluster did not say {what} within {self._timeout_s:g} s{reason}"
            ) from cause
        assert answer is not None
        return answer


def _coordinators(admin: KafkaAdminClient, **filters: list[str]) -> dict[str, int]:
    listed = admin.list_transactions(**filters)
    return {row.transactional_id: broker for broker, rows in listed.items() for row in rows}
