"""The apps that the subject consists of: mostly one; or a pipeline of several, each with a role."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from eoscheck.errors import UsageError
from eoscheck.subject.spec import RoleSpec, SubjectSpec


@dataclass(frozen=True, kw_only=True)
class Role:
    """One app of the subject. `name` is empty where there is no other. It reads `input` and writes
    `output`; `instances` are its own among all of the subject, `spare` is the one that only a
    scale-out starts."""

    spec: SubjectSpec
    instances: range
    spare: int
    input: str = ""
    output: str = ""
    name: str = ""

    def __contains__(self, instance: object) -> bool:
        return instance in self.instances or instance == self.spare

    def words(self, instance: int) -> str:
        """`instance 3 (settle)`: how it is called."""
        return in_words(instance, role=self.name)


def in_words(instance: int, *, role: str = "") -> str:
    return f"instance {instance} ({role})" if role else f"instance {instance}"


def one_app(spec: SubjectSpec, *, input: str = "", output: str = "") -> Role:  # noqa: A002
    """The only role of a subject that is one app."""
    instances = range(spec.instances)
    return Role(spec=spec, instances=instances, spare=len(instances), input=input, output=output)


def pipeline(
    specs: Mapping[str, RoleSpec],
    *,
    input: str,  # noqa: A002 - as the file calls it
    output: str,
) -> list[Role]:
    """One app after the other: each reads what the one before it writes, where it says nothing
    else; the first one `input`, and the last one writes `output`. Instances are numbered through,
    in the order of the roles, and after all of them come the spares.

    Raises UsageError where nobody says what an app writes.
    """
    roles: list[Role] = []
    first, spare, read = 0, sum(spec.instances for spec in specs.values()), input
    for number, (name, spec) in enumerate(specs.items()):
        last = number == len(specs) - 1
        written = spec.output or (output if last else None)
        if written is None:
            raise UsageError(f"roles.{name}.output is missing: give the topic that it writes")
        roles.append(
            Role(
                name=name,
                spec=spec,
                instances=range(first, first + spec.instances),
                spare=spare + number,
                input=spec.input or read,
                output=written,
            )
        )
        first, read = first + spec.instances, written
    return roles
