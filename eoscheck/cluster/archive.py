"""The class-data archive: made once from a trial run, it halves the start of every later broker."""

from __future__ import annotations

import hashlib
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from eoscheck.cluster.addresses import free_addresses
from eoscheck.cluster.distribution import Distribution
from eoscheck.cluster.node import Node, start_node
from eoscheck.cluster.node_properties import node_properties
from eoscheck.cluster.settings import default_settings
from eoscheck.cluster.storage import make_data_folder, new_cluster_id
from eoscheck.errors import InfrastructureError
from eoscheck.network.ports import HOST
from eoscheck.process import Supervisor

_READY_TIMEOUT_S = 120.0
_DUMP_TIMEOUT_S = 180.0
_AOT_SINCE = 25  # JEP 514: one option to make the cache, one to use it


def archive_options(
    distribution: Distribution,
    *,
    template: Path,
    supervisor: Supervisor,
    progress: Callable[[str], None],
) -> tuple[str, ...]:
    """JVM options that use the archive, made now where the cache has none for this Java and jars.

    None of them where that failed: a broker starts without it too, only slower.
    """
    ahead_of_time = distribution.java.version >= _AOT_SINCE
    suffix, make, use = (
        (".aot", "-XX:AOTCacheOutput=", "-XX:AOTCache=")
        if ahead_of_time
        else (".jsa", "-XX:ArchiveClassesAtExit=", "-XX:SharedArchiveFile=")
    )
    archive = distribution.work / f"{distribution.fingerprint}{suffix}"
    if not _is_intact(archive):
        progress("making the class-data archive, once (10 to 20 s, on a busy machine longer)")
        try:
            _make(archive, make, distribution, template, supervisor)
        except (InfrastructureError, KafkaException) as error:
            progress(f"no class-data archive this time, so starts are slower: {error}")
    usable = _is_intact(archive) and archive.stat().st_size > 0
    return (f"{use}{archive}",) if usable else ()


def _is_intact(archive: Path) -> bool:
    """Hashed each time (50 ms): a damaged archive crashes the JVM, or it computes nonsense."""
    try:
        return _digest(archive) == _digest_file(archive).read_text()
    except FileNotFoundError:
        return False


def _digest(archive: Path) -> str:
    with archive.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _digest_file(archive: Path) -> Path:
    return archive.with_name(f"{archive.name}.sha256")


def _make(
    archive: Path, make: str, distribution: Distribution, template: Path, supervisor: Supervisor
) -> None:
    folder = distribution.work / f"trial-{new_cluster_id()}"
    supervisor.remove_at_exit(folder)
    folder.mkdir()
    unfinished = folder / archive.name
    try:
        node = _start(folder, f"{make}{unfinished}", distribution, template, supervisor)
        try:
            node.wait_ready(timeout_s=_READY_TIMEOUT_S)
            _use(f"{HOST}:{node.address.direct}")
        finally:
            code = node.stop(timeout_s=_DUMP_TIMEOUT_S)  # it is written at the end
        if code == -signal.SIGKILL:
            raise InfrastructureError(f"it was not written within {_DUMP_TIMEOUT_S:.0f} s")
        unfinished.touch()  # a Java that wrote none is not asked again: an empty file says so
        _digest_file(archive).write_text(_digest(unfinished))
        unfinished.rename(archive)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _start(
    folder: Path, option: str, distribution: Distribution, template: Path, supervisor: Supervisor
) -> Node:
    data, cluster_id = folder / "data", new_cluster_id()
    make_data_folder(template, data, cluster_id=cluster_id, node_id=1)
    (address,) = free_addresses(1)
    settings = default_settings(brokers=1, profile="default")
    return start_node(
        distribution,
        address,
        node_properties(address, addresses=[address], data=data, settings=settings),
        cluster_id=cluster_id,
        supervisor=supervisor,
        folder=folder,
        jvm_options=[option],
    )


def _use(servers: str) -> None:
    """A transaction, so that the archive holds what it takes."""
    topic = "trial"
    config: dict[str, str | int | float | bool] = {"bootstrap.servers": servers, "log_level": 0}
    admin = AdminClient(config)  # kept: the answer dies with it
    admin.create_topics([NewTopic(topic, 1)])[topic].result(timeout=30.0)
    producer = Producer({**config, "transactional.id": topic})
    producer.init_transactions(30.0)
    producer.begin_transaction()
    producer.produce(topic, b"value", key=b"key")
    producer.commit_transaction(30.0)
