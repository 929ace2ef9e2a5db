"""What goes in: record n is a pure function of the spec, the seed and n."""

from __future__ import annotations

import math
import random
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from itertools import accumulate, count, repeat

import msgspec

from eoscheck.load.spec import LoadSpec
from eoscheck.load.template import Fields, compile_template

LARGEST_AMOUNT = 10_000
_BLOCK = 1024


def generate(
    spec: LoadSpec,
    *,
    seed: int | str,
    run_id: str,
    numbers: Iterator[int] | None = None,
    wall_clock: Callable[[], float] = time.time,
) -> Iterator[tuple[bytes, bytes]]:
    """Key and value of record 0, 1, 2, ... without end.

    The same seed gives the same records, except for what a template takes from `{run_id}` or from
    the wall clock (`{time_ms}`). `numbers`: what `{seq}` is, instead of 0, 1, 2, ...; each record
    takes one when it is made.
    """
    numbers = count() if numbers is None else numbers
    key_of = compile_template(spec.key, what="load.key")
    value_of = compile_template(spec.value, what="load.value")
    encode = msgspec.json.Encoder().encode if isinstance(spec.value, dict) else _as_text
    noise = _noise(spec, seed)
    for account, amount in _payments(spec, seed):
        time_ms = int(wall_clock() * 1000)
        fields = Fields(next(numbers), account, amount, run_id, time_ms, next(noise))
        yield _as_text(key_of(fields)), encode(value_of(fields))


def abort_decisions(spec: LoadSpec, *, seed: int) -> Iterator[bool]:
    """Whether transaction 0, 1, 2, ... is to abort."""
    chance = random.Random(f"{seed}/aborts")
    while True:
        yield chance.random() < spec.abort_ratio


def _payments(spec: LoadSpec, seed: int | str) -> Iterator[tuple[str, int]]:
    """Account and amount. The rank of an account is its number: `acct-00000` is the busiest."""
    chance = random.Random(f"{seed}/records")
    accounts = [f"acct-{number:05d}" for number in range(spec.keys)]
    weights = list(accumulate((rank + 1) ** -spec.zipf for rank in range(spec.keys)))
    while True:
        # Blocks, because one call of choices for many is several times quicker than one for each.
        chosen = chance.choices(accounts, cum_weights=weights, k=_BLOCK)
        for account in chosen:
            yield account, 1 + int(chance.random() * LARGEST_AMOUNT)


def _noise(spec: LoadSpec, seed: int | str) -> Iterator[str]:
    """Base 64 keeps three quarters of each character random: nothing in it can be compressed but
    that quarter."""
    if not spec.noise:
        yield from repeat("")
    chance = random.Random(f"{seed}/noise")
    raw = math.ceil(spec.noise * 3 / 4)
    while True:
        yield b64encode(chance.randbytes(raw))[: spec.noise].decode()


def _as_text(value: object) -> bytes:
    return str(value).encode()
