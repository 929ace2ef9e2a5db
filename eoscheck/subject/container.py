"""An instance in a container: on the network of this machine, its state directory at the same path,
so that links, proxies and faults of the disk are those of a process."""

from __future__ import annotations

import os
from pathlib import Path

from eoscheck.errors import InfrastructureError
from eoscheck.process import Child, Supervisor
from eoscheck.process.container import Container, ContainerSpec
from eoscheck.subject.spec import Invocation


def start_in_container(
    invocation: Invocation, *, state_dir: Path, output: Path, supervisor: Supervisor
) -> Child:
    """A new container, which is removed when it ends; it runs as the user that we are, to whom its
    files then belong.

    Raises InfrastructureError with Docker's words where it cannot be started.
    """
    if invocation.image is None:
        raise ValueError("without an image there is nothing to make a container of")
    container = Container(
        ContainerSpec(
            image=invocation.image,
            command=invocation.command,
            env=invocation.env,
            folders=[state_dir],
            user=f"{os.getuid()}:{os.getgid()}",
        ),
        supervisor=supervisor,
    )
    try:
        return container.start(output=output, remove=True)
    except InfrastructureError:
        container.remove()
        raise
