"""The wire family: something happens at a step of the protocol, whatever client does it.

A rule is armed, and the fault has struck once a request met it (`within`); where none does, it is
missed. By default it meets one request; with `for`, all of that step for so long, or until the
client gives up: one lost request tests the client, a lost span tests the app.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import msgspec

from eoscheck.durations import parse_duration
from eoscheck.errors import UsageError
from eoscheck.faults.broker_target import check_target
from eoscheck.faults.spec import Lane, Need, SubjectFault, check_instance, of_role
from eoscheck.wire import Behind, WireAction
from eoscheck.wire.steps import Step, require_step

GIVES_UP = "until the client gives up"


class WireFault(SubjectFault, frozen=True, kw_only=True):
    """`step`, and the `nth` of them since the fault was due, by the instance `target` (`random`, or
    `all`: whoever comes first) on its way to `broker` (`all`, or which one, see `broker_target`).
    """

    step: str
    nth: int = 1
    target: int | Literal["random", "all"] = "random"
    broker: str | int = "all"

    family: ClassVar[str] = "wire"
    needs: ClassVar[frozenset[Need]] = frozenset({"wire"})
    action: ClassVar[WireAction]

    def __post_init__(self) -> None:
        super().__post_init__()
        check_step(self.step, key="step")
        if self.nth < 1:
            raise UsageError(f"faults.nth counts from 1: {self.nth}")
        if self.broker != "all":
            check_target(self.broker)
        _ = self.down_s

    def choices(self, instances: Sequence[int]) -> Sequence[tuple[Lane, int | None]]:
        """Rules on other steps, or that do something else, are no conflict."""
        what = f"{self.kind} at {self.step}"
        if self.target == "all":
            return [(of_role(f"{what} of any", self), None)]
        chosen = instances if self.target == "random" else [self.target]
        return [(f"{what} of instance {number}", number) for number in chosen]

    def check(self, *, instances: Sequence[int], session_timeout_s: float) -> None:
        if isinstance(self.target, int):
            check_instance(self.target, instances)


class WireCrash(WireFault, frozen=True, kw_only=True):
    """SIGKILL, and started again after `down`; `wipe`: how many of the faults lose their state
    directory."""

    wipe: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.wipe < 0:
            raise UsageError(f"faults.wipe must be 0 or more, not {self.wipe}")

    @property
    def wipes(self) -> int:
        return self.wipe

    def choices(self, instances: Sequence[int]) -> Sequence[tuple[Lane, int | None]]:
        if self.target == "all":
            return [("instances", None)]
        chosen = instances if self.target == "random" else [self.target]
        return [(f"instance {number}", number) for number in chosen]

    def also(self, instances: Sequence[int]) -> frozenset[Lane]:
        if self.target != "all":
            return frozenset()
        return frozenset(f"instance {number}" for number in instances)


class CrashBefore(WireCrash, frozen=True, kw_only=True, tag="crash-before"):
    """The instance dies as it sends the request: the broker never sees that."""

    action: ClassVar[WireAction] = "crash-before"


class CrashAfter(WireCrash, frozen=True, kw_only=True, tag="crash-after"):
    """The broker has done it and answered, and the instance dies before it hears of that."""

    action: ClassVar[WireAction] = "crash-after"


class _OnRequests(WireFault, frozen=True, kw_only=True):
    """Nothing is down: how long it takes is said by keys of its own."""

    down: str | tuple[str, str] = ""

    silences: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.down:
            raise UsageError(
                "faults.down is how long an instance is down after a crash: use "
                f"faults.{'release' if isinstance(self, Hold) else 'for'} for a {self.kind}"
            )


class LastingFault(_OnRequests, frozen=True, kw_only=True):
    """`for`: from the first request on every one meets it, for so long, or `until the client gives
    up`: its next EndTxn(abort) or InitProducerId, or its end; that within `at_most`, else the fault
    is missed."""

    for_: str | None = msgspec.field(default=None, name="for")
    at_most: str = "60s"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.lasts_s == 0 and self.for_ is not None:
            raise UsageError("faults.for must be above 0: leave it out for a single request")

    @property
    def until_given_up(self) -> bool:
        return self.for_ == GIVES_UP

    @property
    def lasts_s(self) -> float:
        """From its first request; 0 where that is the only one."""
        if self.for_ is None:
            return 0.0
        if self.until_given_up:
            return parse_duration(self.at_most, what="faults.at_most")
        if not self.for_[:1].isdigit():
            raise UsageError(f"faults.for is {self.for_!r}: give a duration, or {GIVES_UP!r}")
        return parse_duration(self.for_, what="faults.for")

    @property
    def down_s(self) -> tuple[float, float]:
        return self.lasts_s, self.lasts_s


class DropRequest(LastingFault, frozen=True, kw_only=True, tag="drop-request"):
    """The request is lost; the connection stays open, so only a time-out tells the client."""

    action: ClassVar[WireAction] = "drop-request"


class DropResponse(LastingFault, frozen=True, kw_only=True, tag="drop-response"):
    """The broker does it, and its answer is lost."""

    action: ClassVar[WireAction] = "drop-response"


class Delay(LastingFault, frozen=True, kw_only=True, tag="delay"):
    """The request, and what comes after it on its connection, goes on after `delay`."""

    delay: str = "500ms"

    action: ClassVar[WireAction] = "delay"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.delay_s == 0:
            raise UsageError("faults.delay must be above 0")

    @property
    def delay_s(self) -> float:
        return parse_duration(self.delay, what="faults.delay")


class Duplicate(LastingFault, frozen=True, kw_only=True, tag="duplicate"):
    """The broker gets the request twice; the client gets one answer."""

    action: ClassVar[WireAction] = "duplicate"


class Close(LastingFault, frozen=True, kw_only=True, tag="close"):
    """The client's connection is closed instead."""

    action: ClassVar[WireAction] = "close"


class Hold(_OnRequests, frozen=True, kw_only=True, tag="hold"):
    """The request is kept back, as in a router's queue, and the client's connection closed; it does
    it again on another one. The kept one reaches the broker at `release`: after a duration, or once
    the `release_nth` request of a step, by the same instance, was answered without an error (the
    client hears of that behind it); that within `at_most`."""

    release: str = "2s"
    release_nth: int = 1
    at_most: str = "60s"

    action: ClassVar[WireAction] = "hold"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.behind is not None:
            check_step(self.release, key="release")
        if self.release_nth < 1:
            raise UsageError(f"faults.release_nth counts from 1: {self.release_nth}")

    @property
    def behind(self) -> Behind | None:
        """None where `release` is a duration."""
        if self.release[:1].isdigit():
            return None
        return Behind(step=self.release, nth=self.release_nth)

    @property
    def down_s(self) -> tuple[float, float]:
        if self.behind is None:
            lasts_s = parse_duration(self.release, what="faults.release")
        else:
            lasts_s = parse_duration(self.at_most, what="faults.at_most")
        return lasts_s, lasts_s


def check_step(step: Step, *, key: str) -> None:
    """Raises UsageError, with the nearest right word, where `key` says no step of the protocol."""
    try:
        require_step(step)
    except UsageError as error:
        raise UsageError(f"faults.{key}: {error}") from error


WireTable = CrashBefore | CrashAfter | DropRequest | DropResponse | Delay | Duplicate | Hold | Close
