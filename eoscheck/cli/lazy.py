"""Groups of commands that are imported only when asked for: `--help` and completion stay quick."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import click

from eoscheck.errors import did_you_mean


class LazyGroup(click.Group):
    """Each command lives in a module of its own (`modules`, by its name), as its attribute
    `command`."""

    def __init__(self, *args: Any, modules: Mapping[str, str], **options: Any) -> None:
        super().__init__(*args, **options)
        self._modules = modules

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self._modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        if cmd_name not in self._modules:
            ctx.fail(f"no such command {cmd_name!r}{did_you_mean(cmd_name, self._modules)}")
        command: click.Command = importlib.import_module(self._modules[cmd_name]).command
        return command
