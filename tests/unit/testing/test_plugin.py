"""What a user of the plugin sees: in a pytest of its own, with runs that take no time."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import pytest

from eoscheck.audit.findings import Code, Verdict
from eoscheck.report.charts import NoCharts
from eoscheck.testing.audits import Auditor
from tests.unit.report.samples import audit_report, finding
from tests.unit.testing.fakes import PLUGIN, fake_runner


@pytest.fixture(autouse=True)
def no_kafka(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eoscheck.testing.session.Runner", fake_runner)
    monkeypatch.setattr("eoscheck.report.html.chart_library", lambda: NoCharts(reason="a test"))


@pytest.fixture
def pytester(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeconftest(
        """
        import pytest

        @pytest.fixture
        def app():
            return "right"

        @pytest.fixture
        def eos_subject(app):
            return {"command": ["app", "{input}", "{output}", "{group}", app]}
        """
    )
    return pytester


def run(pytester: pytest.Pytester, *options: str) -> pytest.RunResult:
    return pytester.runpytest_inprocess(*PLUGIN, "-p", "no:cacheprovider", *options)


TWO_APPS = """
    import pytest

    @pytest.mark.parametrize("app", ["right", "wrong"])
    def test_app(eos_run, app):
        eos_run()
"""


def test_the_right_app_is_green_and_the_wrong_one_red(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TWO_APPS)
    run(pytester).assert_outcomes(passed=1, failed=1)


def test_a_failure_reads_like_an_assertion(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TWO_APPS)
    result = run(pytester, "--eos-seed", "7")
    result.stdout.fnmatch_lines(
        [
            ">       eos_run()",
            "E *EosFailure: Exactly-once did not hold: 37 × LOST, 3 × WRONG_RESULT",
            "E *test_app?wrong-seed-7?, seed 7, on no Kafka",
            "E *LOST: an input that counts as processed never came out",
            "E *payments-1 @ 1201, identity 2001: below the group's committed offset*",
            "E *transactional id: payments-7f3a-0",
            "E *and 35 more",
            "E *fault at *: kill of instance * for *",
            "E *repeat: pytest '*test_app?wrong-seed-7?' --eos-seed 7",
            "E *report: reports/pytest/test_app-wrong-seed-7-*/report.html",
        ]
    )
    result.stdout.no_fnmatch_line("*runs.py*")


def test_an_unclear_run_is_no_pass_and_says_why(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TWO_APPS.replace("wrong", "unclear"))
    result = run(pytester)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["E *Unknown: receipts-2: an open transaction outlasted*"])


def test_only_failing_tests_leave_a_report_and_the_summary_says_where(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(TWO_APPS)
    result = run(pytester)
    (folder,) = Path("reports/pytest").iterdir()
    assert "LOST" in (folder / "report.html").read_text()
    result.stdout.fnmatch_lines(
        ["*= eoscheck reports =*", f"*test_app?wrong?: {folder}/report.html"]
    )


def test_folders_of_all_tests_stay_on_request(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TWO_APPS)
    run(pytester, "--eos-keep", "all", "--eos-report", "elsewhere")
    assert len(list(Path("elsewhere/pytest").iterdir())) == 2


def test_an_assertion_of_the_tests_own_gets_a_report_too(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        def test_app(eos_run):
            result = eos_run()
            assert result.tally.injected == 0
        """
    )
    run(pytester).assert_outcomes(failed=1)
    assert list(Path("reports/pytest").glob("*/report.html"))


def test_a_failure_that_was_expected_fails_nothing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest
        from eoscheck.testing import EosFailure

        @pytest.mark.parametrize("app", ["wrong"])
        def test_app(eos_run, app):
            with pytest.raises(EosFailure, match="37 × LOST") as caught:
                eos_run()
            assert caught.value.result.seed == 1
            assert eos_run(check=False).audit.anomalies["LOST"] == 37
        """
    )
    result = run(pytester)
    result.assert_outcomes(passed=1)
    assert not list(Path("reports/pytest").iterdir())


@pytest.mark.thorough
def test_each_seed_is_a_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.eos(seeds=3)
        @pytest.mark.parametrize("app", ["wrong-on-2"])
        def test_app(eos_run, eos_seed, app):
            assert eos_run().seed == eos_seed

        @pytest.mark.eos(seeds=[11])
        def test_other(eos_run):
            assert eos_run().seed == 11
        """
    )
    result = pytester.runpytest_inprocess(*PLUGIN)
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(["FAILED *test_app?wrong-on-2-seed-2?*"])
    again = pytester.runpytest_inprocess(*PLUGIN, "--lf")
    again.assert_outcomes(failed=1)
    first = pytester.runpytest_inprocess(*PLUGIN, "-x", "--cache-clear")
    first.assert_outcomes(passed=1, failed=1)


def test_junit_xml_has_the_figures_of_each_run(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TWO_APPS)
    run(pytester, "--junitxml", "junit.xml")
    cases = ElementTree.parse("junit.xml").iter("testcase")
    right, wrong = (
        {each.attrib["name"]: each.attrib["value"] for each in case.iter("property")}
        for case in cases
    )
    assert right["eos_verdict"] == "pass"
    assert "eos_report" not in right
    assert wrong["eos_verdict"] == "fail"
    assert wrong["eos_seed"] == "1"
    assert wrong["eos_findings"] == "37 × LOST, 3 × WRONG_RESULT"
    assert Path(wrong["eos_report"]).is_file()
    assert wrong["eos_repeat"].startswith("pytest ")


def test_every_table_is_a_fixture_and_the_call_has_the_last_word(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        def eos_load():
            return {"rate": 50}

        @pytest.fixture
        def eos_faults():
            return [{"kind": "pause", "count": 4}]

        @pytest.mark.eos(instances=3)
        def test_app(eos_run):
            said = eos_run().environment
            assert (said["rate"], said["faults"], said["instances"]) == ("50", "pause:4", "3")
            said = eos_run(load={"rate": 60}, faults=[]).environment
            assert (said["rate"], said["faults"]) == ("60", "")

        def test_names(eos_run):
            run = eos_run()
            app, source, target, group, _ = run.environment["command"].split()
            assert source == f"input-{run.run_id}"
            assert target == f"output-{run.run_id}"
            assert group == f"group-{run.run_id}"
        """
    )
    run(pytester).assert_outcomes(passed=2)


def test_hypothesis_draws_what_goes_wrong(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from hypothesis import HealthCheck, given, settings
        from eoscheck.strategies import schedules

        seen = set()

        @given(schedule=schedules(session_timeout="6s"))
        @settings(max_examples=5, deadline=None, database=None,
                  suppress_health_check=[HealthCheck.function_scoped_fixture])
        def test_app(eos_run, schedule):
            run = eos_run(schedule=schedule)
            assert run.seed == schedule.seed
            kinds = [each.split(":")[0] for each in run.environment["faults"].split(",")]
            assert kinds == schedule.kinds
            seen.add(run.run_id)

        def test_each_example_was_a_run_of_its_own():
            assert len(seen) == 5
        """
    )
    run(pytester).assert_outcomes(passed=2)
    assert not list(Path("reports/pytest").iterdir())


@pytest.mark.thorough
def test_an_example_whose_fault_did_not_bite_does_not_count(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest
        from hypothesis import HealthCheck, Phase, given, settings
        from eoscheck.strategies import schedules

        runs = []

        @pytest.fixture
        def app():
            return "hard-to-hit"

        @given(schedule=schedules(session_timeout="6s"))
        @settings(max_examples=8, deadline=None, database=None, phases=[Phase.generate],
                  suppress_health_check=list(HealthCheck))
        def test_app(eos_run, schedule):
            try:
                runs.append(eos_run(schedule=schedule).verdict)
            finally:
                runs.append("one")

        def test_eight_of_them_counted_and_there_were_more():
            assert runs.count("pass") == 8
            assert runs.count("one") > 8

        def test_alone_it_is_a_failure(eos_run):
            from eoscheck.strategies import Schedule
            kill = {"kind": "kill", "at": "1s", "target": 0}
            with pytest.raises(AssertionError, match="Unknown"):
                eos_run(schedule=Schedule(faults=(kill, kill, kill)))
        """
    )
    run(pytester).assert_outcomes(passed=3)


def test_a_run_takes_place_on_the_cluster_that_the_fixture_names(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(
        """
        import pytest
        from eoscheck.cluster.spec import ClusterSpec

        @pytest.fixture(scope="session")
        def eos_cluster_spec():
            return ClusterSpec(kafka_version="3.9.2")

        def test_app(eos_run):
            assert eos_run().environment["asked for"] == "3.9.2, 1 broker"

        @pytest.mark.eos(set=["cluster.brokers=3"])
        def test_app_with_wishes(eos_run):
            assert eos_run().environment["asked for"] == "None, 3 broker"
        """
    )
    run(pytester).assert_outcomes(passed=2)


def test_a_scenario_file_lies_beside_its_test(pytester: pytest.Pytester) -> None:
    folder = pytester.mkpydir("suite")
    (folder / "mine.toml").write_text(
        """
        name = "mine"
        title = "Of a file"
        seed = 5
        [subject]
        command = ["app", "right"]
        [load]
        topic = "in-{run_id}"
        rate = 70
        [audit]
        output = "out-{run_id}"
        """
    )
    (folder / "conftest.py").write_text(
        "import pytest\n@pytest.fixture\ndef eos_subject():\n    return None\n"
    )
    (folder / "test_it.py").write_text(
        "import pytest\n"
        "@pytest.mark.eos(scenario='mine.toml', set=['load.keys=3'])\n"
        "def test_app(eos_run):\n"
        "    run = eos_run()\n"
        "    assert (run.title, run.seed, run.environment['rate']) == ('Of a file', 5, '80')\n"
    )
    run(pytester, "--eos-set", "load.rate=80").assert_outcomes(passed=1)


def test_what_is_wrong_with_the_scenario_is_one_line(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        def test_app(eos_run):
            eos_run(load={"rat": 50})
        """
    )
    result = run(pytester)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            ">       eos_run(load={*",
            "E *load.rat is not a key of a scenario (did you mean 'rate'?)",
        ]
    )
    result.stdout.no_fnmatch_line("*document.py*")


def test_a_run_that_could_not_be_made_has_no_report_of_the_one_before(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(
        """
        from eoscheck.errors import InfrastructureError

        def no_run(*_, **__):
            raise InfrastructureError("Kafka does not answer")

        def test_app(eos_run):
            eos_run()
            eos_run._run = no_run
            eos_run()
        """
    )
    result = run(pytester)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *InfrastructureError: Kafka does not answer"])
    assert not list(Path("reports/pytest").iterdir())


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("marker", "complaint"),
    [
        ("seed=3", "the marker eos has no 'seed' (did you mean 'seeds'?)*"),
        ("seeds=0", "*seeds must be at least 1, not 0"),
        ("seeds=[1, 1]", "*seeds are different numbers, one or more, not [[]1, 1]"),
        ("'mine.toml'", "the marker eos takes names only, as in eos(scenario='mine.toml')"),
    ],
)
def test_a_marker_that_cannot_be_is_refused(
    pytester: pytest.Pytester, marker: str, complaint: str
) -> None:
    pytester.makepyfile(
        f"import pytest\n@pytest.mark.eos({marker})\ndef test_app(eos_run):\n    eos_run()\n"
    )
    result = run(pytester)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"*eoscheck: {complaint}"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_pyproject_sets_defaults_and_options_go_over_them(pytester: pytest.Pytester) -> None:
    pytester.makepyprojecttoml('[tool.eoscheck]\nseeds = 2\nset = ["load.rate=90"]')
    pytester.makepyfile(
        """
        def test_app(eos_run):
            assert eos_run().environment["rate"] == "90"
        """
    )
    run(pytester).assert_outcomes(passed=2)
    run(pytester, "--eos-seeds", "3").assert_outcomes(passed=3)
    run(pytester, "--eos-set", "load.rate=10").assert_outcomes(failed=2)


def test_an_unknown_key_in_pyproject_is_refused_with_the_nearest(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyprojecttoml("[tool.eoscheck]\nkafka_versoin = '4.3.1'")
    pytester.makepyfile(test_app="def test_app(eos_run): eos_run()")
    result = run(pytester)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["*eoscheck: *has no 'kafka_versoin' (did you mean 'kafka-version'?)*"]
    )


def test_who_does_not_use_it_does_not_pay_for_it(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_anything():
            loaded = {name for name in sys.modules if name.split(".")[0] in ("eoscheck", "msgspec")}
            assert loaded == {"eoscheck", "eoscheck.pytest_plugin"}
        """
    )
    pytester.runpytest_subprocess(*PLUGIN).assert_outcomes(passed=1)


def test_its_options_are_those_of_the_command_line(pytester: pytest.Pytester) -> None:
    """Same words for the same things, behind `--eos-`."""
    from eoscheck.cli.run import command
    from eoscheck.pytest_plugin import _OPTIONS

    of_run = {each.lstrip("-") for option in command.params for each in option.opts}
    shared = {"seed", "set", "base", "guarantee", "kafka-image", "report"}
    assert shared <= of_run & {name for name, _ in _OPTIONS}
    result = run(pytester, "--help")
    for name, _ in _OPTIONS:
        assert re.search(rf"--eos-{name}\b", result.stdout.str())


AUDITS_ALONE = """
    import pytest
    from eoscheck.testing import EosFailure

    def test_wrong(eos_audit):
        eos_audit(output="receipts")

    def test_expected(eos_audit):
        with pytest.raises(EosFailure, match="report: reports/pytest/test_expected-"):
            eos_audit(output="receipts")

    def test_of_its_own(eos_audit):
        assert not eos_audit(output="receipts", check=False).anomalies
"""


def test_a_failing_test_that_audits_by_itself_has_a_page_too(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = audit_report(
        verdict=Verdict.FAIL,
        anomalies={Code.DUPLICATE: 3},
        findings=[finding(Code.DUPLICATE, number) for number in range(3)],
    )
    audits = partial(Auditor, audit=lambda *_, **__: wrong)
    monkeypatch.setattr("eoscheck.testing.session.Auditor", audits)
    pytester.makeconftest(
        """
        import pytest
        from tests.unit.testing.fakes import NoCluster

        @pytest.fixture(scope="session")
        def eos_cluster():
            return NoCluster()
        """
    )
    pytester.makepyfile(AUDITS_ALONE)
    result = run(pytester, "--junitxml", "junit.xml")
    result.assert_outcomes(passed=1, failed=2)
    pages = sorted(Path("reports/pytest").glob("*/report.html"))
    assert [re.sub(r"-\d.*", "", page.parent.name) for page in pages] == [
        "test_of_its_own",
        "test_wrong",
    ]
    assert "Exactly-once did not hold in receipts: 3 × DUPLICATE" in pages[1].read_text()
    summary = str(result.stdout).partition("eoscheck reports")[2]
    assert all(str(page) in summary for page in pages)
    properties = ElementTree.parse("junit.xml").iter("property")
    assert [each.attrib["name"] for each in properties] == ["eos_report", "eos_report"]
