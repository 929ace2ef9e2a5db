"""What may be done at a step, and what became of it: plain data."""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

from eoscheck.errors import UsageError, did_you_mean
from eoscheck.wire.request import Request
from eoscheck.wire.steps import Step, require_step

WireAction = Literal[
    "crash-before",  # the instance dies, the broker never sees the request
    "crash-after",  # the broker has answered, the instance dies before it hears
    "drop-request",
    "drop-response",
    "delay",
    "duplicate",
    "hold",  # kept on its own connection until released; the client's side is closed
    "close",  # the client's connection is closed instead
]


class Behind(msgspec.Struct, frozen=True, kw_only=True):
    """The `nth` answer without an error (from 1) to requests that are `step`."""

    step: Step
    nth: int = 1


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to do: `action` at the `nth` request (from 1, counted since the rule was armed) of
    `instance` (None: any, or any `among` these) that is `step`, and with `span_s` at every one for
    so long after that.

    `broker`: only on the way to that one. `delay_s` is for `delay`.

    `release`, of a `hold`: the kept request goes on behind that answer to the same instance, which
    hears of it only when the kept request is answered too (at most 3 s later). So it comes behind
    the one, and before whatever follows.
    """

    step: Step
    action: WireAction
    instance: int | None = None
    among: frozenset[int] | None = None
    nth: int = 1
    span_s: float | None = None
    broker: int | None = None
    delay_s: float = 0.0
    release: Behind | None = None


def require_rule(rule: Rule) -> None:
    """Raises UsageError where it could never act, or says nothing."""
    actions = get_args(WireAction)
    if rule.action not in actions:
        raise UsageError(
            f"the wire knows no action {rule.action!r}{did_you_mean(rule.action, actions)}"
        )
    require_step(rule.step)
    if rule.nth < 1:
        raise UsageError(f"nth counts from 1, and is {rule.nth}")
    if rule.span_s is not None and rule.span_s <= 0:
        raise UsageError(f"a span is longer than 0 s: {rule.span_s}")
    if (rule.action == "delay") != (rule.delay_s > 0):
        raise UsageError("delay needs a delay_s above 0, and the other actions none")
    if rule.release is not None:
        if rule.action != "hold":
            raise UsageError(f"only what is held is released, and this is to {rule.action}")
        require_step(rule.release.step)
        if rule.release.nth < 1:
            raise UsageError(f"release.nth counts from 1, and is {rule.release.nth}")


class Firing(msgspec.Struct, frozen=True, kw_only=True):
    """A rule met a request. `t`: seconds by the wire's clock (`time.monotonic`)."""

    t: float
    rule: Rule
    step: Step
    instance: int
    broker: int
    request: Request
