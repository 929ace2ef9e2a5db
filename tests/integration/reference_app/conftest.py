from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eoscheck.cluster import Cluster
from tests.integration.reference_app.payments_driver import Payments


@pytest.fixture
def payments(
    cluster: Cluster, fresh_name: Callable[[str], str], tmp_path: Path
) -> Iterator[Payments]:
    """The payments app on topics of its own; its processes are gone afterwards."""
    app = Payments(cluster.bootstrap_servers, fresh_name("app"), tmp_path)
    yield app
    app.stop()
