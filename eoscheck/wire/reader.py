"""Requests and answers of one connection, read: header, and the fields that a step needs."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any
from uuid import UUID

from kafka.protocol.schemas.fields.struct_array import StructArrayField

from eoscheck.logformat.flexible import read_uvarint, skip_tags
from eoscheck.wire import apis
from eoscheck.wire.heads import ProduceHeads
from eoscheck.wire.produce import read_produce, sole_error
from eoscheck.wire.request import Request
from eoscheck.wire.sessions import FetchSessions

REQUEST_LEAST = 10
"""Bytes of the smallest request: API key, version, correlation id and no client id."""
_HEADER = struct.Struct(">ihhih")
_EPOCH = struct.Struct(">i")
_HEARTBEAT_ANSWER = struct.Struct(">ih")  # throttle time, error
_FETCH_ANSWER = struct.Struct(">ihi")  # throttle time, error, session
_FETCH_WITH_SESSION = 7
_FETCH_FLEXIBLE = 12
_METADATA_WITH_IDS = 10
_UNREADABLE = (IndexError, ValueError, KeyError, TypeError, AttributeError, struct.error)
"""What codecs raise at bytes that are not as the version says."""

TopicName = Callable[[UUID], str | None]


class Reader:
    """Of one connection. `name` tells a topic's name by its id, `learn` is told of new ones."""

    def __init__(self, *, name: TopicName, learn: Callable[[UUID, str], None]) -> None:
        self._name, self._learn = name, learn
        self._sessions = FetchSessions()
        self._heads = ProduceHeads()

    def read(self, frame: bytes) -> Request:
        """A whole frame with its size. Where the API or version is not known, or its fields are not
        as they should be, the header's fields alone. Raises struct.error where it has no header."""
        again = self._heads.read(frame)
        if again is not None:
            return again
        header, at = read_header(frame)
        try:
            if header["api_key"] == apis.PRODUCE:
                return self._produce(frame, at, header)
            fields = self._fields(frame, at, header["api_key"], header["api_version"], header)
        except _UNREADABLE:
            fields = {}
        return Request(**header, **fields)

    def answered(self, request: Request, frame: bytes) -> int | None:
        """The first error code in the answer to it, 0: none; None where it is not read. `frame`:
        whole, but of Fetch the first `ANSWER_HEAD` bytes do."""
        try:
            return self._error(request, frame)
        except _UNREADABLE:
            return None

    def _fields(
        self, frame: bytes, at: int, key: int, version: int, header: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        if key in apis.NEW_HEARTBEATS:
            return _new_heartbeat(frame, skip_tags(frame, at))
        codec = apis.REQUESTS.get(key)
        if codec is None or not apis.knows(codec, version):
            return {}
        if codec.flexible_version_q(version):
            at = skip_tags(frame, at)
        message = codec.decode(memoryview(frame)[at:], version=version)
        if key == apis.FETCH:
            topics = self._sessions.asked(
                header["correlation_id"],
                message,
                key=lambda topic: topic.topic_id or topic.topic,
            )
            return {"topics": self._names(topics)}
        if key == apis.FIND_COORDINATOR:
            return _whose_coordinator(message)
        return self._plain_fields(message)

    def _produce(self, frame: bytes, at: int, header: Mapping[str, Any]) -> Request:
        produce = read_produce(frame, at, version=header["api_version"])
        request = Request(
            **header,
            transactional_id=produce.transactional_id,
            producer_id=produce.producer_id,
            producer_epoch=produce.producer_epoch,
            acks=produce.acks,
            topics=self._names(produce.topics),
        )
        if all(isinstance(topic, str) or self._name(topic) for topic in produce.topics):
            self._heads.learn(frame, request, produce)  # a name may still be told
        return request

    def _plain_fields(self, message: Any) -> Mapping[str, Any]:
        """By the names that the codecs give them; of the first where there is a list of them
        (AddPartitionsToTxn from version 4, OffsetFetch from 8, LeaveGroup from 3)."""
        lists = (_list(message, name) for name in ("transactions", "groups", "members"))
        first = next(itertools.chain.from_iterable(lists), None)
        committed = getattr(message, "committed", None)
        return {
            "transactional_id": _field(
                message, first, "transactional_id", "v3_and_below_transactional_id"
            ),
            "producer_id": _field(message, first, "producer_id", "v3_and_below_producer_id"),
            "producer_epoch": _field(
                message, first, "producer_epoch", "v3_and_below_producer_epoch"
            ),
            "committed": None if committed is None else bool(committed),
            "group": _field(message, first, "group_id"),
            "member_id": _field(message, first, "member_id"),
            "generation": _field(
                message, first, "generation_id", "generation_id_or_member_epoch", "member_epoch"
            ),
            "requires_stable": getattr(message, "require_stable", None),
            "topics": self._names(_topics(message)),
        }

    def _names(self, topics: Iterable[UUID | str]) -> tuple[str, ...]:
        named = (
            topic if isinstance(topic, str) else self._name(topic) or str(topic) for topic in topics
        )
        return tuple(dict.fromkeys(named))

    def _error(self, request: Request, frame: bytes) -> int | None:
        key, version = request.api_key, request.api_version
        if key == apis.FETCH:
            return self._fetch_error(request, frame)
        if key in apis.NEW_HEARTBEATS:
            code: int = _HEARTBEAT_ANSWER.unpack_from(frame, skip_tags(frame, 8))[1]
            return code
        codec = apis.ANSWERS.get(key)
        if codec is None or not apis.knows(codec, version):
            return None
        if key == apis.PRODUCE:
            sole = sole_error(frame, 8, version=version)
            if sole is not None:
                return sole
        at = skip_tags(frame, 8) if codec.flexible_version_q(version) else 8
        message = codec.decode(memoryview(frame)[at:], version=version)
        if key == apis.METADATA and version >= _METADATA_WITH_IDS:
            for topic in message.topics:
                if topic.name is not None and topic.topic_id is not None:
                    self._learn(topic.topic_id, topic.name)
        return _first_error(message)

    def _fetch_error(self, request: Request, frame: bytes) -> int | None:
        version = request.api_version
        if version < _FETCH_WITH_SESSION or not apis.knows(apis.REQUESTS[apis.FETCH], version):
            return None
        at = skip_tags(frame, 8) if version >= _FETCH_FLEXIBLE else 8
        error: int
        _, error, session = _FETCH_ANSWER.unpack_from(frame, at)
        self._sessions.answered(request.correlation_id, session, error=error)
        return error


ANSWER_HEAD = 64
"""Of the broker's frames so many bytes come at once: enough for the header and a Fetch's session,
whose header's tagged fields are none today."""


def reads_answer(request: Request) -> bool:
    """Whether the whole answer is needed to read it."""
    return request.api_key in apis.ANSWERS or request.api_key in apis.NEW_HEARTBEATS


def read_header(frame: bytes) -> tuple[dict[str, Any], int]:
    """The fields of a Request, and where what follows begins (tagged fields, of flexible versions).

    RequestHeader.json: the client id is never compact.
    """
    size, key, version, correlation, length = _HEADER.unpack_from(frame)
    at = _HEADER.size + max(length, 0)
    client_id = None if length < 0 else frame[_HEADER.size : at].decode(errors="replace")
    header = {
        "api": apis.API_NAMES.get(key, f"api {key}"),
        "api_key": key,
        "api_version": version,
        "correlation_id": correlation,
        "client_id": client_id,
        "size": size,
    }
    return header, at


def _new_heartbeat(data: bytes, at: int) -> Mapping[str, Any]:
    group, at = _compact_string(data, at)
    member, at = _compact_string(data, at)
    return {"group": group, "member_id": member, "generation": _EPOCH.unpack_from(data, at)[0]}


def _compact_string(data: bytes, at: int) -> tuple[str, int]:
    length, at = read_uvarint(data, at)
    end = at + max(length - 1, 0)
    return data[at:end].decode(), end


def _whose_coordinator(message: Any) -> Mapping[str, Any]:
    """The first that is asked for; keys are a list from version 4."""
    name = next(iter(_list(message, "coordinator_keys")), None) or message.key
    match message.key_type:
        case 0:
            return {"group": name}
        case 1:
            return {"transactional_id": name}
    return {}


def _list(message: Any, name: str) -> Iterable[Any]:
    return getattr(message, name, None) or ()


def _field(message: Any, first: Any, *names: str) -> Any:
    """The first that the first of its parts, or the message, has and that says something."""
    for holder in (first, message):
        for name in names:
            value = getattr(holder, name, None)
            if value not in (None, ""):
                return value
    return None


def _topics(message: Any) -> Iterator[UUID | str]:
    parts = [message, *_list(message, "transactions"), *_list(message, "groups")]
    for part in parts:
        for topic in [*_list(part, "topics"), *_list(part, "v3_and_below_topics")]:
            named = getattr(topic, "name", None) or getattr(topic, "topic_id", None)
            if named is not None:
                yield named


def _first_error(message: Any) -> int:
    """Of an answer or a part of one: its own error code, then those of its parts; 0 for none."""
    codes, parts = _where_errors_are(message.__class__)
    for name in codes:
        if code := getattr(message, name):
            return int(code)
    for name in parts:
        for part in getattr(message, name) or ():
            if code := _first_error(part):
                return code
    return 0


@cache
def _where_errors_are(kind: Any) -> tuple[Sequence[str], Sequence[str]]:
    """The fields that are error codes, and those that are lists of structs."""
    codes = [name for name in kind.fields if name.endswith("error_code")]
    return codes, [
        name for name, field in kind.fields.items() if isinstance(field, StructArrayField)
    ]
