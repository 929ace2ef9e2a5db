"""What a session was told, and in which order it counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from eoscheck.cluster.spec import ClusterSpec
from eoscheck.errors import UsageError
from eoscheck.testing.session import repeat_command
from eoscheck.testing.settings import Marked, Settings, asked_for, read_marker, read_settings


def of_table(tmp_path: Path, text: str, **given: Any) -> Settings:
    (tmp_path / "pyproject.toml").write_text(f"[tool.eoscheck]\n{text}")
    return read_settings(tmp_path, given)


def test_without_a_file_everything_has_a_default(tmp_path: Path) -> None:
    assert read_settings(tmp_path, {}) == Settings()
    assert Settings().cluster_spec == ClusterSpec()


def test_an_option_counts_more_than_the_table(tmp_path: Path) -> None:
    found = of_table(tmp_path, 'kafka-version = "3.9.2"\nbrokers = 3', brokers=1)
    assert (found.kafka_version, found.brokers) == ("3.9.2", 1)
    assert found.cluster_spec == ClusterSpec(kafka_version="3.9.2", brokers=1)


def test_options_of_more_than_one_word_count_too(tmp_path: Path) -> None:
    given = {"cluster": "docker", "kafka_image": "apache/kafka:4.3.1"}
    assert of_table(tmp_path, "", **given).cluster_spec.image == "apache/kafka:4.3.1"
    over = of_table(tmp_path, 'kafka-version = "4.3.1"', kafka_version="3.9.2")
    assert over.kafka_version == "3.9.2"


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ("kafka_version = '4.3.1'", r"no 'kafka_version' \(did you mean 'kafka-version'\?\)"),
        ("brokers = 'three'", "tool.eoscheck.*Expected `int | null`, got `str`"),
        ("cluster = 'cloud'", "Invalid enum value 'cloud'"),
        ("seeds = 0", "seeds must be at least 1, not 0"),
        ("kafka-image = 'apache/kafka:4.3.1'", "kafka-image needs --eos-cluster docker"),
        ("cluster = 'external'", "external needs --eos-bootstrap-server"),
        ("seeds = ", "is not TOML"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, table: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        of_table(tmp_path, table)


def test_a_scenario_keeps_its_cluster_where_the_session_says_nothing() -> None:
    own = ClusterSpec(brokers=3, settings={"a.b": "1"})
    assert Settings().over(own) == own
    assert Settings(kafka_version="3.9.2").over(own) == ClusterSpec(
        brokers=3, settings={"a.b": "1"}, kafka_version="3.9.2"
    )


def test_a_provider_that_was_named_counts_more_than_a_scenarios() -> None:
    own = ClusterSpec(provider="docker")
    assert Settings().over(own) == own
    assert Settings(cluster="embedded").over(own) == ClusterSpec(provider="embedded")


def test_of_an_external_cluster_a_scenario_has_nothing_to_say() -> None:
    settings = Settings(cluster="external", bootstrap_server="kafka:9092")
    assert settings.over(ClusterSpec(brokers=3)) == ClusterSpec(
        provider="external", bootstrap_server="kafka:9092"
    )


def test_the_nearest_marker_has_the_last_word() -> None:
    of_module = ((), {"scenario": "a.toml", "seeds": 2})
    of_test = ((), {"seeds": [5, 6], "base": Path("b.toml")})
    assert read_marker([of_module, of_test]) == Marked(
        scenario="a.toml", seeds=[5, 6], base="b.toml"
    )


def test_an_option_counts_more_than_the_marker_and_that_more_than_the_table() -> None:
    marked = Marked(instances=3, set=["load.rate=2"])
    settings = Settings(instances=2, set=["load.rate=1"])
    of_marker = asked_for(marked, settings, given={})
    assert of_marker.instances == 3
    assert of_marker.overrides == ["load.rate=1", "load.rate=2"]
    typed = Settings(instances=2, set=["load.rate=3"])
    of_option = asked_for(marked, typed, given={"set": ["load.rate=3"]})
    assert of_option.overrides == ["load.rate=2", "load.rate=3"]


@pytest.mark.parametrize(
    ("marked", "settings", "seeds"),
    [
        (Marked(), Settings(), []),
        (Marked(seeds=3), Settings(), [1, 2, 3]),
        (Marked(seeds=2), Settings(seed=7), [7, 8]),
        (Marked(), Settings(seed=7), [7]),
        (Marked(seeds=[4, 9]), Settings(seeds=3), [4, 9]),
    ],
)
def test_seeds_begin_with_the_one_that_was_typed(
    marked: Marked, settings: Settings, seeds: list[int]
) -> None:
    assert list(asked_for(marked, settings, given={}).seeds) == seeds


def test_the_repeat_command_can_be_pasted() -> None:
    options = {"seed": 3, "set": ["load.rate=5", "subject.env.A=b c"], "kafka_version": "3.9.2"}
    assert repeat_command("test_a.py::test_b[x y]", options) == (
        "pytest 'test_a.py::test_b[x y]' --eos-seed 3 --eos-set load.rate=5 "
        "--eos-set 'subject.env.A=b c' --eos-kafka-version 3.9.2"
    )
