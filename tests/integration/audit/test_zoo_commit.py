"""The bug of the zoo that only the lost answer to a commit shows: it was done, and the app takes it
for failed. Of all answers only that one may be lost, so a proxy of the test's own does it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from eoscheck.audit import AuditSpec, Code, Verdict, run_audit
from eoscheck.cluster import Cluster
from reference_app.bugs import zoo
from tests.integration.audit.fetch_proxy import HOST, Fate, FetchProxy, opened, port_of
from tests.integration.reference_app.payments_driver import Payments, wait_for

_END_TXN = 26
_GIVES_UP_MS = 4500
"""Below one call of the app's client (5 s): it asks once, and then its time is up."""


@dataclass
class SilentProxy(FetchProxy):
    """Keeps the next answer to EndTxn to itself once it is `armed`; the connection stays open."""

    armed: bool = False
    kept: int = 0

    def fate(self, key: int) -> Fate:
        if key != _END_TXN or not self.armed:
            return "pass"
        self.armed = False
        self.kept += 1
        return "keep"


@pytest.fixture
def proxy(cluster: Cluster) -> Iterator[SilentProxy]:
    with opened(SilentProxy(broker_port=port_of(cluster.bootstrap_servers))) as started:
        yield started


@pytest.fixture
def app(proxy: SilentProxy, fresh_name: Callable[[str], str], tmp_path: Path) -> Iterator[Payments]:
    made = Payments(f"{HOST}:{proxy.port}", fresh_name("app"), tmp_path)
    yield made
    made.stop()


@pytest.mark.parametrize("bug", [(), ("--bug", "commit-retried-as-new")], ids=["none", "bug"])
def test_a_commit_whose_answer_is_lost_is_done_once(
    app: Payments, proxy: SilentProxy, cluster: Cluster, bug: tuple[str, ...]
) -> None:
    instance = app.instance("--default-api-timeout-ms", str(_GIVES_UP_MS), *bug)
    instance.start()
    app.feed(200)
    app.wait_drained()
    proxy.armed = True
    app.feed(100)
    wait_for("the answer to a commit to be lost", lambda: proxy.kept)
    app.feed(100)
    app.wait_drained()
    assert instance.terminate() == 0
    spec = AuditSpec(output=app.output, input=app.input, id="json:/payment_id", group=app.name)
    report = run_audit(spec, client_config=cluster.client_config)
    if not bug:
        assert report.verdict is Verdict.PASS, (report.findings, report.unknowns)
        return
    assert report.verdict is Verdict.FAIL, report.unknowns
    assert Code.DUPLICATE in report.anomalies
    assert set(report.anomalies) <= set(zoo.find(bug[1]).anomalies)
