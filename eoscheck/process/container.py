"""Containers that never outlive us, each with its process in the shape of `Child`."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eoscheck.errors import InfrastructureError
from eoscheck.process.children import Child, Supervisor

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container as ApiContainer

LABEL = "eoscheck"
"""What carries it is ours: `docker ps --all --filter label=eoscheck`. Its value is the id of the
process that made it."""

_TIMEOUT_S = 60
_SIGKILLED = 128 + signal.SIGKILL
_GONE = frozenset({404, 409})


@dataclass(frozen=True, kw_only=True)
class ContainerSpec:
    """What a container is made of. An empty `command` is the image's own. `ports` are those that
    are open at 127.0.0.1 by the same numbers; `network` is one of ours, in which it is called
    `alias`, None: the machine's own. `folders` are at the same paths inside."""

    image: str
    command: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    ports: Sequence[int] = ()
    folders: Sequence[Path] = ()
    network: ContainerNetwork | None = None
    alias: str | None = None
    user: str | None = None


class ContainerNetwork:
    """A network of our own, gone at `close` or when this process dies."""

    def __init__(self, *, supervisor: Supervisor) -> None:
        self.name = f"eoscheck-{uuid.uuid4().hex[:12]}"
        client = docker_client()
        self._forget = supervisor.run_at_exit(_removal("network", self.name))
        with docker_errors(f"network {self.name} could not be made"):
            self._network = client.networks.create(self.name, labels=_labels())
        self._open = True

    def disconnect(self, container: str) -> None:
        with docker_errors(f"{container} could not be taken off its network"):
            self._network.disconnect(container)

    def connect(self, container: str, *, aliases: Sequence[str]) -> None:
        with docker_errors(f"{container} could not be put on its network"):
            self._network.connect(container, aliases=list(aliases))

    def close(self) -> None:
        """Once no container is in it; idempotent."""
        if self._open:
            with docker_errors(f"network {self.name} could not be removed"):
                self._network.remove()
            self._open = False
            self._forget()


class Container:
    """A container that can be started again and again, with its files and ports; gone at `remove`
    or when this process dies."""

    def __init__(self, spec: ContainerSpec, *, supervisor: Supervisor) -> None:
        self.spec = spec
        self.name = f"eoscheck-{uuid.uuid4().hex[:12]}"
        self._aliases = [] if spec.alias is None else [spec.alias]
        docker_client()  # a daemon that is not there is no reason for a removal at our end
        self._supervisor = supervisor
        self._forget = supervisor.run_at_exit(_removal("container", self.name))
        self._made: ApiContainer | None = None

    def start(self, *, output: Path, remove: bool = False) -> ContainerChild:
        """What it prints is appended to `output`; `remove`: the container goes with its process.

        Raises InfrastructureError with Docker's words where it cannot be started.
        """
        output.parent.mkdir(parents=True, exist_ok=True)
        since = time.time()
        with docker_errors(f"a container of the image {self.spec.image!r} could not be started"):
            if self._made is None:
                self._made = self._run()
            else:
                self._made.start()
            self._made.reload()
        return ContainerChild(self, self._made, output=output, since=since, remove=remove)

    def disconnect(self) -> str:
        """Takes it off its network, whose name is returned."""
        network = self._network()
        network.disconnect(self.name)
        return network.name

    def connect(self) -> bool:
        """Back on its network, under its alias; False where it was there."""
        network = self._network()
        with docker_errors(f"{self.name} could not be asked for its networks"):
            made = docker_client().containers.get(self.name)
        if network.name in made.attrs["NetworkSettings"]["Networks"]:
            return False
        network.connect(self.name, aliases=self._aliases)
        return True

    def remove(self) -> None:
        """Idempotent."""
        remove_container(self.name)
        self._forget()

    def _network(self) -> ContainerNetwork:
        if self.spec.network is None:
            raise InfrastructureError(f"{self.name} shares this machine's network")
        return self.spec.network

    def _run(self) -> ApiContainer:
        from testcontainers.core.container import DockerContainer

        spec = self.spec
        container = DockerContainer(spec.image).with_name(self.name).with_envs(**spec.env)
        if spec.command:
            container.with_command(list(spec.command))
        for folder in spec.folders:
            container.with_volume_mapping(str(folder), str(folder), mode="rw")
        options: dict[str, Any] = {"labels": _labels()}
        if spec.user is not None:
            options["user"] = spec.user
        if spec.network is None:
            options["network"] = "host"
        else:
            # Loopback only: nothing of ours is for other machines.
            ports: Any = {f"{port}/tcp": ("127.0.0.1", port) for port in spec.ports}
            container.ports = ports
            options["network"] = spec.network.name
            endpoint = docker_client().api.create_endpoint_config(aliases=self._aliases)
            options["networking_config"] = {spec.network.name: endpoint}
        container.with_kwargs(**options)
        container.start()
        return container.get_wrapped_container()


class ContainerChild(Child):
    """The main process of a container, by the Docker API: SIGSTOP and SIGCONT pause and unpause
    all its processes."""

    stops_by = "docker pause"
    continues_by = "docker unpause"

    def __init__(
        self, owner: Container, made: ApiContainer, *, output: Path, since: float, remove: bool
    ) -> None:
        ended: Future[int] = Future()
        super().__init__(
            pid=made.attrs["State"]["Pid"],
            command=owner.spec.command or (owner.spec.image,),
            output=output,
            exit_code=ended,
            send_signal=self._deliver,
        )
        self._made = made
        threading.Thread(
            target=_follow,
            args=(owner, made, output, since, ended, remove),
            name=owner.name,
            daemon=True,
        ).start()

    @property
    def stopped(self) -> bool:
        if self.poll() is not None:
            return False
        with docker_errors(f"{self._made.name} could not be asked for its state"):
            self._made.reload()
        return bool(self._made.attrs["State"]["Paused"])

    def _deliver(self, number: signal.Signals) -> bool:
        from docker.errors import APIError

        try:
            if number is signal.SIGSTOP:
                self._made.pause()
            elif number is not signal.SIGCONT:
                self._made.kill(signal=number.name)
            elif self.stopped:
                self._made.unpause()
        except APIError as error:
            if error.status_code in _GONE:  # it had ended before
                return False
            raise InfrastructureError(
                f"{number.name} did not reach {self._made.name}: {error}"
            ) from error
        return True


def _follow(
    owner: Container,
    made: ApiContainer,
    output: Path,
    since: float,
    ended: Future[int],
    remove: bool,
) -> None:
    """In a thread of its own: what the container prints, and its end."""
    try:
        with docker_errors(f"{owner.name} could not be watched"):
            with output.open("ab", buffering=0) as file:
                for chunk in made.logs(stream=True, follow=True, since=since):
                    file.write(chunk)
            code = int(made.wait(timeout=None)["StatusCode"])
        if remove:
            owner.remove()
    except InfrastructureError as error:
        ended.set_exception(error)
    else:
        ended.set_result(-signal.SIGKILL if code == _SIGKILLED else code)


@cache
def docker_client() -> DockerClient:
    """Of the daemon that `DOCKER_HOST` names, or the usual one.

    Raises InfrastructureError with what to do where there is none.
    """
    try:
        import docker
        from testcontainers.core.config import testcontainers_config
    except ImportError as error:
        raise InfrastructureError(
            f"this needs Docker, and the extra of that name ({error.name} is missing): "
            "pip install 'eoscheck[docker]'"
        ) from error
    # Its reaper is a container too, from an image to be pulled: our supervisor does without one.
    testcontainers_config.ryuk_disabled = True
    with docker_errors("this needs Docker, and no daemon answers (start it, or set DOCKER_HOST)"):
        client: DockerClient = docker.from_env(timeout=_TIMEOUT_S)
        client.ping()
    return client


def remove_container(name: str) -> None:
    """By force, with its unnamed volumes; nothing where there is none."""
    from docker.errors import NotFound

    with docker_errors(f"container {name} could not be removed"):
        try:
            docker_client().containers.get(name).remove(force=True, v=True)
        except NotFound:
            return


def remove_network(name: str) -> None:
    """Nothing where there is none."""
    from docker.errors import NotFound

    with docker_errors(f"network {name} could not be removed"):
        try:
            docker_client().networks.get(name).remove()
        except NotFound:
            return


@contextmanager
def docker_errors(what: str) -> Iterator[None]:
    """Docker's errors, and those on the way to it, as InfrastructureError."""
    from docker.errors import DockerException
    from requests import RequestException

    try:
        yield
    except (DockerException, RequestException) as error:
        raise InfrastructureError(f"{what}: {error}") from error


def _labels() -> dict[str, str]:
    return {LABEL: str(os.getpid())}


def _removal(kind: str, name: str) -> list[str]:
    return [sys.executable, "-P", "-m", "eoscheck.process.remove_container", kind, name]
