"""An audit of somebody's own cluster, with TLS, a login, and no more rights than it needs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest
from confluent_kafka.admin import AclOperation, ResourceType  # type: ignore[attr-defined]

from eoscheck.audit import AuditReport, AuditSpec, Code, Verdict, run_audit
from eoscheck.audit.findings import HazardCode
from eoscheck.cli.main import main
from eoscheck.cluster.connection import while_moving
from eoscheck.cluster.external import ExternalCluster
from eoscheck.errors import EoscheckError
from eoscheck.process import Supervisor
from tests.integration.audit.writing import Topics, payment, receipt
from tests.integration.cluster.secured import (
    PASSWORD,
    STORE_PASSWORD,
    Secured,
    jaas,
    mutual_tls_broker,
    sasl_ssl_broker,
    token_endpoint,
)

_IDENTITY = "json:/id"
_READERS: tuple[Literal["client", "auto"], ...] = ("client", "auto")


@pytest.fixture(scope="module")
def sasl(supervisor: Supervisor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    with sasl_ssl_broker(supervisor, tmp_path_factory.mktemp("sasl")) as started:
        yield started


class Pipeline:
    """Input and output of a group that has dealt with all of it: with one duplicate, if wanted."""

    def __init__(self, broker: Secured, name: str, *, duplicate: bool = False) -> None:
        self.input, self.output, self.group = f"{name}-in", f"{name}-out", f"{name}-group"
        topics = Topics(broker.inside)
        for topic in (self.input, self.output):
            topics.create(topic, 2)
        numbers = range(6)
        topics.write(self.input, *(payment(number % 2, number) for number in numbers))
        topics.abort(self.output, receipt(0, 0))
        topics.commit(self.output, *(receipt(number % 2, number) for number in numbers))
        if duplicate:
            topics.commit(self.output, receipt(1, 3))
        done = {0: 3, 1: 3}
        while_moving(  # a fresh broker makes the topic for them first
            lambda: topics.commit_offsets(self.group, self.input, done), timeout_s=30.0
        )

    def readable_by(self, broker: Secured, user: str) -> None:
        """READ on topics and DESCRIBE on the group, and nothing else."""
        broker.allow(
            user,
            (ResourceType.TOPIC, self.input, AclOperation.READ),
            (ResourceType.TOPIC, self.output, AclOperation.READ),
            (ResourceType.GROUP, self.group, AclOperation.DESCRIBE),
        )

    def spec(self, **changes: Any) -> AuditSpec:
        spec = AuditSpec(output=self.output, input=self.input, group=self.group, id=_IDENTITY)
        return msgspec.structs.replace(spec, patience_s=2.0, **changes)


def _config(broker: Secured, file: Path) -> dict[str, str]:
    return ExternalCluster(bootstrap_server=broker.servers, command_config=file).client_config


def _without_time(report: AuditReport) -> AuditReport:
    return msgspec.structs.replace(report, duration_s=0.0)


@pytest.mark.parametrize("reader", _READERS)
@pytest.mark.parametrize("duplicate", [False, True])
def test_rights_to_read_alone_give_the_same_report_as_all_rights(
    sasl: Secured, topic_name: str, duplicate: bool, reader: Literal["client", "auto"]
) -> None:
    pipeline = Pipeline(sasl, topic_name, duplicate=duplicate)
    pipeline.readable_by(sasl, "auditor")
    spec = pipeline.spec(reader=reader)
    report = run_audit(spec, client_config=_config(sasl, sasl.login("SCRAM-SHA-512")))
    assert report.verdict is (Verdict.FAIL if duplicate else Verdict.PASS), report
    assert report.anomalies == ({Code.DUPLICATE: 1} if duplicate else {})
    everything = run_audit(spec, client_config=sasl.inside)
    ours, theirs = _without_time(report), _without_time(everything)
    # Only notes differ: each names the right that its part of the audit would need.
    assert all("is needed" in note for note in set(ours.scope) - set(theirs.scope))
    assert ours.counts.items() <= theirs.counts.items(), "nothing else was counted otherwise"
    ours = msgspec.structs.replace(ours, scope=theirs.scope, counts=theirs.counts)
    ours, theirs = _unnamed(ours), _unnamed(theirs)
    differing = {
        name: (getattr(ours, name), getattr(theirs, name))
        for name in ours.__struct_fields__
        if getattr(ours, name) != getattr(theirs, name)
    }
    # What a group's commits alone tell needs READ on `__consumer_offsets`: the note says so.
    unseen = [each for each in theirs.hazards if each not in ours.hazards]
    assert {each.code for each in unseen} <= {HazardCode.OFFSETS_OUTSIDE_TRANSACTION}
    assert differing.keys() <= {"hazards"}, differing


def _unnamed(report: AuditReport) -> AuditReport:
    """Without what only a coordinator tells: the name of a transaction is not ours to see."""
    text = msgspec.json.decode(msgspec.json.encode(report))
    _drop(text, "transactional_id")
    return msgspec.convert(text, AuditReport)


def _drop(content: Any, name: str) -> None:
    if isinstance(content, dict):
        content.pop(name, None)
    for each in content.values() if isinstance(content, dict) else content:
        if isinstance(each, dict | list):
            _drop(each, name)


def test_each_way_to_log_in_audits(
    supervisor: Supervisor, sasl: Secured, topic_name: str, tmp_path: Path
) -> None:
    pipeline = Pipeline(sasl, topic_name, duplicate=True)
    pipeline.readable_by(sasl, "auditor")
    with token_endpoint() as endpoint:
        oauth = sasl.properties(
            "oauth",
            security_protocol="SASL_SSL",
            sasl_mechanism="OAUTHBEARER",
            sasl_oauthbearer_token_endpoint_url=endpoint.url,
            sasl_jaas_config=jaas("OAUTHBEARER", clientId="auditor", clientSecret=PASSWORD),
        )
        for file in (sasl.login("PLAIN"), sasl.login("SCRAM-SHA-256"), oauth):
            report = run_audit(pipeline.spec(), client_config=_config(sasl, file))
            assert report.anomalies == {Code.DUPLICATE: 1}, file
    with mutual_tls_broker(supervisor, tmp_path) as mutual:
        pipeline = Pipeline(mutual, topic_name, duplicate=True)
        pipeline.readable_by(mutual, "CN=auditor")
        file = mutual.properties(
            "mutual",
            security_protocol="SSL",
            ssl_keystore_type="PKCS12",
            ssl_keystore_location=str(mutual.authority.issue("auditor").pkcs12),
            ssl_keystore_password=STORE_PASSWORD,
        )
        report = run_audit(pipeline.spec(), client_config=_config(mutual, file))
        assert report.anomalies == {Code.DUPLICATE: 1}


@pytest.mark.parametrize(
    ("hidden", "right"),
    [
        ("input", "READ on the topic is needed"),
        ("output", "READ on the topic is needed"),
        ("group", "DESCRIBE or READ on the group is needed"),
    ],
)
def test_what_the_audit_needs_and_may_not_read_is_named_in_one_line(
    sasl: Secured, topic_name: str, hidden: str, right: str
) -> None:
    pipeline = Pipeline(sasl, topic_name)
    names = {"input": pipeline.input, "output": pipeline.output, "group": pipeline.group}
    for part, name in names.items():
        if part != hidden:
            kind = ResourceType.GROUP if part == "group" else ResourceType.TOPIC
            sasl.allow("auditor", (kind, name, AclOperation.READ))
    with pytest.raises(EoscheckError, match=f"'{names[hidden]}'.*{right}") as caught:
        run_audit(pipeline.spec(), client_config=_config(sasl, sasl.login("PLAIN")))
    assert "\n" not in str(caught.value)


def test_what_only_the_broker_knows_of_a_lost_record_is_asked_for_by_the_missing_right(
    sasl: Secured, topic_name: str
) -> None:
    """A record that is missing may have been compacted away, which a setting would tell."""
    pipeline = Pipeline(sasl, topic_name)
    pipeline.readable_by(sasl, "auditor")
    topics = Topics(sasl.inside)
    topics.write(pipeline.input, payment(0, 100))
    topics.commit_offsets(pipeline.group, pipeline.input, {0: 4})
    config = _config(sasl, sasl.login("PLAIN"))
    report = run_audit(pipeline.spec(), client_config=config)
    assert report.verdict is not Verdict.PASS
    if Code.LOST not in report.anomalies:  # the raw view sees for itself that nothing was compacted
        assert any("DESCRIBE_CONFIGS on the topic" in each.reason for each in report.unknowns)
    sasl.allow("auditor", (ResourceType.TOPIC, pipeline.output, AclOperation.DESCRIBE_CONFIGS))
    sasl.allow("auditor", (ResourceType.TOPIC, pipeline.input, AclOperation.DESCRIBE_CONFIGS))
    found = run_audit(pipeline.spec(), client_config=config).anomalies
    assert found == {Code.LOST: 1, Code.OFFSET_AHEAD: 1}


def test_an_open_transaction_whose_coordinator_we_may_not_ask_is_unknown_and_not_hanging(
    sasl: Secured, topic_name: str
) -> None:
    """ListTransactions silently leaves out what we may not DESCRIBE."""
    pipeline = Pipeline(sasl, topic_name)
    pipeline.readable_by(sasl, "auditor")
    pipeline.readable_by(sasl, "stranger")
    # What a broker's settings say of its sweep; in librdkafka's words the cluster is a broker.
    sweep = (ResourceType.BROKER, "kafka-cluster", AclOperation.DESCRIBE_CONFIGS)
    sasl.allow("stranger", sweep)
    with Topics(sasl.inside).open(pipeline.output, receipt(0, 50)) as producer:
        for user, right in (
            ("auditor", "DESCRIBE_CONFIGS on the cluster"),
            ("stranger", "DESCRIBE on every TRANSACTIONAL_ID"),
        ):
            config = _config(sasl, sasl.login("PLAIN", user=user))
            report = run_audit(pipeline.spec(), client_config=config)
            assert (report.anomalies, report.verdict) == ({}, Verdict.UNKNOWN), user
            held = [u for u in report.unknowns if u.subject.startswith(f"{pipeline.output}-0")]
            assert [right in unknown.reason for unknown in held] == [True], held
        producer.abort_transaction(30.0)


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["eoscheck", "audit", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return run


def test_the_command_takes_kafkas_own_file_and_shows_no_secret(
    sasl: Secured, topic_name: str, command: Callable[..., tuple[int, str, str]]
) -> None:
    pipeline = Pipeline(sasl, topic_name, duplicate=True)
    pipeline.readable_by(sasl, "auditor")
    file = sasl.login("SCRAM-SHA-256")
    words = ["--bootstrap-server", sasl.servers, "--command-config", str(file)]
    words += ["--topic", pipeline.output, "--input", pipeline.input, "--id", _IDENTITY]
    for form in ("text", "json"):
        code, out, err = command(*words, "--format", form)
        assert code == 1, err
        assert "battery" not in out + err
        assert str(file) in out, "the command can be repeated"
    assert json.loads(out)["anomalies"] == {"DUPLICATE": 1}
    wrong = sasl.login("SCRAM-SHA-256", password="wrong-secret")
    code, out, err = command(*words, "--command-config", str(wrong))
    assert (code, out) == (2, "")
    assert "did not let us in" in err
    assert "wrong-secret" not in err
