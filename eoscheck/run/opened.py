"""What runs are made on: a cluster, the proxies before it, and the supervisor of all of that."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from eoscheck.cluster.addresses import Proxies
from eoscheck.cluster.provider import Cluster
from eoscheck.cluster.providers import open_cluster
from eoscheck.cluster.spec import ClusterSpec
from eoscheck.cluster.topics import delete_topics
from eoscheck.cluster.view import ClusterView
from eoscheck.errors import EoscheckError, UsageError
from eoscheck.measure import require_extra
from eoscheck.network import Network, start_network
from eoscheck.process import Supervisor
from eoscheck.process.allocator import share_arenas
from eoscheck.run.needs import ClusterNeeds
from eoscheck.run.proxies import connected
from eoscheck.wire import Wire

_NOTHING = ClusterNeeds()


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A running cluster; `network` and `wire` are the proxies before it, where there are any."""

    cluster: Cluster
    supervisor: Supervisor
    network: Network | None = None
    wire: Wire | None = None


@contextmanager
def opened(
    spec: ClusterSpec, needs: ClusterNeeds = _NOTHING, *, progress: Callable[[str], None]
) -> Iterator[Opened]:
    """A cluster as `spec` says, and proxies as `needs` says. Whatever it started is gone when the
    block is left. `progress` is given short lines for the user."""
    if needs.wire and spec.provider == "external":
        raise UsageError(
            "an external cluster has no place for proxies that read the protocol (a trace, faults "
            "at its steps): leave out cluster.provider, or set it to 'embedded' or 'docker'"
        )
    require_extra()  # a run without its figures would be found out only at its end
    share_arenas()
    with ExitStack() as stack:
        supervisor = stack.enter_context(Supervisor())
        network = None
        if needs.network:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="eoscheck-network-")))
            supervisor.remove_at_exit(folder)
            network = stack.enter_context(
                start_network(supervisor=supervisor, folder=folder, progress=progress)
            )
        wire = stack.enter_context(Wire()) if needs.wire else None
        proxies = None
        connect = connected(wire=wire, network=network)
        if connect is not None:
            proxies = Proxies(connect=connect, slots=needs.slots, broker_links=needs.broker_links)
        cluster = open_cluster(spec, supervisor=supervisor, proxies=proxies, progress=progress)
        stack.callback(cluster.close)
        yield Opened(cluster=cluster, supervisor=supervisor, network=network, wire=wire)


def forget_topics(cluster: Cluster, run_id: str, *, also: Collection[str] = ()) -> None:
    """A cluster that keeps the topics of every run gets slower with each of them. Only what a run
    has made: its topics have its id in their names; what it has made besides is in `also`."""
    if not cluster.owned:
        return
    with suppress(EoscheckError), ClusterView(cluster.client_config) as view:
        delete_topics(cluster.client_config, [n for n in view.topics() if run_id in n or n in also])
