"""Commands whose SCENARIO may be left out, although a COMMAND follows."""

from __future__ import annotations

import click


class BeforeDashes(click.Command):
    """What stands after `--` is all COMMAND: the parameter `subject`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        at = args.index("--") if "--" in args else len(args)
        rest = super().parse_args(ctx, args[:at])
        ctx.params["subject"] = tuple(args[at + 1 :])
        return rest

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return [*super().collect_usage_pieces(ctx), "[-- COMMAND ...]"]
