"""What is measured: the app, the same on Kafka Streams, and a bare loop, each as a command line."""

from __future__ import annotations

import shutil
import sys
import uuid
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from eoscheck.errors import UsageError

ROOT = Path(__file__).parent.parent
JAR = ROOT / "benchmarks/peers/java-streams/target/payments-streams.jar"

EXACTLY_ONCE = "exactly_once_v2"
AT_LEAST_ONCE = "at_least_once"


class Who(StrEnum):
    APP = "app"
    PEER = "Kafka Streams"
    BARE = "bare loop"


class What(StrEnum):
    PAYMENTS = "payments"
    VALUES = "values"


_STORES = {What.PAYMENTS: "balances", What.VALUES: "values"}


@dataclass(frozen=True, kw_only=True)
class Job:
    """One application on the cluster. Its name begins those of its group and its own topics."""

    name: str
    input: str
    what: What = What.PAYMENTS
    guarantee: str = EXACTLY_ONCE
    commit_interval_ms: int = 100
    session_timeout_ms: int = 45_000
    transaction_timeout_ms: int = 10_000
    instance: str | None = None
    partitions: int = 4

    @property
    def output(self) -> str:
        return f"{self.name}-receipts"

    @property
    def changelog(self) -> str:
        """As Kafka Streams names it, and the app as well."""
        return f"{self.name}-{_STORES[self.what]}-changelog"


def new_name(what: str) -> str:
    return f"bench-{what}-{uuid.uuid4().hex[:8]}"


def peer_is_built() -> bool:
    return JAR.exists() and shutil.which("java") is not None


def needs(who: Who, job: Job) -> list[str]:
    """The topics that have to be there before it starts, its input left out."""
    outputs = [job.output] if job.what is What.PAYMENTS else []
    return [*outputs, job.changelog] if who is Who.BARE else outputs


def command(who: Who, job: Job, *, bootstrap: str, state: Path) -> list[str]:
    match who:
        case Who.APP:
            module = {What.PAYMENTS: "reference_app.payments", What.VALUES: "benchmarks.values_app"}
            program = [sys.executable, "-m", module[job.what]]
        case Who.PEER:
            # As its README says. A task goes to whoever there is: else an instance that comes back
            # without its store would wait minutes for a probing rebalance.
            program = ["java", "-XX:+UseG1GC", "-jar", str(JAR), "--topology", job.what]
            program += ["--client-property", "acceptable.recovery.lag=1000000000"]
        case Who.BARE:
            return _bare(job, bootstrap=bootstrap, state=state)
    output = ["--output", job.output] if job.what is What.PAYMENTS else []
    member = ["--group-instance-id", job.instance] if job.instance is not None else []
    return [
        *program,
        *("--bootstrap-server", bootstrap, "--application-id", job.name),
        *("--state-dir", str(state), "--input", job.input, *output, *member),
        *("--processing-guarantee", job.guarantee),
        *("--commit-interval-ms", str(job.commit_interval_ms)),
        *("--session-timeout-ms", str(job.session_timeout_ms)),
        *("--transaction-timeout-ms", str(job.transaction_timeout_ms)),
        *("--heartbeat-interval-ms", str(min(3_000, job.session_timeout_ms // 4))),
    ]


def _bare(job: Job, *, bootstrap: str, state: Path) -> list[str]:
    if job.what is not What.PAYMENTS:
        raise UsageError("the bare loop knows payments only")
    line = [
        *(sys.executable, "-m", "benchmarks.bare_loop", "--bootstrap-server", bootstrap),
        *("--group", job.name, "--state-dir", str(state), "--input", job.input),
        *("--output", job.output, "--changelog", job.changelog),
        *("--commit-interval-ms", str(job.commit_interval_ms)),
    ]
    return [*line, "--at-least-once"] if job.guarantee == AT_LEAST_ONCE else line
