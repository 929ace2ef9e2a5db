"""Several apps as one subject: who is numbered how, and between which topics each stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from eoscheck.errors import UsageError
from eoscheck.history import Recorder
from eoscheck.subject import RoleSpec, Subject, SubjectSpec
from eoscheck.subject.role import pipeline


def app(**keys: Any) -> RoleSpec:
    return RoleSpec(command=["app"], **keys)


def test_instances_are_numbered_through_and_the_spares_come_after_all_of_them() -> None:
    first, second = pipeline(
        {"settle": app(instances=2, output="between"), "bill": app(instances=3)},
        input="in",
        output="out",
    )
    assert (first.instances, first.spare) == (range(2), 5)
    assert (second.instances, second.spare) == (range(2, 5), 6)
    assert second.words(3) == "instance 3 (bill)"
    assert (4 in second, 6 in second, 5 in second) == (True, True, False)


def test_each_reads_what_the_one_before_it_writes_unless_it_says_something_else() -> None:
    roles = pipeline(
        {"a": app(output="x"), "b": app(output="y"), "c": app(input="x")}, input="in", output="out"
    )
    assert [(role.input, role.output) for role in roles] == [
        ("in", "x"),
        ("x", "y"),
        ("x", "out"),
    ]


def test_only_the_last_may_leave_out_what_it_writes() -> None:
    with pytest.raises(UsageError, match=r"roles\.a\.output is missing"):
        pipeline({"a": app(), "b": app()}, input="in", output="out")


def subject(folder: Path, apps: Any, **more: Any) -> Subject:
    return Subject(
        apps,
        supervisor=None,  # type: ignore[arg-type]
        recorder=Recorder(folder),
        folder=folder,
        run_id="r",
        bootstrap_for=str,
        **more,
    )


def test_a_subject_knows_whose_instance_it_is(tmp_path: Path) -> None:
    roles = pipeline({"a": app(output="x"), "b": app()}, input="in", output="out")
    two = subject(tmp_path, roles, spares=True)
    assert (two.instances, two.spares) == (range(2), range(2, 4))
    assert [two.role_of(number).name for number in range(4)] == ["a", "b", "a", "b"]
    assert two.called(3) == "instance 3 (b)"
    with pytest.raises(UsageError, match="one app"):
        _ = two.spec


def test_of_an_only_app_nothing_is_said_of_roles(tmp_path: Path) -> None:
    one = subject(tmp_path, SubjectSpec(command=["app"], instances=2))
    assert one.called(1) == "instance 1"
    assert one.spec.instances == 2
    assert list(one.spares) == []
