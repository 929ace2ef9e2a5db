"""Makes a Docker image of Kafka without a registry: Java, the locked jars, busybox, Toxiproxy.

python scripts/docker_image.py [--tag eoscheck/kafka:4.3.1]

For machines that cannot pull apache/kafka, and for the tests. It needs a Docker daemon, `ldd`,
and a static `busybox` (Debian: busybox-static).
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path

import click

from eoscheck.artifacts import cache_folder
from eoscheck.cluster.distribution import KAFKA_VERSION, prepare_distribution
from eoscheck.errors import EoscheckError, UsageError
from eoscheck.network.binary import find_or_build
from eoscheck.process import Supervisor
from eoscheck.process.container import docker_client, docker_errors

_START = "/etc/kafka/docker/run"
_NOT_FOR_RUNNING = frozenset({"jmods", "include", "man", "demo", "legal", "docs"})
_APPLETS = ("awk", "cat", "echo", "ls", "nc", "sh", "sleep", "touch", "wget")
_CHANGES = [
    f'CMD ["{_START}"]',
    "ENV PATH=/opt/java/bin:/usr/local/bin:/bin",
    "ENV LD_LIBRARY_PATH=/lib/native",
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kafka-version", default=KAFKA_VERSION)
    parser.add_argument("--tag", help="default: eoscheck/kafka:VERSION")
    arguments = parser.parse_args()
    tag = arguments.tag or f"eoscheck/kafka:{arguments.kafka_version}"
    try:
        client = docker_client()
        with tempfile.TemporaryDirectory(prefix="eoscheck-image-") as folder:
            root = Path(folder) / "root.tar"
            write_root(root, version=arguments.kafka_version)
            with docker_errors("the image could not be made"):
                name, _, label = tag.rpartition(":")
                client.api.import_image_from_file(
                    str(root), repository=name, tag=label, changes=_CHANGES
                )
    except EoscheckError as error:
        raise SystemExit(f"docker_image.py: {error}") from error
    click.echo(tag)


def write_root(target: Path, *, version: str) -> None:
    """The root file system as a tar file."""
    busybox = _static_busybox()
    with Supervisor() as supervisor:
        kafka = prepare_distribution(version, supervisor=supervisor, progress=click.echo)
        toxiproxy = find_or_build(
            supervisor=supervisor, cache=cache_folder(), progress=click.echo
        ).path
    java = kafka.java.executable.resolve().parents[1]
    programs = [toxiproxy, java / "bin" / "java", *java.rglob("*.so")]
    with tarfile.open(target, "w", dereference=True) as tar:
        for name in ("tmp", "proc", "sys", "dev", "etc", "root"):
            _add_folder(tar, name, mode=0o1777 if name == "tmp" else 0o755)
        for file in java.rglob("*"):
            inside = file.relative_to(java)
            # A JDK's link to its sources leads nowhere where these are not installed.
            if file.is_file() and inside.parts[0] not in _NOT_FOR_RUNNING:
                tar.add(file, f"opt/java/{inside}")
        for jar in kafka.jars:
            tar.add(jar, f"opt/kafka/libs/{jar.name}")
        for library, path in _libraries(programs).items():
            tar.add(path, f"lib/native/{library}")
            if library.startswith("ld-"):
                tar.add(path, str(_interpreter(programs[1])).lstrip("/"))
        tar.add(busybox, "bin/busybox")
        for applet in _APPLETS:
            _add_link(tar, f"bin/{applet}", "busybox")
        tar.add(toxiproxy, "usr/local/bin/toxiproxy-server")
        tar.add(Path(__file__).with_name("docker-run.sh"), _START.lstrip("/"), filter=_executable)


def _static_busybox() -> Path:
    found = shutil.which("busybox")
    if found is None or "statically" not in _ldd(Path(found), static=True):
        raise UsageError("no static busybox here: install one (Debian, Ubuntu: busybox-static)")
    return Path(found)


def _libraries(programs: Iterable[Path]) -> dict[str, Path]:
    """All that they are linked with, by name, and what the jars' native parts want."""
    found: dict[str, Path] = {}
    for program in programs:
        for line in _ldd(program).splitlines():
            words = line.split()
            path = next((word for word in words if word.startswith("/")), None)
            if path is not None:
                found[Path(path).name if words[0].startswith("/") else words[0]] = Path(path)
    return found


def _interpreter(program: Path) -> str:
    """The path at which the kernel looks for the dynamic linker."""
    return next(
        words[0]
        for line in _ldd(program).splitlines()
        if (words := line.split()) and words[0].startswith("/")
    )


def _ldd(program: Path, *, static: bool = False) -> str:
    done = subprocess.run(
        ["ldd", str(program)],  # noqa: S607 - wherever this machine has it
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    # A static program is an error to ldd.
    if done.returncode and not static and "not a dynamic" not in done.stdout + done.stderr:
        raise UsageError(f"ldd {program}: {done.stderr.strip()}")
    return "statically" if done.returncode else done.stdout


def _executable(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.mode = 0o755
    return entry


def _add_folder(tar: tarfile.TarFile, name: str, *, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = tarfile.DIRTYPE, mode
    tar.addfile(entry)


def _add_link(tar: tarfile.TarFile, name: str, target: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = tarfile.SYMTYPE, target
    tar.addfile(entry)


if __name__ == "__main__":
    main()
