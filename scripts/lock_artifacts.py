"""Makes a lock file: Maven coordinates with all they need at run time, each with its SHA-256.

python scripts/lock_artifacts.py eoscheck/cluster/kafka-4.3.1.lock.json \\
    org.apache.kafka:kafka_2.13:4.3.1 org.slf4j:slf4j-simple:1.7.36
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
from pathlib import Path

import click
import msgspec
from jgo.maven import MavenContext

from eoscheck.artifacts import Lock, LockedFile, repository_url


def resolve(coordinates: list[str], repository: Path, *, transitive: bool) -> list[LockedFile]:
    """Downloads into `repository` (a local Maven repository) and describes what came."""
    context = MavenContext(
        repo_cache=repository, remote_repos={"central": repository_url()}, timeout=60
    )
    wanted = [context.create_dependency(coordinate) for coordinate in coordinates]
    roots, others = context.resolver.resolve(wanted, transitive=transitive)
    files = {dependency.artifact.resolve() for dependency in [*roots, *others]}
    return [
        LockedFile(
            path=file.relative_to(repository).as_posix(),
            sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
            size=file.stat().st_size,
        )
        for file in sorted(files)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lock", type=Path, help="the lock file to write")
    parser.add_argument("coordinates", nargs="+", help="groupId:artifactId:version")
    parser.add_argument("--no-transitive", action="store_true", help="the named artifacts only")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = resolve(
            arguments.coordinates,
            Path(folder).resolve(),
            transitive=not arguments.no_transitive,
        )
    lock = Lock(roots=arguments.coordinates, files=files)
    arguments.lock.write_bytes(msgspec.json.format(msgspec.json.encode(lock), indent=2) + b"\n")
    megabytes = sum(file.size for file in files) / 1e6
    click.echo(f"{arguments.lock}: {len(files)} files, {megabytes:.1f} MB")


if __name__ == "__main__":
    main()
