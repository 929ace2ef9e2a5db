"""What the system under test is: plain data, filled in by a scenario's `[subject]` table."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from eoscheck.durations import parse_duration
from eoscheck.errors import UsageError
from eoscheck.placeholders import fill

PLACEHOLDERS = ("bootstrap_server", "instance", "python", "run_id", "state_dir")


class SubjectSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A command and its last arguments, or a container's `image`, run as `instances` processes
    numbered from 0.

    `{bootstrap_server}`, `{instance}`, `{state_dir}`, `{run_id}` and `{python}` (this interpreter;
    of an image, its `python3`) are filled in, in `command`, `args` and the values of `env`;
    `{{name}}` is a literal `{name}`. `args` are added to `command`, so that one run can have them
    and the next one not. An `image` runs in containers on the network of this machine; an empty
    `command` is then the image's own.

    `group` is the consumer group it reads its input with. `client_id` says how a member of that
    group is told to be of an instance: a template for its `client.id` or `group.instance.id`.
    `session_timeout` is the subject's own (the default is Kafka's): the harness does not set it,
    faults are measured by it. `stop_timeout` is what a clean stop may take.
    """

    command: list[str] = []
    args: list[str] = []
    image: str | None = None
    instances: int = 1
    env: dict[str, str] = {}
    group: str | None = None
    client_id: str | None = None
    session_timeout: str = "45s"
    stop_timeout: str = "30s"
    ready_timeout: str = "60s"

    def __post_init__(self) -> None:
        if not self.command and self.image is None:
            raise UsageError(
                "subject.command is empty: give the program and its arguments, or subject.image"
            )
        if self.instances < 1:
            raise UsageError(f"subject.instances must be at least 1, not {self.instances}")
        for name in ("session_timeout", "stop_timeout", "ready_timeout"):
            if parse_duration(getattr(self, name), what=f"subject.{name}") == 0:
                raise UsageError(f"subject.{name} must be above 0")
        example = dict.fromkeys(PLACEHOLDERS, "")
        _fill_command([*self.command, *self.args], example)
        _fill_environment(self.env, example)
        if self.client_id is not None:
            self.client_id_of(0, run_id="")

    @property
    def session_timeout_s(self) -> float:
        return parse_duration(self.session_timeout, what="subject.session_timeout")

    @property
    def stop_timeout_s(self) -> float:
        return parse_duration(self.stop_timeout, what="subject.stop_timeout")

    @property
    def ready_timeout_s(self) -> float:
        return parse_duration(self.ready_timeout, what="subject.ready_timeout")

    def client_id_of(self, instance: int, *, run_id: str) -> str | None:
        """The client id of that instance's group members, where the spec can tell."""
        if self.client_id is None:
            return None
        values = {"instance": instance, "run_id": run_id}
        return fill(self.client_id, values, what="subject.client_id")


class RoleSpec(SubjectSpec, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One app of several (`[roles.NAME]`): what `[subject]` says of an only one, and between which
    topics it stands. Left out, `input` is what the role before it writes (of the first: the load's
    topic), and `output`, which only the last may leave out, is the audit's."""

    input: str | None = None
    output: str | None = None


class Invocation(msgspec.Struct, frozen=True, kw_only=True):
    """One instance's command and the environment variables it gets beside the inherited ones; in a
    container of `image` it inherits none."""

    command: list[str]
    env: dict[str, str]
    image: str | None = None


def invocation(
    spec: SubjectSpec, *, instance: int, bootstrap_server: str, state_dir: Path, run_id: str
) -> Invocation:
    """`spec` with every placeholder filled in for one instance."""
    values = {
        "bootstrap_server": bootstrap_server,
        "instance": instance,
        "python": sys.executable if spec.image is None else "python3",
        "run_id": run_id,
        "state_dir": state_dir,
    }
    return Invocation(
        command=_fill_command([*spec.command, *spec.args], values),
        env=_fill_environment(spec.env, values),
        image=spec.image,
    )


def _fill_command(command: list[str], values: Mapping[str, object]) -> list[str]:
    return [fill(word, values, what="subject.command") for word in command]


def _fill_environment(env: Mapping[str, str], values: Mapping[str, object]) -> dict[str, str]:
    return {name: fill(text, values, what=f"subject.env.{name}") for name, text in env.items()}
