"""What incremental Fetch requests leave out (KIP-227): the partitions of each session."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias
from uuid import UUID

Topic: TypeAlias = UUID | str

_INITIAL_EPOCH, _FINAL_EPOCH = 0, -1  # FetchMetadata
_MOST = 64
"""Sessions of one connection: a client has one for each consumer and broker."""


class FetchSessions:
    """Of one connection, by the ids that the broker gives."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[int, dict[Topic, set[int]]] = OrderedDict()
        self._asked: dict[int, dict[Topic, set[int]]] = {}

    def asked(
        self, correlation_id: int, message: Any, *, key: Callable[[Any], Topic]
    ) -> Sequence[Topic]:
        """The topics that a FetchRequest is about."""
        listed = _partitions(message.topics, key)
        if message.session_epoch in (_INITIAL_EPOCH, _FINAL_EPOCH):
            self._sessions.pop(message.session_id, None)
            if message.session_epoch == _INITIAL_EPOCH:
                self._asked[correlation_id] = listed
            return list(listed)
        session = self._sessions.get(message.session_id, {})
        for topic, gone in _partitions(message.forgotten_topics_data, key, ids=True).items():
            session[topic] = session.get(topic, set()) - gone
        for topic, added in listed.items():
            session[topic] = session.get(topic, set()) | added
        return [topic for topic, partitions in session.items() if partitions]

    def answered(self, correlation_id: int, session_id: int, *, error: int) -> None:
        """To a full request a new session's id is told, or 0 for none."""
        asked = self._asked.pop(correlation_id, None)
        if asked is None or error or not session_id:
            return
        self._sessions[session_id] = asked
        while len(self._sessions) > _MOST:
            self._sessions.popitem(last=False)


def _partitions(
    topics: Any, key: Callable[[Any], Topic], *, ids: bool = False
) -> dict[Topic, set[int]]:
    return {
        key(topic): {each if ids else each.partition for each in topic.partitions}
        for topic in topics or ()
    }
