"""The cells of a crash point matrix: a step of the protocol, and what is done to it there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import get_args

import msgspec

from eoscheck.errors import UsageError, did_you_mean
from eoscheck.faults.wire_steps import PROTOCOL
from eoscheck.wire import Step, WireAction
from eoscheck.wire.steps import require_step

ACTIONS: tuple[WireAction, ...] = get_args(WireAction)
CRASHES = frozenset[WireAction]({"crash-before", "crash-after"})
LOSSES = frozenset[WireAction]({"drop-request", "drop-response"})

_BASE: tuple[WireAction, ...] = ("crash-before", "crash-after", "drop-response")
_SPANNED = ("Produce", "TxnOffsetCommit", "EndTxn(commit)", "OffsetCommit")
"""What an app must roll back for where it is lost until the client gives up."""
_SEPARATOR = " x "


class Cell(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, order=True):
    """One cell. `span`: at every such request until the client gives up, not at one of them.

    After a crash another instance takes over, and then the victim comes back with its state kept;
    `quick`: it comes back at once; `wiped`: without its state.
    """

    step: Step
    action: WireAction
    span: bool = False
    wiped: bool = False
    quick: bool = False

    def __post_init__(self) -> None:
        if self.span and self.action not in LOSSES:
            raise UsageError(f"{self.name}: span is for drop-request and drop-response")
        if (self.wiped or self.quick) and not self.crashes:
            raise UsageError(f"{self.name}: wiped and quick are for crash-before and crash-after")

    @property
    def crashes(self) -> bool:
        return self.action in CRASHES

    @property
    def column(self) -> str:
        """All but the step: `crash-before x wiped`."""
        marks = [mark for mark in ("span", "wiped", "quick") if getattr(self, mark)]
        return _SEPARATOR.join([self.action, *marks])

    @property
    def name(self) -> str:
        """As `parse_cell` takes it: `EndTxn(commit) x crash-after x wiped`."""
        return f"{self.step}{_SEPARATOR}{self.column}"


def parse_cell(name: str) -> Cell:
    """Raises UsageError with the nearest word that it could have been."""
    step, *words = [word.strip() for word in re.split(r"\s+[x×]\s+", name.strip())]
    try:
        require_step(step)
    except UsageError as error:
        raise UsageError(f"--cell {name!r}: {error}") from None
    if step.partition("(")[0] not in PROTOCOL:
        raise UsageError(f"--cell {name!r}: {step} is no step of exactly-once processing")
    actions = [word for word in words if word in ACTIONS]
    known = (*ACTIONS, "span", "wiped", "quick")
    for word in words:
        if word not in known:
            raise UsageError(f"--cell {name!r}: no such action {word!r}{did_you_mean(word, known)}")
    if len(actions) != 1 or len(set(words)) != len(words):
        raise UsageError(
            f"--cell {name!r} is a step and one action, as in 'EndTxn(commit) x crash-after'"
        )
    marks = {word: True for word in words if word not in ACTIONS}
    return Cell(step=step, action=actions[0], **marks)


def base_matrix(steps: Sequence[Step]) -> list[Cell]:
    """Each step x {crash-before, crash-after, drop-response}, with hand-over and state kept; and
    what the client is kept from until it gives up."""
    cells = [Cell(step=step, action=action) for step in steps for action in _BASE]
    return [*cells, *_spans(steps)]


def full_matrix(steps: Sequence[Step]) -> list[Cell]:
    """Each step x every action; crashes with state kept and wiped, hand-over and quick restart."""
    cells = [
        Cell(step=step, action=action, wiped=wiped, quick=quick)
        for step in steps
        for action in ACTIONS
        for wiped in ((False, True) if action in CRASHES else (False,))
        for quick in ((False, True) if action in CRASHES else (False,))
    ]
    return [*cells, *_spans(steps)]


def _spans(steps: Sequence[Step]) -> Iterator[Cell]:
    performed = {*steps, *(step.partition("(")[0] for step in steps)}
    for step in _SPANNED:
        if step in performed:
            for action in ("drop-request", "drop-response"):
                yield Cell(step=step, action=action, span=True)
