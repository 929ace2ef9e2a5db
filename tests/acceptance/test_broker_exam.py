"""`eoscheck certify --broker embedded`: each Kafka that is shipped keeps every promise."""

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
    assert {each["verdict"] for each in shown["promises"]} == {"kept"}
    assert shown["left_behind"] == []
    titles = "; ".join(each["title"] for each in shown["promises"])
    accepted(f"Broker exam: Kafka {version}", shown["repeat"], f"all kept: {titles}")
