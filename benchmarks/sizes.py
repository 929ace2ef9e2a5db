"""How much is measured, and how long that takes: chosen for half an hour on 2 cores."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.drain import Window


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """`rounds` of throughput; the other counts are of pairs. `warm` is also the JVM's warm-up."""

    rounds: int
    many_rounds: int
    warm: Window
    many_accounts: int
    cost_pairs: int
    cost_peer_pairs: int
    cost_skip: int
    cost_timed: int
    restore_mb: int
    restore_pairs: int
    restart_mb: tuple[int, ...]
    restart_pairs: int
    kills: int
    memory_s: float
    memory_rate: int

    @property
    def backlog(self) -> int:
        """Records that hold every window: with room for a last commit at the longest interval."""
        cost = self.cost_skip + 2 * self.cost_timed
        return max(self.warm.skip + self.warm.timed, cost) + 150_000


FULL = Sizes(
    rounds=3,
    many_rounds=2,
    warm=Window(skip=500_000, timed=400_000),
    many_accounts=1_000_000,
    cost_pairs=4,
    cost_peer_pairs=1,
    cost_skip=100_000,
    cost_timed=400_000,
    restore_mb=400,
    restore_pairs=3,
    restart_mb=(10, 1_000),
    restart_pairs=2,
    kills=20,
    memory_s=600.0,
    memory_rate=5_000,
)

QUICK = Sizes(
    rounds=2,
    many_rounds=1,
    warm=Window(skip=20_000, timed=60_000),
    many_accounts=50_000,
    cost_pairs=2,
    cost_peer_pairs=1,
    cost_skip=20_000,
    cost_timed=40_000,
    restore_mb=20,
    restore_pairs=2,
    restart_mb=(10, 40),
    restart_pairs=2,
    kills=2,
    memory_s=20.0,
    memory_rate=2_000,
)


def forecast_s(sizes: Sizes, section: str, *, peer: bool) -> float:
    """Seconds on 2 quiet cores, from the rates that were seen there."""
    both = 1 if peer else 0
    drained = sizes.warm.skip + sizes.warm.timed
    app, java, bare = 3 + drained / 75e3, 5 + drained / 50e3, 3 + drained / 85e3
    short = 6 + (2 * sizes.cost_skip + 3 * sizes.cost_timed) / 75e3
    match section:
        case "throughput":
            few = sizes.rounds * 2 * (app + bare + both * java)
            return few + sizes.many_rounds * 2 * 1.2 * (app + both * java) + drained / 50e3
        case "cost":
            return 2 * (sizes.cost_pairs * short + both * sizes.cost_peer_pairs * 2 * java)
        case "restore":
            one = sizes.restore_mb
            return sizes.restore_pairs * (2 + one / 120 + both * (4 + one / 90)) + one / 30
        case "restart":
            pairs, total = sizes.restart_pairs + 1, sum(sizes.restart_mb)
            return total / 30 + pairs * (12 + total / 240 + both * total / 85)
        case "recovery":
            return sizes.kills * (5 + both * 7) + sizes.kills * 13
        case "memory":
            # It runs beside "recovery", whose time is counted there.
            fill = 2 * sizes.many_accounts / 50e3
            return fill + max(sizes.memory_s - forecast_s(sizes, "recovery", peer=peer), 0)
        case other:
            raise AssertionError(f"unknown section {other!r}")
