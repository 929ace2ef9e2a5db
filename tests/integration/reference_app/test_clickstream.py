"""At-least-once upstream repeats events under kills; the idempotent downstream tells each once."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from eoscheck.cluster import Cluster
from tests.integration.reference_app.app_driver import Instance, wait_for
from tests.integration.reference_app.clickstream_driver import Clickstream

EOSCHECK = Path(sys.executable).parent / "eoscheck"
BATCH = 200
MOST_KILLS = 10


@pytest.fixture
def clickstream(
    cluster: Cluster, fresh_name: Callable[[str], str], tmp_path: Path
) -> Iterator[Clickstream]:
    made = Clickstream(cluster.bootstrap_servers, fresh_name("clicks"), tmp_path)
    yield made
    made.stop()


def audit(clickstream: Clickstream, topic: str) -> tuple[int, Any]:
    """Exit code and result of `eoscheck audit` of what became of the clicks."""
    done = subprocess.run(
        [
            *(EOSCHECK, "audit", "--bootstrap-server", clickstream.upstream.bootstrap),
            *("--input", clickstream.upstream.input, "--topic", topic),
            *("--id", "json:/event_id", "--format", "json"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def kill_at_work(clickstream: Clickstream, victim: Instance, chance: random.Random) -> None:
    def at_work() -> bool:
        clickstream.upstream.feed(BATCH)
        return victim.at_work()

    wait_for("an instance at work", at_work)
    time.sleep(chance.uniform(0, 0.3))  # any instant of the commit cycle
    victim.kill()
    victim.start()


def test_the_topic_between_has_duplicates_and_the_downstream_has_none(
    clickstream: Clickstream,
) -> None:
    chance = random.Random(1)
    upstream = clickstream.upstream.start_pair("--commit-interval-ms", "500")
    downstream = clickstream.downstream.start_pair()
    for kills in range(1, MOST_KILLS + 1):
        kill_at_work(clickstream, chance.choice(upstream), chance)
        kill_at_work(clickstream, chance.choice(downstream), chance)
        if kills >= 2 and clickstream.repeated():
            break
    clickstream.upstream.wait_drained()
    clickstream.downstream.wait_drained()
    assert clickstream.repeated() > 0, f"{MOST_KILLS} kills upstream hit no work in progress"

    between, after = clickstream.upstream.output, clickstream.downstream.output
    code, result = audit(clickstream, between)
    assert code == 1
    assert result["anomalies"]["DUPLICATE"] == clickstream.repeated()
    code, result = audit(clickstream, after)
    assert (code, result["verdict"]) == (0, "pass"), result
    assert clickstream.latest_views() == clickstream.folded_clicks()
