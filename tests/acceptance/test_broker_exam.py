"""`eoscheck certify --broker embedded`: each Kafka that is shipped keeps every promise it makes."""

from __future__ import annotations

import pytest

from tests.acceptance.conftest import Accepted, Eoscheck


@pytest.mark.accept
@pytest.mark.timeout(200)
@pytest.mark.parametrize("version", ["4.3.1", "3.9.2"])
def test_real_kafka_keeps_every_promise(
    eoscheck: Eoscheck, accepted: Accepted, version: str
) -> None:
    outcome = eoscheck("certify", "--broker", "embedded", "--kafka-version", version)
    shown = outcome.shown
    assert outcome.exit_code == 0, shown
    kept = [each for each in shown["promises"] if each["verdict"] == "kept"]
    others = [each["name"] for each in shown["promises"] if each["verdict"] == "not offered"]
    assert len(kept) + len(others) == len(shown["promises"]), shown
    assert others == (["own-epochs"] if version == "3.9.2" else [])
    assert shown["left_behind"] == []
    titles = "; ".join(each["title"] for each in kept)
    without = f"; not offered: {', '.join(others)}" if others else ""
    accepted(f"Broker exam: Kafka {version}", shown["repeat"], f"all kept: {titles}{without}")
