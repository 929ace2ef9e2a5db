"""`eoscheck audit` as users and scripts run it; and the audit of a run with its history."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from eoscheck.audit import AuditSpec, Code, Verdict, run_audit
from eoscheck.cli.main import main
from eoscheck.cluster import Cluster
from eoscheck.history import (
    Event,
    FaultHealed,
    FaultInjected,
    GroupSampled,
    Recorder,
    RunStarted,
    SendsAcknowledged,
)
from tests.integration.audit.writing import Out, Topics, payment, receipt

PROGRAM = Path(sys.executable).with_name("eoscheck")


class Ended(NamedTuple):
    code: int
    out: str
    err: str


def installed(*words: str, server: str) -> Ended:
    """The program itself, as a process of its own."""
    done = subprocess.run(
        [str(PROGRAM), "audit", "--bootstrap-server", server, *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


Command = Callable[..., Ended]


@pytest.fixture
def eoscheck(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """The same in this process, which saves the time to load it."""

    def run(*words: str, server: str) -> Ended:
        command = ["eoscheck", "audit", "--bootstrap-server", server, *words]
        monkeypatch.setattr(sys, "argv", command)
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        return Ended(int(ended.value.code or 0), *capsys.readouterr())

    return run


def test_exit_codes_and_json_are_what_scripts_rely_on(
    cluster: Cluster, topics: Topics, pair: tuple[str, str], eoscheck: Command
) -> None:
    source, output = pair
    server = cluster.bootstrap_servers
    topics.commit(source, payment(0, 1), payment(0, 2))
    first = topics.commit(output, receipt(0, 1), receipt(0, 2))
    words = ["--topic", output, "--input", source, "--id", "json:/id"]
    passed = installed(*words, server=server)
    assert (passed.code, passed.err) == (0, "")
    assert passed.out.startswith(f"pass  {output} from {source}: exactly-once held\n")
    repeat = f"repeat: eoscheck audit --bootstrap-server {server} {' '.join(words)}"
    assert passed.out.rstrip().endswith(repeat)

    second = topics.commit(output, receipt(0, 2))
    failed = installed(*words, "--format", "json", server=server)
    assert (failed.code, failed.err) == (1, "")
    found = json.loads(failed.out)
    assert (found["verdict"], found["hazards"]) == ("fail", [])
    (finding,) = found["findings"]
    assert {name: finding[name] for name in ("code", "topic", "partition", "offsets")} == {
        "code": "DUPLICATE",
        "topic": output,
        "partition": 0,
        "offsets": [first[1], *second],
    }
    assert finding["identity"] == 2
    allowed = eoscheck(*words, "--expect", "at-least-once", server=server)
    assert allowed.code == 0

    with topics.open(output, receipt(1, 3)):
        unknown = eoscheck(
            *words, "--expect", "at-least-once", "--patience", "100ms", server=server
        )
    assert unknown.code == 2
    assert unknown.out.startswith("unknown")


def test_identities_come_from_keys_headers_and_functions_too(
    cluster: Cluster,
    topics: Topics,
    pair: tuple[str, str],
    eoscheck: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source, output = pair
    topics.commit(source, *(Out(0, b"v", key=f"p-{number}") for number in range(3)))
    tagged = [Out(0, b"x", headers=(("id", b"p-%d" % number),)) for number in (0, 2, 2)]
    places = topics.commit(output, *tagged)
    (tmp_path / "audit_test_ids.py").write_text(
        "def of(key, value, headers):\n    return dict(headers)['id'].decode()\n"
    )
    monkeypatch.chdir(tmp_path)
    for expression in ("header:id", "python:audit_test_ids:of"):
        words = ["--topic", output, "--input", source, "--id", expression, "--input-id", "key"]
        server = cluster.bootstrap_servers
        report = eoscheck(*words, "--format", "json", server=server)
        assert report.code == 1, report.err
        found = [(f["code"], f["identity"]) for f in json.loads(report.out)["findings"]]
        assert found == [("DUPLICATE", "p-2"), ("LOST", "p-1")]
        assert places[1] in json.loads(report.out)["findings"][0]["offsets"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--topic", "no-such-topic"], "no such topic 'no-such-topic'"),
        (["--topic", "t", "--id", "jsn:/x"], "did you mean 'json:/x'"),
        (["--topic", "t", "--patience", "soon"], "--patience: 'soon' is not a duration"),
        (["--topic", "t", "--expect", "twice"], "'twice' is not one of"),
        ([], "--topic is missing"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    cluster: Cluster, eoscheck: Command, words: list[str], message: str
) -> None:
    refused = eoscheck(*words, server=cluster.bootstrap_servers)
    assert (refused.code, refused.out) == (2, "")
    assert message in refused.err
    assert len(refused.err.splitlines()) == 1


def test_a_broker_that_is_not_there_is_one_line_and_exit_code_2(eoscheck: Command) -> None:
    refused = eoscheck("--topic", "t", server="127.0.0.1:1")
    assert (refused.code, refused.out) == (2, "")
    assert "cannot reach Kafka at 127.0.0.1:1" in refused.err
    assert len(refused.err.splitlines()) == 1


def run_started(t: float = 0.0) -> RunStarted:
    return RunStarted(
        t=t,
        run_id="r",
        scenario="s",
        seed=1,
        started_at=datetime.now(UTC).isoformat(),
        environment={},
    )


def kill(t: float) -> FaultInjected:
    return FaultInjected(
        t=t,
        fault_id="kill-1",
        kind="kill",
        instance=0,
        down_s=1.0,
        outlasts_session=False,
        wiped=False,
        evidence={},
    )


def test_what_the_load_was_told_is_held_against_the_input_and_faults_are_named(
    cluster: Cluster,
    topics: Topics,
    pair: tuple[str, str],
    eoscheck: Command,
    tmp_path: Path,
) -> None:
    source, output = pair
    with Recorder(tmp_path) as recorder:
        recorder.record(run_started())
        places = topics.commit(source, payment(0, 1), payment(0, 2))
        topics.commit(output, receipt(0, 1))
        recorder.record(kill(recorder.now()))
        recorder.record(FaultHealed(t=recorder.now(), fault_id="kill-1", kind="kill", instance=0))
        time.sleep(0.05)  # the copy's timestamp is later than the heal by more than a millisecond
        topics.commit(output, receipt(0, 1), receipt(0, 2))
        recorder.record(
            SendsAcknowledged(
                t=recorder.now(),
                topic=source,
                identities=[1, 2, "gone"],
                partitions=[0, 0, 1],
                offsets=[*places, 40],
                intended=[0.0, 0.0, 0.0],
            )
        )
    told = eoscheck(
        *("--topic", output, "--input", source, "--id", "json:/id", "--format", "json"),
        *("--history", str(tmp_path)),
        server=cluster.bootstrap_servers,
    )
    assert told.code == 1, told.err
    findings = {found["code"]: found for found in json.loads(told.out)["findings"]}
    assert set(findings) == {"DUPLICATE", "LOST", "LOG_REWRITTEN"}  # nothing is at offset 40
    assert findings["LOST"]["identity"] == "gone"
    assert (findings["LOST"]["topic"], findings["LOST"]["offsets"]) == (source, [40])
    assert findings["DUPLICATE"]["evidence"]["fault"]["fault_id"] == "kill-1"


def test_a_silent_subject_with_input_waiting_is_stalled(
    topics: Topics, pair: tuple[str, str], fresh_name: Callable[[str], str]
) -> None:
    source, output = pair
    places = topics.commit(source, payment(0, 1), payment(0, 2))
    topics.commit(output, receipt(0, 1))
    group = fresh_name("group")
    topics.commit_offsets(group, source, {0: places[1]})
    events: list[Event] = [run_started(), kill(1.0)]
    events.append(FaultHealed(t=2.0, fault_id="kill-1", kind="kill", instance=0))
    events += [GroupSampled(t=t, lag=1, committed={}, ends={}) for t in (3.0, 20.0, 40.0)]

    def verdict(liveness_s: float) -> tuple[Verdict, list[Code]]:
        report = run_audit(
            AuditSpec(output=output, input=source, group=group, id="json:/id"),
            client_config=topics.client_config,
            history=events,
            liveness_s=liveness_s,
        )
        return report.verdict, [found.code for found in report.findings]

    assert verdict(30.0) == (Verdict.FAIL, [Code.STALLED])
    assert verdict(60.0) == (Verdict.PASS, [])


def test_a_run_whose_subject_never_committed_is_unknown_and_not_refused(
    topics: Topics, pair: tuple[str, str]
) -> None:
    source, output = pair
    topics.commit(source, payment(0, 1))
    spec: dict[str, Any] = {"output": output, "input": source, "id": "json:/id"}
    report = run_audit(
        AuditSpec(**spec, group="never-there"),
        client_config=topics.client_config,
        history=[run_started()],
    )
    assert report.verdict is Verdict.UNKNOWN
    assert "no such consumer group 'never-there'" in report.unknowns[0].reason
