"""How many outputs an input has: `per_input` and `input_filter` (docs/expressions.md)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from eoscheck.audit.identity import Field, Headers, canonical, needs, parse, user_function
from eoscheck.audit.rows.columns import Digests, Flags, Integers, encode
from eoscheck.errors import UsageError

Content: TypeAlias = tuple[bytes | None, bytes | None, Headers]
"""(key, value, headers)"""

MOST = 2**31 - 1
"""As many as there may ever be: what is expected of an input that cannot be judged."""
_COUNT = re.compile(r"[0-9]{1,9}")
_EVERYTHING: frozenset[Field] = frozenset({"key", "value", "headers"})


class Bounds(NamedTuple):
    """Least and most outputs of each of some inputs. `judged` is None where all are; an input that
    is not may have any number of outputs, from 0 to `MOST`."""

    least: NDArray[np.int32]
    most: NDArray[np.int32]
    judged: Flags | None = None


class Expected(NamedTuple):
    """Least and most outputs of each identity: sums over its inputs."""

    least: Integers
    most: Integers


@dataclass(frozen=True, kw_only=True)
class Multiplicity:
    """What is expected of one committed copy of an input that passes the filter: `least` to `most`
    outputs, or what `count` says of it. One that does not pass has none.

    `passes` and `count` are given key, value and headers. `filter_by` are the expression and the
    identity that it must give, where the filter is of that form: it can be told from a column then.
    """

    least: int = 1
    most: int = 1
    count: Callable[..., Any] | None = None
    passes: Callable[..., Any] | None = None
    filter_by: tuple[str, str] | None = None

    @property
    def constant(self) -> bool:
        """The same for every input: no record has to be looked at."""
        return self.count is None and self.passes is None and self.filter_by is None

    @property
    def columnar(self) -> bool:
        """`of_column` will do: no record has to be looked at but by the filter's expression."""
        return self.count is None and self.passes is None and self.filter_by is not None

    @property
    def needs(self) -> frozenset[Field]:
        """What `of_records` looks at."""
        if self.count is not None or self.passes is not None:
            return _EVERYTHING
        return needs(self.filter_by[0]) if self.filter_by is not None else frozenset()

    def of_any(self, inputs: int) -> Bounds:
        """Of inputs that all pass, where there is no function."""
        return Bounds(np.full(inputs, self.least, np.int32), np.full(inputs, self.most, np.int32))

    def of_column(self, found: Digests) -> Bounds:
        """By what the filter's expression gave for each input."""
        assert self.filter_by is not None
        wanted, _known = encode([canonical(self.filter_by[1])])
        passing = (found.low == wanted.low[0]) & (found.high == wanted.high[0])
        least = np.where(passing, self.least, 0).astype(np.int32)
        return Bounds(least, np.where(passing, self.most, 0).astype(np.int32))

    def of_records(self, contents: Sequence[Content]) -> Bounds:
        """One by one. The user's functions may raise: what they raise for is not judged."""
        least, most, judged = [], [], []
        passes = self._passes()
        for content in contents:
            bounds = self._of(content, passes)
            judged.append(bounds is not None)
            low, high = bounds or (0, MOST)
            least.append(low)
            most.append(high)
        return Bounds(
            np.array(least, dtype=np.int32),
            np.array(most, dtype=np.int32),
            None if all(judged) else np.array(judged, dtype=np.bool_),
        )

    def _of(self, content: Content, passes: Callable[..., Any] | None) -> tuple[int, int] | None:
        try:
            if passes is not None and not passes(*content):
                return 0, 0
            if self.count is None:
                return self.least, self.most
            return _checked(self.count(*content))
        except Exception:  # noqa: BLE001 - the user's code: what it raises means "cannot be judged"
            return None

    def _passes(self) -> Callable[..., Any] | None:
        if self.filter_by is None:
            return self.passes
        (_expression, wanted), identify = self.filter_by, parse(self.filter_by[0])
        return lambda *content: (f := identify(*content)) is not None and str(f) == wanted


def parse_multiplicity(per_input: str = "1", input_filter: str | None = None) -> Multiplicity:
    """`per_input`: "2", "0..3" or `python:module:function`; `input_filter`: "EXPR=VALUE" or
    `python:module:function`. Raises UsageError for what is neither, with the nearest right form."""
    least, most, count = _parse_count(per_input)
    passes, filter_by = _parse_filter(input_filter)
    return Multiplicity(least=least, most=most, count=count, passes=passes, filter_by=filter_by)


def expected(
    code: Integers, identities: int, bounds: Bounds, chosen: Flags | None = None
) -> Expected:
    """Sums for each identity: `code` numbers that of each input, from 0 to `identities` - 1. Of all
    inputs or of the `chosen` ones."""
    least, most = bounds.least, bounds.most
    if chosen is not None:
        code, least, most = code[chosen], least[chosen], most[chosen]
    # Sums of floats are exact here: 2^31 for each of 2^22 copies of one identity still fits.
    return Expected(
        np.bincount(code, weights=least, minlength=identities).astype(np.int64),
        np.bincount(code, weights=most, minlength=identities).astype(np.int64),
    )


def _parse_count(per_input: str) -> tuple[int, int, Callable[..., Any] | None]:
    if per_input.startswith("python:"):
        return 1, 1, user_function(per_input)
    low, dots, high = per_input.partition("..")
    numbers = [low, high] if dots else [low, low]
    if not all(map(_COUNT.fullmatch, numbers)):
        raise UsageError(
            f"per-input {per_input!r} is no number of outputs: it is 1, 2, a range such as 0..3, "
            "or python:module:function"
        )
    least, most = map(int, numbers)
    if least > most:
        raise UsageError(
            f"per-input {per_input!r}: the first number is the larger one (did you mean "
            f"'{most}..{least}'?)"
        )
    return least, most, None


def _parse_filter(
    input_filter: str | None,
) -> tuple[Callable[..., Any] | None, tuple[str, str] | None]:
    if input_filter is None:
        return None, None
    expression, equals, value = input_filter.partition("=")
    if not equals and input_filter.startswith("python:"):
        return user_function(input_filter), None
    if not equals or not expression or expression.endswith("!"):
        raise UsageError(
            f"input-filter {input_filter!r} is no condition: it is EXPR=VALUE, such as "
            "json:/kind=order, or python:module:function for any other"
        )
    parse(expression)
    return None, (expression, value)


def _checked(found: Any) -> tuple[int, int] | None:
    pair = found if isinstance(found, tuple) else (found, found)
    if len(pair) != 2 or not all(type(each) is int for each in pair):
        return None
    least, most = pair
    return (least, most) if 0 <= least <= most <= MOST else None
