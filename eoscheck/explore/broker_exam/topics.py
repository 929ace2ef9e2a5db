"""The exam's topics: made for it, and gone after it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from kafka.protocol.admin import CreateTopicsRequest, DeleteTopicsRequest
from kafka.protocol.metadata import MetadataRequest

from eoscheck.explore.broker_exam.conversation import (
    Conversation,
    NotExaminedError,
    NotSupportedError,
)

_PARTITIONS = 2
_AS_THE_BROKER_HAS_IT = -1


@contextmanager
def exam_topics(
    talk: Conversation, names: Sequence[str], *, left_behind: list[str]
) -> Iterator[str | None]:
    """Each has two partitions, with leaders. Yields why they are not there, None where they are;
    `left_behind` is told why they could not be removed."""
    try:
        _create(talk, names)
        refusal = None
    except NotExaminedError as error:
        refusal = str(error)
    try:
        yield refusal
    finally:
        try:  # also where not all came to be
            _delete(talk, names)
        except NotExaminedError as error:
            if refusal is None:
                left_behind.append(str(error))


def _create(talk: Conversation, names: Sequence[str]) -> None:
    wanted = [
        CreateTopicsRequest.CreatableTopic(
            name=name,
            num_partitions=_PARTITIONS,
            replication_factor=_AS_THE_BROKER_HAS_IT,
            assignments=[],
            configs=[],
        )
        for name in names
    ]
    try:
        talk.ask(
            f"CreateTopics({len(names)} topics, {_PARTITIONS} partitions each)",
            lambda: CreateTopicsRequest(
                topics=wanted,
                timeout_ms=int(talk.timeout_s * 1000),
                min_version=4,  # which leaves the replication factor to the broker
                max_version=6,
            ),
            node=partial(_controller, talk),
            code=lambda body: _first(each.error_code for each in body.topics),
        ).required()
    except NotSupportedError:
        talk.exchanges.append("it knows no CreateTopics: it makes topics when asked for them")
    for name in names:
        if not talk.until(partial(_all_led, talk, name)):
            raise NotExaminedError(
                f"a partition of {name} has no leader after {talk.timeout_s:g} s"
            )


def _all_led(talk: Conversation, name: str) -> bool:
    """Asked of the leaders: they take up a partition a moment after everybody was told of it."""
    found = talk.look_up(name).body.topics[0].partitions
    if len(found) < _PARTITIONS or any(each.leader_id < 0 for each in found):
        return False
    return all(talk.end(name, number, committed=True) >= 0 for number in range(_PARTITIONS))


def _delete(talk: Conversation, names: Sequence[str]) -> None:
    talk.ask(
        f"DeleteTopics({len(names)} topics)",
        lambda: DeleteTopicsRequest(
            topic_names=list(names), timeout_ms=int(talk.timeout_s * 1000), max_version=5
        ),
        node=partial(_controller, talk),
        code=lambda body: _first(each.error_code for each in body.responses),
    ).required()


def _controller(talk: Conversation) -> int | None:
    """Brokers of KRaft pass it on, those before answer only where they are the controller."""
    answer = talk.ask(
        "Metadata(controller)",
        lambda: MetadataRequest(topics=[], min_version=1, max_version=9),
        node=lambda: None,
        code=lambda _: 0,
        told=lambda body: f"broker {body.controller_id}",
    )
    known = {each.node_id for each in answer.body.brokers}
    controller = int(answer.body.controller_id)
    return controller if controller in known else None


def _first(codes: Iterable[int]) -> int:
    """The first error, 0 for none."""
    return next(filter(None, codes), 0)
