"""What a store of a stopped app holds, for audits: one JSON object a line."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import msgspec

from reference_app.streams.changelog import changelog_name
from reference_app.streams.directory import StateDirectory
from reference_app.streams.errors import ConfigurationError
from reference_app.streams.store import RocksStore
from reference_app.streams.topology import AnyStore, Topology, WindowStore
from reference_app.streams.windows import windowed


class DumpedPartition(msgspec.Struct, frozen=True):
    """Heads the entries of a partition: `offset` of the changelog, exclusive, that they are of.

    None: nothing was ever committed there.
    """

    partition: int
    changelog: str
    offset: int | None


class DumpedEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """`window` is its start, in a window store only."""

    partition: int
    key: Any
    value: Any
    window: int | None = None


def dump(
    topology: Topology, store: str, *, state_dir: Path, application_id: str
) -> Iterator[DumpedPartition | DumpedEntry]:
    """The content of one store, partition by partition, each in the order of its keys on disk.

    Nothing is changed. Raises ConfigurationError where there is no such store or state, or where
    the app is running.
    """
    spec = _named(topology, store)
    if not (state_dir / application_id).is_dir():
        raise ConfigurationError(
            f"no state of {application_id!r} in {state_dir}: are --state-dir and --application-id "
            "those of the app?"
        )
    with StateDirectory(state_dir, application_id, lock_timeout_s=1.0) as directory:
        for partition in directory.partitions_of(store):
            yield from _partition(
                spec, directory.store_path(partition, store), partition, application_id
            )


def _partition(
    spec: AnyStore, path: Path, partition: int, application_id: str
) -> Iterator[DumpedPartition | DumpedEntry]:
    is_windowed = isinstance(spec, WindowStore)
    key = windowed(spec.key) if is_windowed else spec.key
    store: RocksStore[Any, Any] = RocksStore(path, key=key, value=spec.value, read_only=True)
    try:
        position = store.position
        offset = None if position is None else position.offset
        yield DumpedPartition(partition, changelog_name(application_id, spec.name), offset)
        for found, value in store.items():
            if is_windowed:
                yield DumpedEntry(partition, found[1], value, window=found[0])
            else:
                yield DumpedEntry(partition, found, value)
    finally:
        store.close()


def _named(topology: Topology, name: str) -> AnyStore:
    stores = {store.name: store for store in topology.stores}
    if name in stores:
        return stores[name]
    near = get_close_matches(name, stores, n=1, cutoff=0.0)
    hint = f"did you mean {near[0]!r}?" if near else "the app has none"
    raise ConfigurationError(f"there is no store {name!r}: {hint}")
