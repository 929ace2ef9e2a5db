"""Identities as columns: equal where the identities are, and only there."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from eoscheck.audit.identity import canonical
from eoscheck.audit.rows.columns import (
    Digests,
    as_numbers,
    as_sequence,
    encode,
    encode_repeating,
    enumerate_identities,
)

some = st.lists(
    st.integers(-3, 3)
    | st.sampled_from([10**18 - 1, 10**18, str(10**18), str(10**18 - 1), 2**63, str(2**63)])
    | st.integers(-(2**80), 2**80)
    | st.text("ab0-", max_size=3)
    | st.none(),
    max_size=12,
)


@settings(max_examples=300)
@given(left=some, right=some)
def test_codes_are_equal_where_identities_are_and_only_there(
    left: list[int | str | None], right: list[int | str | None]
) -> None:
    left = [each if each is None else canonical(each) for each in left]
    right = [each if each is None else canonical(each) for each in right]
    (left_codes, right_codes), total = enumerate_identities(
        encode(left)[0], encode_repeating(right)
    )
    names = [str(each) if each is not None else None for each in (*left, *right)]
    codes = [*left_codes.tolist(), *right_codes.tolist()]
    assert len(set(zip(names, codes, strict=True))) == len(set(names)) == len(set(codes)) == total
    assert set(codes) == set(range(total))


@settings(max_examples=300)
@given(found=some)
def test_what_is_no_identity_is_told_apart(found: list[int | str | None]) -> None:
    digests, known = encode(found)
    there = [each is not None for each in found]
    assert digests.known().tolist() == there
    assert (known is None) == all(there)
    assert known is None or known.tolist() == there
    numbers, fits = as_numbers(found)
    whole = [isinstance(each, int) and -(2**63) <= each < 2**63 for each in found]
    assert (fits.tolist() if fits is not None else [True] * len(found)) == whole
    assert [n for n, ok in zip(numbers.tolist(), whole, strict=True) if ok] == [
        each for each, ok in zip(found, whole, strict=True) if ok
    ]


def test_digests_that_agree_in_64_bits_only_are_different_identities() -> None:
    low = np.array([5, 5, 5, 7, 5], dtype=np.int64)
    high = np.array([1, 2, 1, 1, 2], dtype=np.int64)
    (codes,), total = enumerate_identities(Digests(low, high))
    assert total == 3
    assert codes[0] == codes[2]
    assert codes[1] == codes[4]
    assert len({codes[0], codes[1], codes[3]}) == 3


def test_sequences_are_split_into_source_and_number() -> None:
    assert as_sequence(["order-17", "order-018"]) == (["order-", "order-"], [17, 18])
    assert as_sequence([4, 5]) == (["", ""], [4, 5])
    mixed = ["a-1", "b", None, 7, "c" + "9" * 5000]
    assert as_sequence(mixed) == (["a-", None, None, "", None], [1, None, None, 7, None])
