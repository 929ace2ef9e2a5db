"""Data directories: formatted once by Kafka's own tool, then copied for each broker."""

from __future__ import annotations

import base64
import shutil
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

import javaproperties

from eoscheck.cluster.distribution import Distribution
from eoscheck.cluster.node import failure_reason
from eoscheck.errors import InfrastructureError, UsageError
from eoscheck.process import Supervisor

_FORMAT_TIMEOUT_S = 120.0


def new_cluster_id() -> str:
    """A random id as Kafka's `Uuid` prints them: 16 bytes, base64 for URLs, no padding, and no
    dash in front (Kafka avoids it, for tools take it for an option)."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):
            return text


def make_data_folder(template: Path, target: Path, *, cluster_id: str, node_id: int) -> None:
    """A copy of the formatted `template` with ids of its own: a JVM for each would cost seconds."""
    shutil.copytree(template, target, dirs_exist_ok=True)
    identity = target / "meta.properties"
    properties = javaproperties.loads(identity.read_text())
    properties["cluster.id"] = cluster_id
    properties["node.id"] = str(node_id)
    properties["directory.id"] = new_cluster_id()
    identity.write_text(javaproperties.dumps(properties, timestamp=None))


def formatted_template(
    distribution: Distribution, *, features: Mapping[str, int], supervisor: Supervisor
) -> Path:
    """The template of this version with these `features` at these levels, else at its own; made by
    `kafka-storage format` where the cache has none.

    Raises UsageError with Kafka's words where it does not know a feature or level.
    """
    chosen = [f"{name}={level}" for name, level in sorted(features.items())]
    template = distribution.work / "-".join(["formatted", *chosen])
    if not (template / "meta.properties").is_file():
        folder = distribution.work / f"format-{new_cluster_id()}"
        supervisor.remove_at_exit(folder)
        folder.mkdir(parents=True)
        try:
            data = _format(distribution, folder, chosen, supervisor)
            shutil.rmtree(template, ignore_errors=True)
            data.rename(template)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return template


def _format(
    distribution: Distribution, folder: Path, features: Sequence[str], supervisor: Supervisor
) -> Path:
    data, properties = folder / "data", folder / "format.properties"
    properties.write_text(
        javaproperties.dumps(
            {
                "process.roles": "broker,controller",
                "node.id": "1",
                "controller.quorum.voters": "1@127.0.0.1:9093",
                "controller.listener.names": "CONTROLLER",
                "listeners": "PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093",
                "log.dirs": str(data),
            }
        )
    )
    arguments = ["format", "--cluster-id", new_cluster_id(), "--config", str(properties)]
    for feature in features:
        arguments += ["--feature", feature]
    child = supervisor.start(
        distribution.command("kafka.tools.StorageTool", *arguments),
        output=folder / "format.log",
        env=distribution.environment,
    )
    code = child.wait(timeout_s=_FORMAT_TIMEOUT_S)
    if code != 0:
        child.stop(timeout_s=1.0)
        reason = failure_reason(child.output)
        if features:
            asked = ", ".join(features)
            raise UsageError(f"Kafka {distribution.version} does not start with {asked}: {reason}")
        raise InfrastructureError(f"Kafka could not format a data directory ({code}): {reason}")
    return data
