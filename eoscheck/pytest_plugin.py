"""The pytest plugin: options, the marker `eos`, fixtures. Every pytest run of a project that has
eoscheck installed loads it, so it imports nothing of eoscheck before a test asks for it
(docs/pytest.md).
"""

from __future__ import annotations

import glob
import os
import tempfile
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from eoscheck.cluster import Cluster
    from eoscheck.cluster.spec import ClusterSpec
    from eoscheck.testing import Runner, Settings, Topics
    from eoscheck.testing.audits import Auditor
    from eoscheck.testing.grounds import Grounds

_SHARE = "eoscheck"
_REPORT = "eos_report"
_RUNNER = pytest.StashKey["Runner"]()
_AUDITOR = pytest.StashKey["Auditor"]()
_FAILED = pytest.StashKey[bool]()
_PREFIX = pytest.StashKey[str]()

_MARKER = (
    "eos(scenario, base, guarantee, seeds, instances, set): what eos_run runs; seeds: with how "
    "many, or a list of them (eoscheck)"
)
_NOT_YOURS = "ignore:(read_text|open_text) is deprecated:DeprecationWarning"
"""kafka-python reads its own schemas with an older call."""
_OPTIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    (
        "cluster",
        {
            "choices": ["embedded", "docker", "external"],
            "help": "Where Kafka comes from. Default: embedded, a real one on this machine.",
        },
    ),
    ("bootstrap-server", {"metavar": "HOST:PORT", "help": "Of the external cluster."}),
    ("command-config", {"metavar": "FILE", "help": "Its Java client properties file."}),
    ("brokers", {"type": int, "metavar": "N", "help": "Brokers of a cluster of ours: 1 or 3."}),
    ("kafka-version", {"metavar": "X.Y.Z", "help": "Of the embedded cluster."}),
    ("kafka-image", {"metavar": "IMAGE", "help": "Of the brokers, with --eos-cluster docker."}),
    ("seed", {"type": int, "metavar": "N", "help": "The first seed: the same seed, the same run."}),
    ("seeds", {"type": int, "metavar": "N", "help": "With how many seeds each test runs."}),
    (
        "set",
        {
            "action": "append",
            "metavar": "KEY=VALUE",
            "help": "Replaces one value of each scenario, as in load.rate=500. May be repeated.",
        },
    ),
    ("base", {"metavar": "FILE", "help": "Your app, instead of what scenarios extend."}),
    ("guarantee", {"metavar": "NAME", "help": "Run and judge under this one."}),
    ("report", {"metavar": "FOLDER", "help": "For run folders and reports. Default: reports."}),
    (
        "keep",
        {"choices": ["failed", "all"], "help": "Which tests' run folders stay. Default: failed."},
    ),
)
"""As the command line has them (`eoscheck run --help`); [tool.eoscheck] sets their defaults."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("eoscheck", "exactly-once tests (eoscheck)")
    for name, how in _OPTIONS:
        group.addoption(f"--eos-{name}", dest=f"eos_{name.replace('-', '_')}", default=None, **how)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", _MARKER)
    config.addinivalue_line("filterwarnings", _NOT_YOURS)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """pytest-xdist: each worker is told where all meet, and who ends what they share."""
    stash = node.config.stash
    if _PREFIX not in stash:
        stash[_PREFIX] = f"{tempfile.gettempdir()}/eoscheck-pytest-{os.urandom(4).hex()}"
    node.workerinput[_SHARE] = {"controller": os.getpid(), "prefix": stash[_PREFIX]}


def pytest_unconfigure(config: pytest.Config) -> None:
    """The controller ends what its workers shared, however the session ended."""
    prefix = config.stash.get(_PREFIX, None)
    if prefix is not None and glob.glob(f"{prefix}-*"):  # noqa: PTH207
        from eoscheck.testing.shared import end_all

        end_all(prefix)


@pytest.hookimpl(trylast=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test for each seed: so that `--lf` and `-k` know them apart."""
    if "eos_seed" not in metafunc.fixturenames:
        return
    from eoscheck.errors import UsageError
    from eoscheck.testing.session import asked_of

    try:
        seeds = asked_of(metafunc.definition).seeds
    except UsageError as error:
        raise pytest.Collector.CollectError(f"eoscheck: {error}") from None
    if seeds:
        metafunc.parametrize("eos_seed", seeds, ids=[f"seed-{each}" for each in seeds])


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    runner = item.stash.get(_RUNNER, None)
    if report.when == "call" and runner is not None and runner.made_last:
        item.user_properties.extend(runner.properties())  # JUnit XML takes them at the teardown
        if report.failed:
            item.stash[_FAILED] = True
            item.user_properties.append((_REPORT, runner.write_report()))
        report.user_properties = list(item.user_properties)
    elif report.when == "call" and report.failed:
        auditor = item.stash.get(_AUDITOR, None)
        if auditor is not None and auditor.last is not None:
            item.user_properties.append((_REPORT, auditor.write_report()))
            report.user_properties = list(item.user_properties)
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    reports = [
        (report.nodeid, value)
        for report in terminalreporter.stats.get("failed", [])
        for name, value in getattr(report, "user_properties", ())
        if name == _REPORT
    ]
    if reports:
        terminalreporter.write_sep("=", "eoscheck reports")
        for node_id, path in reports:
            terminalreporter.write_line(f"{node_id}: {path}")


@pytest.fixture(scope="session")
def eos_settings(pytestconfig: pytest.Config) -> Settings:
    """`[tool.eoscheck]` of pyproject.toml, and the options over it."""
    from eoscheck.testing.session import in_one_line, settings_of

    with in_one_line():
        return settings_of(pytestconfig)


@pytest.fixture(scope="session")
def eos_cluster_spec(eos_settings: Settings) -> ClusterSpec:
    """What cluster tests share."""
    return eos_settings.cluster_spec


@pytest.fixture(scope="session")
def eos_cluster(eos_cluster_spec: ClusterSpec, pytestconfig: pytest.Config) -> Iterator[Cluster]:
    """A running Kafka for the whole session, shared by all workers of pytest-xdist."""
    from eoscheck.testing.grounds import session_cluster
    from eoscheck.testing.session import in_one_line, progress
    from eoscheck.testing.shared import share_of

    share = share_of(getattr(pytestconfig, "workerinput", None), key=_SHARE)
    with in_one_line(), session_cluster(eos_cluster_spec, share=share, progress=progress) as found:
        yield found


@pytest.fixture(scope="session")
def _eos_grounds(
    eos_cluster_spec: ClusterSpec, request: pytest.FixtureRequest
) -> Iterator[Grounds]:
    """The shared cluster, once a run needs it, and one beside it for runs that need more."""
    from eoscheck.testing.grounds import Grounds
    from eoscheck.testing.session import progress

    grounds = Grounds(
        eos_cluster_spec,
        shared=lambda: request.getfixturevalue("eos_cluster"),
        progress=progress,
    )
    yield grounds
    grounds.close()


@pytest.fixture
def eos_topics(eos_cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Topics]:
    """`eos_topics("orders", partitions=4)`: the name of a new topic, this test's own."""
    from eoscheck.testing.runs import plain_name
    from eoscheck.testing.topics import Topics

    topics = Topics(eos_cluster, test=plain_name(request.node.nodeid))
    yield topics
    topics.close()


@pytest.fixture
def eos_scenario(request: pytest.FixtureRequest) -> str | Path | None:
    """A scenario file or the name of a shipped one; None: fixtures say all there is to say."""
    from eoscheck.testing.session import asked_of, in_one_line

    with in_one_line():
        return asked_of(request.node).scenario


@pytest.fixture
def eos_subject() -> Mapping[str, Any] | None:
    """Your app, as the table `[subject]` of a scenario: override it."""
    return None


@pytest.fixture
def eos_load() -> Mapping[str, Any] | None:
    """What goes in, as the table `[load]`."""
    return None


@pytest.fixture
def eos_timing() -> Mapping[str, Any] | None:
    """How long each phase takes, as the table `[timing]`."""
    return None


@pytest.fixture
def eos_faults() -> Sequence[Mapping[str, Any]] | None:
    """What goes wrong, as the tables `[[faults]]`; None: the scenario's, or else three kills."""
    return None


@pytest.fixture
def eos_audit_spec() -> Mapping[str, Any] | None:
    """How it is judged, as the table `[audit]`."""
    return None


@pytest.fixture
def eos_seed() -> int | None:
    """The run's seed; None: the scenario's own. `seeds` of the marker make a test for each."""
    return None


@pytest.fixture
def eos_run(
    request: pytest.FixtureRequest,
    _eos_grounds: Grounds,
    eos_scenario: str | Path | None,
    eos_subject: Mapping[str, Any] | None,
    eos_load: Mapping[str, Any] | None,
    eos_timing: Mapping[str, Any] | None,
    eos_faults: Sequence[Mapping[str, Any]] | None,
    eos_audit_spec: Mapping[str, Any] | None,
    eos_seed: int | None,
) -> Iterator[Runner]:
    """`eos_run()` puts the app under fire, audits what came out, and fails the test where that is
    not as it must be; it returns the result."""
    from eoscheck.testing.document import Tables
    from eoscheck.testing.session import in_one_line, runner_for

    item = request.node
    with in_one_line():
        runner = runner_for(
            item,
            scenario=eos_scenario,
            tables=Tables(
                subject=eos_subject,
                load=eos_load,
                timing=eos_timing,
                audit=eos_audit_spec,
                faults=eos_faults,
            ),
            seed=eos_seed,
            grounds=_eos_grounds,
        )
    item.stash[_RUNNER] = runner
    yield runner
    runner.close(failed=item.stash.get(_FAILED, False))


@pytest.fixture
def eos_audit(eos_cluster: Cluster, request: pytest.FixtureRequest) -> Auditor:
    """`eos_audit(input=..., output=..., id=...)` judges topics that a test has filled by itself."""
    from eoscheck.testing.session import auditor_for

    item = request.node
    auditor = auditor_for(item, eos_cluster)
    item.stash[_AUDITOR] = auditor
    return auditor
