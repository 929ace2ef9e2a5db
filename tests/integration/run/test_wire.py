"""Faults at steps of the protocol, and what the wire shows: on a real Kafka, by real clients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eoscheck.audit.findings import Code, HazardCode, Verdict
from eoscheck.cli.session import Session, open_session
from eoscheck.cluster.spec import ClusterSpec
from eoscheck.history import FaultInjected, read_history
from eoscheck.run.naming import new_run_id
from eoscheck.run.needs import ClusterNeeds
from eoscheck.run.result import RunResult
from eoscheck.run.runner import run_scenario
from eoscheck.run.scenario import load_scenario
from eoscheck.run.trace import learned_steps, read_trace

Run = Callable[..., RunResult]


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    needs = ClusterNeeds(slots=2, wire=True)
    with open_session(ClusterSpec(), needs) as session:
        yield session


@pytest.fixture
def run(session: Session, tmp_path: Path) -> Run:
    """A shipped scenario, with `overrides`."""

    def start(name: str, *overrides: str) -> RunResult:
        run_id = new_run_id(name)
        return run_scenario(
            load_scenario(name, run_id=run_id, overrides=overrides),
            on=session,
            folder=tmp_path / run_id,
            run_id=run_id,
            repeat="(a test)",
        )

    return start


@pytest.mark.parametrize(
    ("scenario", "code"), [("late-commit", Code.DUPLICATE), ("late-abort", Code.LOST)]
)
def test_a_held_end_of_a_transaction_ends_the_next_one(run: Run, scenario: str, code: Code) -> None:
    """The class of KAFKA-17754; `make accept` shows it twenty times."""
    result = run(scenario)
    assert result.as_expected, result.reasons
    assert result.tally.rolled_back
    assert [each.title for each in result.sequences] == ["hold-1"]
    assert set(result.audit.anomalies) == {code, Code.TORN_TRANSACTION}
    held = [
        each
        for each in read_trace(Path(result.folder))
        if each.action == "hold" and each.request.api == "EndTxn"
    ]
    (late,) = held
    assert late.error == 0  # the broker did as it was told
    assert late.request.api_version < 5


def test_killed_between_its_commit_and_the_answer(run: Run) -> None:
    result = run(
        "crash-after-commit",
        "faults.0.count=1",
        "faults.0.down=500ms",
        "timing.steady=1s",
        "timing.faults=4s",
        "timing.settle=1s",
    )
    assert result.verdict is Verdict.PASS, result.reasons
    folder = Path(result.folder)
    (struck,) = [each for each in read_history(folder) if isinstance(each, FaultInjected)]
    (commit,) = [each for each in read_trace(folder) if each.action == "crash-after"]
    assert commit.steps == ("EndTxn(commit)",)
    assert (commit.error, commit.instance) == (0, struck.instance)
    assert struck.evidence["correlation_id"] == commit.request.correlation_id
    assert struck.t == pytest.approx(commit.sent, abs=0.01)
    assert result.audit.hazards == []  # of a healthy app
    steps = list(learned_steps(read_trace(folder)))
    assert {"InitProducerId", "Produce(output)", "TxnOffsetCommit", "EndTxn(commit)"} <= {*steps}
    assert steps.index("InitProducerId") < steps.index("EndTxn(commit)")


def test_offsets_without_a_member_are_seen_with_no_fault_at_all(run: Run) -> None:
    quick = ("faults=[]", "timing.steady=1s", "timing.faults=1s", "timing.settle=0s")
    bug = 'subject.args=["--bug", "offsets-without-member"]'
    assert [each.code for each in run("zoo-zombies", *quick, bug).audit.hazards] == [
        HazardCode.UNFENCED_OFFSETS
    ]


def test_offsets_that_may_still_move_are_seen_to_be_read(run: Run) -> None:
    """librdkafka requires stable offsets of committed readers only."""
    result = run(
        "late-commit",
        "faults=[]",
        "timing.faults=1s",
        'subject.args=["--isolation-level", "read_uncommitted", "--pause-ms", "50"]',
    )
    assert [each.code for each in result.audit.hazards] == [HazardCode.UNSTABLE_READ]
