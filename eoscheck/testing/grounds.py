"""Where the runs of a test session take place: the cluster that tests share, or one that has the
proxies that a run needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from eoscheck.cluster.provider import Cluster
from eoscheck.cluster.spec import ClusterSpec
from eoscheck.errors import InfrastructureError
from eoscheck.faults import needs_of
from eoscheck.measure import require_extra
from eoscheck.process import Supervisor
from eoscheck.process.allocator import share_arenas
from eoscheck.run.needs import ClusterNeeds, cluster_needs
from eoscheck.run.opened import Opened, opened
from eoscheck.run.scenario import Scenario
from eoscheck.testing.shared import Share, join

Progress = Callable[[str], None]
_Wanted = tuple[ClusterSpec, ClusterNeeds]


@contextmanager
def session_cluster(
    spec: ClusterSpec, *, share: Share | None, progress: Progress
) -> Iterator[Cluster]:
    """The one that all tests share; with `share`, all workers too."""
    if share is not None and spec.provider != "external":
        yield join(spec, share, progress=progress)
        return
    with opened(spec, progress=progress) as ground:
        yield ground.cluster


class Grounds:
    """`spec` is that of the shared cluster, which `shared` gives: it is started by whoever needs it
    first. Beside it there is at most one other at a time: a run whose faults need proxies, or do
    something to brokers, is made there, and so are those after it that want the same."""

    def __init__(
        self, spec: ClusterSpec, *, shared: Callable[[], Cluster], progress: Progress
    ) -> None:
        self.spec = spec
        self._shared = shared
        self._progress = progress
        self._supervisor: Supervisor | None = None
        self._stack = ExitStack()
        self._own: tuple[_Wanted, Opened] | None = None

    @contextmanager
    def for_run(self, scenario: Scenario) -> Iterator[Opened]:
        """Where this run is made. After an InfrastructureError the next one gets another cluster,
        for the old one may be what is broken."""
        needs = cluster_needs(scenario)
        if self.shares(scenario):
            if self._supervisor is None:
                require_extra()  # a run without its figures would be found out only at its end
                share_arenas()
                self._supervisor = Supervisor()
            yield Opened(cluster=self._shared(), supervisor=self._supervisor)
            return
        try:
            yield self._other((scenario.cluster, needs))
        except InfrastructureError:
            self._close_other()
            raise

    def shares(self, scenario: Scenario) -> bool:
        """True where the shared cluster does for it."""
        return (
            scenario.cluster == self.spec
            and cluster_needs(scenario) == ClusterNeeds()
            and "brokers" not in needs_of(scenario.faults)
        )

    def _other(self, wanted: _Wanted) -> Opened:
        if self._own is None or self._own[0] != wanted:
            self._close_other()
            spec, needs = wanted
            ground = self._stack.enter_context(opened(spec, needs, progress=self._progress))
            self._own = wanted, ground
        return self._own[1]

    def _close_other(self) -> None:
        self._own = None
        self._stack.close()

    def close(self) -> None:
        self._close_other()
        if self._supervisor is not None:
            self._supervisor.close()
