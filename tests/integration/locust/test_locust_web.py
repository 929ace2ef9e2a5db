"""Locust's web page starts runs and shows them; and a Locust that is killed leaves nothing."""

from __future__ import annotations

import signal
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.integration.locust.conftest import WriteScenario, free_port, start_locust
from tests.integration.run.test_left_behind import family, wait_for


class Page:
    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"

    def get(self, path: str) -> bytes:
        with urllib.request.urlopen(self._url + path, timeout=30) as answer:
            return bytes(answer.read())

    def answers(self) -> bool:
        try:
            return bool(self.get("/"))
        except OSError:
            return False

    def swarm(self, **form: Any) -> Any:
        data = urllib.parse.urlencode({"user_count": 1, "spawn_rate": 1, **form}).encode()
        with urllib.request.urlopen(f"{self._url}/swarm", data=data, timeout=30) as answer:
            return msgspec.json.decode(answer.read())

    def state(self) -> Any:
        return msgspec.json.decode(self.get("/eoscheck"))


def test_the_web_page_starts_a_run_and_a_killed_locust_leaves_nothing(
    write_scenario: WriteScenario, fresh_name: Callable[[str], str], tmp_path: Path
) -> None:
    port, log = free_port(), tmp_path / "log"
    first = write_scenario(fresh_name("web")[:40])
    locust = start_locust(
        ["--web-host", "127.0.0.1", "--web-port", port, "--eos-report", tmp_path / "reports"],
        tmp_path=tmp_path,
        log=log,
    )
    page = Page(port)
    try:
        wait_for("the web page", page.answers)
        assert b"eos_scenario" in page.get("/")  # an option on the start page
        assert page.state()["phase"] == "idle"
        assert page.swarm(eos_scenario=first)["success"]
        wait_for(
            "a verdict", lambda: page.state()["phase"] in ("pass", "fail", "unknown", "failed")
        )
        assert page.state()["phase"] == "pass", (page.state(), log.read_text())
        assert b"<html" in page.get("/eoscheck/report")
        [table] = msgspec.json.decode(page.get("/stats/requests"))["extendedStats"]
        assert [row["what"] for row in table["data"]][:2] == ["kill", "exactly-once"]

        second = write_scenario(fresh_name("again")[:40])
        assert page.swarm(eos_scenario=second)["success"]
        wait_for("the second load", lambda: page.state()["phase"] == "load")
        assert len(family(tmp_path / "tmp")) > 2
        locust.send_signal(signal.SIGKILL)
        locust.wait(30)
        wait_for("everything to end", lambda: not family(tmp_path / "tmp"))
    finally:
        locust.kill()


@pytest.mark.accept
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "terminated"])
def test_a_load_that_is_stopped_by_a_signal_is_judged_and_leaves_nothing(
    write_scenario: WriteScenario,
    fresh_name: Callable[[str], str],
    tmp_path: Path,
    sent: signal.Signals,
) -> None:
    log = tmp_path / "log"
    scenario = write_scenario(fresh_name(f"stop-{sent}")[:40], faults="")
    locust = start_locust(
        [
            *("--headless", "--users", 1, "--eos-scenario", scenario),
            *("--eos-set", "timing.steady=100s", "--eos-report", tmp_path / "reports"),
        ],
        tmp_path=tmp_path,
        log=log,
    )
    try:
        wait_for("the load", lambda: "the load begins" in log.read_text())
        time.sleep(1)  # of records
        locust.send_signal(sent)
        assert locust.wait(100) == 0, log.read_text()
    finally:
        locust.kill()
    assert "verdict: PASS" in log.read_text()
    wait_for("everything to end", lambda: not family(tmp_path / "tmp"))
