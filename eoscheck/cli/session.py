"""What the commands that run something share: options, a cluster, progress, and how results end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

import click
from rich.console import Console
from rich.text import Text

from eoscheck.audit.findings import Guarantee
from eoscheck.cluster.spec import ClusterSpec, Provider
from eoscheck.history import Event
from eoscheck.report.as_json import to_json
from eoscheck.report.beside import write_all
from eoscheck.report.live import LiveView
from eoscheck.report.terminal import print_demo
from eoscheck.run.needs import ClusterNeeds
from eoscheck.run.opened import Opened, opened
from eoscheck.run.result import DemoResult
from eoscheck.run.setting import Setting

_Command = TypeVar("_Command", bound=Callable[..., Any])

REPORTS = Path("reports")
_NOTHING = ClusterNeeds()


def run_options(function: _Command) -> _Command:
    """`--report` and `--format`."""
    function = click.option(
        "--report",
        type=click.Path(file_okay=False, path_type=Path),
        default=REPORTS,
        show_default=True,
        help="The folder that run folders and reports are written into.",
    )(function)
    return click.option(
        "--format",
        "output_format",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="json: stdout is one JSON object; progress goes to stderr either way.",
    )(function)


def kafka_image_option(function: _Command) -> _Command:
    return click.option(
        "--kafka-image",
        metavar="IMAGE",
        help="Brokers in containers of this image (provider 'docker'), not the embedded Kafka.",
    )(function)


def provider_for(kafka_image: str | None) -> Provider:
    return "embedded" if kafka_image is None else "docker"


def change_options(command: _Command) -> _Command:
    """`--set` and `--kafka-image`, which reach the command together, as `overrides`."""

    @wraps(command)
    def on_image(*, kafka_image: str | None, overrides: tuple[str, ...], **options: Any) -> Any:
        if kafka_image is not None:
            overrides = (*overrides, "cluster.provider=docker", f"cluster.image={kafka_image}")
        return command(overrides=overrides, **options)

    return click.option(
        "--set",
        "overrides",
        multiple=True,
        metavar="KEY=VALUE",
        help="Replaces one value of the scenario, as in load.rate=500. May be repeated.",
    )(kafka_image_option(cast("_Command", on_image)))


def scenario_options(command: _Command) -> _Command:
    """`change_options`, `--seed`, `--base` and `--guarantee`: what one scenario, or each of many,
    runs with."""
    function = click.option(
        "--guarantee",
        type=click.Choice([each.value for each in Guarantee]),
        help="Run and judge it under this one; default: the scenario's.",
    )(change_options(command))
    function = click.option(
        "--base",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="A file with your app (topics, subject, load, audit) instead of the one that the "
        "scenario extends: the same faults for another subject.",
    )(function)
    return click.option(
        "--seed", type=int, help="Replaces the scenario's seed: the same seed, the same run."
    )(function)


def setting_options(command: _Command) -> _Command:
    """`scenario_options`, and the arguments SCENARIO and COMMAND with what these options change:
    one `setting`."""

    @wraps(command)
    def with_setting(
        *,
        scenario: str,
        base: Path | None,
        guarantee: str | None,
        overrides: tuple[str, ...],
        subject: tuple[str, ...],
        **options: Any,
    ) -> Any:
        setting = Setting(
            source=scenario,
            base=base,
            guarantee=guarantee,
            overrides=overrides,
            command=subject,
        )
        return command(setting=setting, **options)

    return scenario_options(cast("_Command", with_setting))


@dataclass(frozen=True, kw_only=True)
class Session(Opened):
    """A running cluster, and where progress is shown."""

    console: Console

    def watch(self, title: str) -> AbstractContextManager[Callable[[Event], None]]:
        return LiveView(title, console=self.console)

    def progress(self, line: str) -> None:
        self.console.print(Text(line), soft_wrap=True)


@contextmanager
def open_session(spec: ClusterSpec, needs: ClusterNeeds = _NOTHING) -> Iterator[Session]:
    """As `opened`, with progress on standard error."""
    console = Console(stderr=True)

    def progress(line: str) -> None:
        console.print(Text(line), soft_wrap=True)

    with opened(spec, needs, progress=progress) as ground:
        yield Session(
            cluster=ground.cluster,
            supervisor=ground.supervisor,
            console=console,
            network=ground.network,
            wire=ground.wire,
        )


def show(result: DemoResult, *, folder: Path, output_format: str) -> None:
    """The reports' files in `folder`, and the result on standard output."""
    path = write_all(result, folder=folder)
    if output_format == "json":
        click.echo(to_json(result))
        return
    print_demo(result)
    click.echo(f"report: {path}")
