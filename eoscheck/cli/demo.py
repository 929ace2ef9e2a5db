"""`eoscheck demo`: the whole tool once, in under three minutes."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import click

from eoscheck.audit.findings import Verdict
from eoscheck.cli.session import (
    kafka_image_option,
    open_session,
    provider_for,
    run_options,
    show,
)
from eoscheck.cluster.spec import ClusterSpec
from eoscheck.errors import InfrastructureError
from eoscheck.run.demo import DemoPlan, run_demo
from eoscheck.run.naming import new_run_id, repeat_command
from eoscheck.run.result import DemoResult


@click.command("demo", epilog="Example: eoscheck demo --seed 7")
@click.option("--seed", type=int, default=1, show_default=True, help="Same seed, same schedule.")
@click.option(
    "--duration",
    default="20s",
    show_default=True,
    help="How long the ten kills of a run are spread over.",
)
@kafka_image_option
@run_options
def command(
    *, seed: int, duration: str, kafka_image: str | None, report: Path, output_format: str
) -> int:
    """A real Apache Kafka, the reference app under fire, the audit, an HTML report.

    Exit code 0: exactly-once and at-least-once pass, and the bug on purpose was found.
    """
    if find_spec("rocksdict") is None:
        raise InfrastructureError("the demo's app needs an extra: pip install 'eoscheck[demo]'")
    repeat = ["demo", "--seed", seed, "--duration", duration]
    if kafka_image is not None:
        repeat += ["--kafka-image", kafka_image]
    plan = DemoPlan(seed=seed, faults=duration)
    run_id = new_run_id("demo")
    with open_session(
        ClusterSpec(provider=provider_for(kafka_image), image=kafka_image)
    ) as session:
        result = run_demo(
            plan,
            on=session,
            folder=report / run_id,
            run_id=run_id,
            repeat=repeat_command(repeat),
            watch=session.watch,
            progress=session.progress,
        )
    show(result, folder=report / run_id, output_format=output_format)
    return exit_code(result)


def exit_code(result: DemoResult) -> int:
    """0: every run came out as it must. Else what the worst of the others says."""
    surprises = {run.verdict for run in result.runs if not run.as_expected}
    if not surprises:
        return 0
    return 2 if surprises == {Verdict.UNKNOWN} else 1
