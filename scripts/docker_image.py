"""Makes Docker images without a registry: of Kafka, and of the reference app.

python scripts/docker_image.py [--kafka-version 4.3.1]

For machines that cannot pull apache/kafka, and for the tests. Of Java, the locked jars, Toxiproxy
and busybox it makes eoscheck/kafka:VERSION, of this Python and what the app imports
eoscheck/payments:dev. It needs a Docker daemon, `ldd`, and a static `busybox` (Debian:
busybox-static).
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import click
from root_file_system import NATIVE, RootFileSystem, image, is_static

import reference_app
from eoscheck.artifacts import cache_folder
from eoscheck.cluster.distribution import KAFKA_VERSION, prepare_distribution
from eoscheck.errors import EoscheckError, UsageError
from eoscheck.network.binary import find_or_build
from eoscheck.process import Supervisor

APP_TAG = "eoscheck/payments:dev"

_START = "/etc/kafka/docker/run"
_NOT_OF_JAVA = frozenset({"jmods", "include", "man", "demo", "legal", "docs"})
_APPLETS = ("awk", "cat", "echo", "ls", "nc", "sh", "sleep", "touch", "wget")
_OF_KAFKA = [
    f'CMD ["{_START}"]',
    "ENV PATH=/opt/java/bin:/usr/local/bin:/bin",
    f"ENV LD_LIBRARY_PATH={NATIVE}",
]

_PYTHON = "/opt/python"
_APP = "/opt/app"
_OF_APP = [
    'CMD ["python3", "-m", "reference_app.payments", "--help"]',
    f"ENV PATH={_PYTHON}/bin:/bin",
    f"ENV PYTHONHOME={_PYTHON}",
    f"ENV PYTHONPATH={_APP}",
    f"ENV LD_LIBRARY_PATH={NATIVE}",
]
_NOT_OF_PYTHON = frozenset(
    {"site-packages", "dist-packages", "test", "idlelib", "tkinter", "turtledemo", "ensurepip"}
)
_IMPORTED = """
import sys
import reference_app.payments.__main__
for name, module in list(sys.modules.items()):
    if "." not in name and "site-packages" in (getattr(module, "__file__", None) or ""):
        print(module.__file__)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kafka-version", default=KAFKA_VERSION)
    version = parser.parse_args().kafka_version
    kafka = f"eoscheck/kafka:{version}"
    try:
        with image(kafka, changes=_OF_KAFKA) as root:
            add_kafka(root, version=version)
        click.echo(kafka)
        with image(APP_TAG, changes=_OF_APP) as root:
            add_app(root)
        click.echo(APP_TAG)
    except EoscheckError as error:
        raise SystemExit(f"docker_image.py: {error}") from error


def add_kafka(root: RootFileSystem, *, version: str) -> None:
    busybox = _static_busybox()
    with Supervisor() as supervisor:
        kafka = prepare_distribution(version, supervisor=supervisor, progress=click.echo)
        toxiproxy = find_or_build(
            supervisor=supervisor, cache=cache_folder(), progress=click.echo
        ).path
    java = kafka.java.executable.resolve().parents[1]
    for file in java.rglob("*"):
        inside = file.relative_to(java)
        # A JDK's link to its sources leads nowhere where these are not installed.
        if file.is_file() and inside.parts[0] not in _NOT_OF_JAVA:
            root.add(file, f"/opt/java/{inside}")
    for jar in kafka.jars:
        root.add(jar, f"/opt/kafka/libs/{jar.name}")
    root.add_libraries([java / "bin" / "java", toxiproxy, *java.rglob("*.so")])
    root.add(busybox, "/bin/busybox")
    for applet in _APPLETS:
        root.link(f"/bin/{applet}", "busybox")
    root.add(toxiproxy, "/usr/local/bin/toxiproxy-server")
    root.add(Path(__file__).with_name("docker-run.sh"), _START, executable=True)


def add_app(root: RootFileSystem) -> None:
    python = Path(sys.executable).resolve()
    standard = Path(sysconfig.get_path("stdlib"))
    natives = [python]
    for path in standard.iterdir():
        if path.name not in _NOT_OF_PYTHON and not path.name.startswith("config-"):
            root.add(path, f"{_PYTHON}/lib/{standard.name}/{path.name}")
            natives += path.rglob("*.so")
    for path in _imported_packages():
        root.add(path, f"{_APP}/{path.name}")
        natives += path.rglob("*.so")
    root.add(Path(reference_app.__file__).parent, f"{_APP}/reference_app")
    root.add(python, f"{_PYTHON}/bin/python3")
    root.add_libraries(natives)


def _imported_packages() -> set[Path]:
    """Folders and modules of others that the app runs with, and what wheels keep beside these."""
    done = subprocess.run(
        [sys.executable, "-c", _IMPORTED], capture_output=True, text=True, timeout=60, check=True
    )
    found = set()
    for file in map(Path, done.stdout.split()):
        package = file.parent if file.stem == "__init__" else file
        found |= {package, *package.parent.glob(f"{package.stem}.libs")}
    return found


def _static_busybox() -> Path:
    found = shutil.which("busybox")
    if found is None or not is_static(Path(found)):
        raise UsageError("no static busybox here: install one (Debian, Ubuntu: busybox-static)")
    return Path(found)


if __name__ == "__main__":
    main()
