"""The proxies of a run, one for each link, and what may be done to them."""

from __future__ import annotations

import itertools
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from eoscheck.closing import Closing
from eoscheck.errors import EoscheckError, InfrastructureError, UsageError
from eoscheck.network.api import ProxyState, Stream
from eoscheck.network.links import Link
from eoscheck.network.server import Server, open_server
from eoscheck.network.sockets import established, require_counters
from eoscheck.network.traffic import Snapshot, Traffic, between, snapshot
from eoscheck.process import Supervisor

_ENABLE_TIMEOUT_S = 10.0
_ENABLE_EVERY_S = 0.05


@dataclass(frozen=True, kw_only=True)
class Toxic:
    """`kind` and `attributes` in Toxiproxy's words and units (ms, KB/s, bytes)."""

    kind: str
    attributes: Mapping[str, int] = field(default_factory=dict)


class Network(Closing):
    """A Toxiproxy server with a proxy for each link of a cluster.

    What is on a link is undone by `Disturbance.end`, by `heal_all`, or with the server; a server
    that is not ours loses our proxies at `close`, or through the supervisor should we be killed.
    May be used from several threads; faults may overlap on one link.
    """

    def __init__(self, server: Server, *, supervisor: Supervisor) -> None:
        require_counters()
        self._server = server
        self._supervisor = supervisor
        self._names: dict[Link, str] = {}
        self._forget: Callable[[], None] | None = None
        self._numbers = itertools.count(1)
        self._lock = threading.RLock()
        self._downs: Counter[str] = Counter()

    @property
    def description(self) -> str:
        """Which Toxiproxy, for reports."""
        return self._server.description

    @property
    def links(self) -> Collection[Link]:
        return self._names.keys()

    def connect(self, links: Sequence[Link]) -> None:
        """A proxy takes connections on each; those of an earlier call are gone.

        Raises InfrastructureError where one cannot listen.
        """
        self._destroy()
        names = {link: f"eoscheck-{os.getpid()}-{_slug(link)}" for link in links}
        if self._server.child is None:
            self._forget = self._supervisor.run_at_exit(
                [
                    *(sys.executable, "-P", "-m", "eoscheck.network.leftovers"),
                    *(self._server.api.address, *names.values()),
                ]
            )
        for link, name in names.items():
            self._server.api.create(name, listen=link.listen, upstream=link.upstream)
            self._names[link] = name

    def poison(
        self, links: Sequence[Link], toxic: Toxic, *, streams: Sequence[Stream]
    ) -> Disturbance:
        """A toxic on these links; nothing happens before `Disturbance.begin`."""
        name = f"{toxic.kind}-{next(self._numbers)}"

        def begin(link: Link) -> None:
            for stream in streams:
                self._server.api.add_toxic(
                    self._names[link],
                    name=f"{name}-{stream}",
                    kind=toxic.kind,
                    stream=stream,
                    attributes=toxic.attributes,
                )

        def end(link: Link) -> None:
            there = self._state(self._names[link], self._server.api.proxies())
            for stream in streams:
                if f"{name}-{stream}" in there.toxics:
                    self._server.api.remove_toxic(self._names[link], f"{name}-{stream}")

        return Disturbance(self, links, begin=begin, end=end)

    def cut(self, links: Sequence[Link]) -> Disturbance:
        """Connections are closed, new ones refused; nothing happens before `Disturbance.begin`."""
        taken: set[Link] = set()

        def begin(link: Link) -> None:
            with self._lock:
                taken.add(link)
                self._downs[self._names[link]] += 1
                self._server.api.enable(self._names[link], False)

        def end(link: Link) -> None:
            with self._lock:
                if link not in taken:
                    return
                if self._downs[self._names[link]] == 1:  # else it is still cut by another
                    self._enable(self._names[link])
                self._downs[self._names[link]] -= 1
                taken.remove(link)

        return Disturbance(self, links, begin=begin, end=end)

    def snapshot(self) -> Snapshot:
        return snapshot(
            self._names,
            api=self._server.api,
            accepted=self._server.accepted,
            established=established,
        )

    def traffic(self, links: Sequence[Link], *, since: Snapshot, until: Snapshot) -> Traffic:
        return between(since, until, links=links, names=self._names)

    def heal_all(self) -> None:
        """Every proxy takes connections and has no toxic; the others too where one cannot be
        healed; then raises for that."""
        errors: list[EoscheckError] = []
        with self._lock:
            self._downs.clear()
            found = self._server.api.proxies()
            for name in self._names.values():
                try:
                    state = self._state(name, found)
                    for toxic in state.toxics:
                        self._server.api.remove_toxic(name, toxic)
                    if not state.enabled:
                        self._enable(name)
                except EoscheckError as error:
                    errors.append(error)
        if errors:
            raise errors[0]

    def close(self) -> None:
        """Ends the server where it is ours, else removes our proxies; idempotent."""
        if self._server.child is None:
            self._destroy()
        self._server.stop()

    def _destroy(self) -> None:
        while self._names:
            link = next(iter(self._names))
            self._server.api.destroy(self._names[link])
            del self._names[link]
        if self._forget is not None:
            self._forget()
            self._forget = None

    def _state(self, name: str, found: Mapping[str, ProxyState]) -> ProxyState:
        if name not in found:
            raise InfrastructureError(f"{self.description} has lost the proxy {name}")
        return found[name]

    def _enable(self, name: str) -> None:
        """Its port lies among those that the kernel gives to others: they may have it a while."""
        give_up_at = time.monotonic() + _ENABLE_TIMEOUT_S
        while True:
            try:
                self._server.api.enable(name, True)
            except InfrastructureError:
                if time.monotonic() > give_up_at:
                    raise
                time.sleep(_ENABLE_EVERY_S)
            else:
                return


class Disturbance:
    """One fault on some links, used once: `begin`, `end`, and what went through meanwhile."""

    def __init__(
        self,
        network: Network,
        links: Sequence[Link],
        *,
        begin: Callable[[Link], None],
        end: Callable[[Link], None],
    ) -> None:
        if not links:
            raise UsageError("the cluster has no such link: nothing to disturb")
        unknown = [link for link in links if link not in network.links]
        if unknown:
            raise UsageError(f"there is no proxy on the link {_slug(unknown[0])}")
        self.links = tuple(links)
        self._network = network
        self._begin, self._end = begin, end
        self._before: Snapshot | None = None
        self._traffic: Traffic | None = None

    def connections(self) -> int:
        """That go through its links now."""
        now = self._network.snapshot()
        return self._network.traffic(self.links, since=now, until=now).connections

    def begin(self) -> None:
        self._before = self._network.snapshot()
        for link in self.links:
            self._begin(link)

    def end(self) -> Traffic | None:
        """Undoes it on every link, the others too where one fails; idempotent. None where it never
        began."""
        if self._before is None:
            return None
        errors: list[EoscheckError] = []
        if self._traffic is None:
            try:  # before removing: that alone cuts connections
                after = self._network.snapshot()
                self._traffic = self._network.traffic(self.links, since=self._before, until=after)
            except EoscheckError as error:
                errors.append(error)
        for link in self.links:
            try:
                self._end(link)
            except EoscheckError as error:
                errors.append(error)
        if errors:
            raise errors[0]
        return self._traffic


def start_network(
    *, supervisor: Supervisor, folder: Path, progress: Callable[[str], None]
) -> Network:
    """With the server that `open_server` finds, builds or starts; its log is in `folder`.

    Raises UsageError where this machine cannot prove that network faults bit, and what
    `open_server` raises.
    """
    require_counters()
    server = open_server(supervisor=supervisor, folder=folder, progress=progress)
    return Network(server, supervisor=supervisor)


def _slug(link: Link) -> str:
    return f"{link.role}-{link.source}-to-{link.broker}"
