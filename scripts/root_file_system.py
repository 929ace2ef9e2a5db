"""The root file system of an image, put together from what this machine has."""

from __future__ import annotations

import subprocess
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from eoscheck.errors import UsageError
from eoscheck.process.container import docker_client, docker_errors

NATIVE = "/lib/native"
"""Where libraries are: of use with `LD_LIBRARY_PATH`."""

_FOLDERS = ("tmp", "proc", "sys", "dev", "etc", "root")


class RootFileSystem:
    """A tar file that is being written. Paths inside begin with a slash."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        for name in _FOLDERS:
            self._folder(name, mode=0o1777 if name == "tmp" else 0o755)

    def add(self, path: Path, inside: str, *, executable: bool = False) -> None:
        """A file, or a folder with all that is in it."""

        def changed(entry: tarfile.TarInfo) -> tarfile.TarInfo:
            if executable:
                entry.mode = 0o755
            return entry

        self._tar.add(path, inside.lstrip("/"), filter=changed)

    def link(self, inside: str, target: str) -> None:
        entry = tarfile.TarInfo(inside.lstrip("/"))
        entry.type, entry.linkname = tarfile.SYMTYPE, target
        self._tar.addfile(entry)

    def add_libraries(self, programs: Sequence[Path]) -> None:
        """What all of them are linked with; the first one says who links them."""
        for library, path in _libraries(programs).items():
            self.add(path, f"{NATIVE}/{library}")
            if library.startswith("ld-"):
                self.add(path, _linker(programs[0]))

    def _folder(self, name: str, *, mode: int) -> None:
        entry = tarfile.TarInfo(name)
        entry.type, entry.mode = tarfile.DIRTYPE, mode
        self._tar.addfile(entry)


@contextmanager
def image(tag: str, *, changes: Sequence[str]) -> Iterator[RootFileSystem]:
    """Its root file system, of which `docker import` makes the image at the end of the block."""
    client = docker_client()
    with tempfile.TemporaryDirectory(prefix="eoscheck-image-") as folder:
        root = Path(folder) / "root.tar"
        with tarfile.open(root, "w", dereference=True) as tar:
            yield RootFileSystem(tar)
        name, _, label = tag.rpartition(":")
        with docker_errors(f"the image {tag} could not be made"):
            client.api.import_image_from_file(
                str(root), repository=name, tag=label, changes=list(changes)
            )


def is_static(program: Path) -> bool:
    return _ldd(program) is None


def _libraries(programs: Iterable[Path]) -> dict[str, Path]:
    """By name, with those that these want in turn."""
    found: dict[str, Path] = {}
    for program in programs:
        for line in (_ldd(program) or "").splitlines():
            words = line.split()
            path = next((word for word in words if word.startswith("/")), None)
            if path is not None:
                found[Path(path).name if words[0].startswith("/") else words[0]] = Path(path)
    return found


def _linker(program: Path) -> str:
    """The path at which the kernel looks for the dynamic linker."""
    return next(
        words[0]
        for line in (_ldd(program) or "").splitlines()
        if (words := line.split()) and words[0].startswith("/")
    )


def _ldd(program: Path) -> str | None:
    """None: it is linked with nothing."""
    done = subprocess.run(
        ["ldd", str(program)],  # noqa: S607 - wherever this machine has it
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    if done.returncode == 0:
        return None if "statically linked" in done.stdout else done.stdout
    if "not a dynamic" in done.stdout + done.stderr:
        return None
    raise UsageError(f"ldd {program}: {done.stderr.strip()}")
