"""One request of a client, as far as the steps of the exactly-once protocol need it."""

from __future__ import annotations

import msgspec


class Request(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a proxy read of one request; a field that its API has not, or that could not be read in
    this version, is None (`topics` empty).

    `api` is Kafka's name (`EndTxn`), or `api 99` where we know none. `topics` are names; an id that
    no answer to Metadata has told us stands as its UUID. Those of an incremental Fetch are its
    session's (KIP-227). `committed` is EndTxn's. `generation` is the classic group's generation id
    or KIP-848's member epoch; `requires_stable` is OffsetFetch's; `acks` is Produce's, whose
    producer is that of its first batch. Where a request lists transactions, groups or members it
    is the first. FindCoordinator says `group` or `transactional_id`.
    """

    api: str
    api_key: int
    api_version: int
    correlation_id: int
    client_id: str | None
    size: int
    transactional_id: str | None = None
    producer_id: int | None = None
    producer_epoch: int | None = None
    committed: bool | None = None
    group: str | None = None
    member_id: str | None = None
    generation: int | None = None
    requires_stable: bool | None = None
    acks: int | None = None
    topics: tuple[str, ...] = ()
