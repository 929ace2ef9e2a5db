"""`{name}` in commands and record templates: one grammar wherever users write one.

`{{name}}` stands for a literal `{name}`. Only what looks like a name in braces is a placeholder:
JSON, shell variables (`${HOME}`) and other braces stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from eoscheck.errors import UsageError, did_you_mean

_PATTERN = re.compile(r"\{\{([A-Za-z_]\w*)\}\}|(?<!\$)\{([A-Za-z_]\w*)\}")


@dataclass(frozen=True)
class Placeholder:
    name: str


def parse(text: str, *, known: Collection[str], what: str) -> list[str | Placeholder]:
    """`text` as literal pieces and placeholders, in order.

    Raises UsageError for a name that is not `known`, with the nearest one that is.
    """
    pieces: list[str | Placeholder] = []
    literal, end = "", 0
    for match in _PATTERN.finditer(text):
        escaped, name = match.groups()
        literal += text[end : match.start()]
        end = match.end()
        if escaped is not None:
            literal += f"{{{escaped}}}"
            continue
        if name not in known:
            raise UsageError(
                f"{what}: unknown placeholder {{{name}}}{did_you_mean(name, known)}; "
                f"known are {', '.join(sorted(known))}; write {{{{{name}}}}} for a literal one"
            )
        if literal:
            pieces.append(literal)
        pieces.append(Placeholder(name))
        literal = ""
    literal += text[end:]
    if literal:
        pieces.append(literal)
    return pieces


def fill(text: str, values: Mapping[str, object], *, what: str) -> str:
    """`text` with each placeholder replaced by its value."""
    return "".join(
        str(values[piece.name]) if isinstance(piece, Placeholder) else piece
        for piece in parse(text, known=values, what=what)
    )
