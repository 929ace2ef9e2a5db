"""The command that does the same again, from what it was given: no secret is among it."""

from __future__ import annotations

import shlex

import click


def repeat_of(context: click.Context) -> str:
    """A line to paste into a shell: the options that are not as they are by default."""
    words = ["eoscheck", context.command.name or ""]
    for option in context.command.params:
        value = context.params.get(option.name or "")
        if value is None or value == option.get_default(context) or value == ():
            continue
        for each in value if isinstance(value, tuple) else (value,):
            words.append(option.opts[0])
            if each is not True:
                words.append(str(each))
    return shlex.join(words)
