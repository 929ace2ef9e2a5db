"""Keys are bounded without losing what belongs together."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction

import pytest
from click.testing import CliRunner

from reference_app.clickstream.__main__ import main
from reference_app.clickstream.keys import in_buckets, sampled

KEYS = [f"user-{number}" for number in range(20_000)]


def test_buckets_bound_the_keys_of_a_partition_and_share_them_out() -> None:
    counted_by = in_buckets(16)
    sizes = dict.fromkeys((f"3-{bucket}" for bucket in range(16)), 0)
    for key in KEYS:
        sizes[str(counted_by(key, 3))] += 1
    assert len(sizes) == 16
    assert min(sizes.values()) > len(KEYS) / 16 / 2


def test_a_bucket_belongs_to_one_partition() -> None:
    counted_by = in_buckets(4)
    assert {counted_by(key, 0) for key in KEYS}.isdisjoint(counted_by(key, 1) for key in KEYS)


def test_a_sample_has_its_share_of_the_keys_and_a_smaller_one_is_part_of_it() -> None:
    small, large = sampled(Fraction(1, 64)), sampled(Fraction(1, 16))
    in_small = {key for key in KEYS if small(key, 0) == key}
    in_large = {key for key in KEYS if large(key, 5) == key}
    assert in_small < in_large
    assert len(KEYS) / 64 / 2 < len(in_small) < len(KEYS) / 64 * 2


def test_the_same_keys_are_sampled_in_every_process() -> None:
    program = (
        "from fractions import Fraction; from reference_app.clickstream.keys import sampled;"
        "print([n for n in range(200) if sampled(Fraction(1, 8))(f'user-{n}', 0)])"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(told) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--key-sample", "half"), "'half' is no fraction: give one such as 1/64"),
        (("--key-sample", "2"), "2 is not above 0 and at most 1"),
        (("--key-sample", "1/0"), "'1/0' is no fraction"),
        (("--key-buckets", "8", "--key-sample", "1/2"), "exclude each other"),
    ],
)
def test_bounds_that_mean_nothing_are_refused(arguments: tuple[str, ...], message: str) -> None:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert message in result.output


def test_it_is_at_least_once_unless_told_otherwise() -> None:
    guarantee = CliRunner().invoke(main, ["--help"]).output.partition("--processing-guarantee")[2]
    assert "[default: at_least_once]" in guarantee.partition("--commit-interval-ms")[0]
