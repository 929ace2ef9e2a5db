"""What a load generator and a run in another process tell each other: messages in frames."""

from __future__ import annotations

import struct
from typing import IO, TypeAlias

import msgspec

from eoscheck.history import FaultHealed, FaultInjected, FaultMissed
from eoscheck.load import LoadSpec
from eoscheck.load.engine import Report

_LENGTH = struct.Struct(">I")


class _Message(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    pass


class Begin(_Message, frozen=True):
    """The first word to the run: what to do, as the options of `eoscheck run` say it. `repeat` is
    the command that does the whole again."""

    scenario: str
    seed: int | None = None
    base: str | None = None
    guarantee: str | None = None
    overrides: list[str] = []
    reports: str = "reports"
    repeat: str = ""


class Sends(_Message, frozen=True):
    """What a generator sent and what came of it. Its events are dated in the run's time."""

    generator: int
    report: Report


class GeneratorEnded(_Message, frozen=True):
    """All of its records are reported; or it is `lost`, and nobody knows of those that are not."""

    generator: int
    lost: bool = False


class LoadEnded(_Message, frozen=True):
    """Every generator has ended."""


class Plan(_Message, frozen=True):
    """The run is ready for its load. `origin` is where its time begins, on this machine's
    monotonic clock."""

    run_id: str
    title: str
    spec: LoadSpec
    seed: int
    identify: str
    client_config: dict[str, str]
    origin: float


class Struck(_Message, frozen=True):
    """Something became of a fault."""

    event: FaultInjected | FaultHealed | FaultMissed


class Arrived(_Message, frozen=True):
    """Records whose committed output was seen: when each was to leave, and when that was."""

    intended: list[float]
    seen: list[float]


class Enough(_Message, frozen=True):
    """The phases of the load are over: end it."""


class Concluded(_Message, frozen=True):
    """The verdict, as the report at `report` shows it. `allowed`, `anomalies`: counts by code."""

    verdict: str
    exit_code: int
    guarantee: str
    reasons: list[str]
    anomalies: dict[str, int]
    allowed: dict[str, int]
    audit_s: float
    report: str


class Failed(_Message, frozen=True):
    """There is no verdict, and no run any more."""

    reason: str


ToRun: TypeAlias = Begin | Sends | GeneratorEnded | LoadEnded
FromRun: TypeAlias = Plan | Struck | Arrived | Enough | Concluded | Failed

encode = msgspec.msgpack.encode
decode_to_run = msgspec.msgpack.Decoder(ToRun).decode
decode_from_run = msgspec.msgpack.Decoder(FromRun).decode


def write_frame(pipe: IO[bytes], frame: bytes) -> None:
    pipe.write(_LENGTH.pack(len(frame)) + frame)
    pipe.flush()


def read_frame(pipe: IO[bytes]) -> bytes | None:
    """None where the other side is gone."""
    head = _read(pipe, _LENGTH.size)
    return None if head is None else _read(pipe, _LENGTH.unpack(head)[0])


def _read(pipe: IO[bytes], size: int) -> bytes | None:
    found = b""
    while len(found) < size:
        piece = pipe.read(size - len(found))
        if not piece:
            return None
        found += piece
    return found
