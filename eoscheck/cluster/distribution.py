"""Apache Kafka on this machine: its jars, a Java, and how the two are started."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from eoscheck.artifacts import cache_folder, fetch
from eoscheck.cluster.java import Java, find_or_install_java
from eoscheck.errors import UsageError
from eoscheck.process import Supervisor

KAFKA_VERSION = "4.3.1"
"""What is started where no other is asked for."""
_LOCKS = Path(__file__).parent

# Small and quick to start: a test broker moves megabytes, and the machine runs the subject too.
_JVM_OPTIONS = (
    "-Xms256m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Xlog:disable",
    "-Djava.awt.headless=true",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
)
# They would change the JVM behind our back: other options, and another class-data archive.
_JVM_VARIABLES = ("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "CLASSPATH")


def kafka_versions() -> list[str]:
    """Those that there is a lock file of, the newest first."""
    names = [path.name for path in _LOCKS.glob("kafka-*.lock.json")]
    found = [name.removeprefix("kafka-").removesuffix(".lock.json") for name in names]
    return sorted(found, key=lambda version: tuple(map(int, version.split("."))), reverse=True)


def lock_file(version: str) -> Path:
    """Raises UsageError where there is none of that version of Kafka."""
    versions = kafka_versions()
    if version not in versions:
        raise UsageError(
            f"there is no Kafka {version!r} here: use {' or '.join(versions)} "
            "(scripts/lock_artifacts.py makes the lock file of another)"
        )
    return _LOCKS / f"kafka-{version}.lock.json"


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """What is needed to run one version of Kafka. `work` is its own folder in the cache."""

    version: str
    java: Java
    jars: tuple[Path, ...]
    work: Path

    def command(self, main: str, *arguments: str, options: Sequence[str] = ()) -> list[str]:
        """Runs the Java class `main`; `options` go to the JVM."""
        class_path = os.pathsep.join(map(str, self.jars))
        java = str(self.java.executable)
        return [java, *_JVM_OPTIONS, *options, "-cp", class_path, main, *arguments]

    @property
    def environment(self) -> dict[str, str]:
        return {name: value for name, value in os.environ.items() if name not in _JVM_VARIABLES}

    @property
    def fingerprint(self) -> str:
        """Changes with whatever a class-data archive depends on: Java, its options, the jars."""
        jars = [f"{jar}:{jar.stat().st_mtime_ns}:{jar.stat().st_size}" for jar in self.jars]
        java = self.java.executable.resolve()
        parts = [str(java), str(java.stat().st_mtime_ns), *_JVM_OPTIONS, *jars]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def prepare_distribution(
    version: str, *, supervisor: Supervisor, progress: Callable[[str], None]
) -> Distribution:
    """Downloads what the cache does not hold yet.

    Raises UsageError for a version that there is no lock file of, InfrastructureError, one line,
    for no network, a full disk, no Java and no way to get it.
    """
    cache = cache_folder()
    jars = fetch(
        lock_file(version), progress=lambda news: progress(f"Apache Kafka {version}: {news}")
    )
    return Distribution(
        version=version,
        java=find_or_install_java(supervisor=supervisor, cache=cache, progress=progress),
        jars=tuple(jars),
        work=cache / f"kafka-{version}",
    )
