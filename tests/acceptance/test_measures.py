"""Measures at a size that says something, on the reference apps."""

from __future__ import annotations

import pytest

from tests.acceptance.conftest import Accepted, Eoscheck

SIZES = "160MB,240MB,320MB"
CHECK = "1400MB"


@pytest.mark.accept
@pytest.mark.timeout(900)
def test_restores_predict_one_four_times_larger(eoscheck: Eoscheck, accepted: Accepted) -> None:
    words = ("measure", "restore", "--sizes", SIZES, "--check", CHECK, "--set", "load.noise=5000")
    found = eoscheck(*words, timeout_s=800)
    assert found.exit_code == 0, found.stderr[-3000:]
    measure = found.shown["restore"]
    largest = max(p["megabytes"] for p in measure["points"] if p["megabytes"] < 400)
    check = measure["extrapolations"][0]
    assert check["megabytes"] >= 3.8 * largest
    assert check["seconds"]["low"] <= check["measured_s"] <= check["seconds"]["high"]
    rate = measure["megabytes_per_s"]
    accepted(
        "Restores predict one four times larger, within their error",
        f"eoscheck measure restore --sizes {SIZES} --check {CHECK} --set load.noise=5000",
        f"{rate['value']:.0f} MB/s ({rate['low']:.0f} to {rate['high']:.0f}); "
        f"{check['megabytes']:.0f} MB took {check['measured_s']:.2f} s, predicted "
        f"{check['seconds']['low']:.2f} to {check['seconds']['high']:.2f} s",
    )


@pytest.mark.accept
@pytest.mark.timeout(1200)
def test_recovery_after_each_kind_of_fault(eoscheck: Eoscheck, accepted: Accepted) -> None:
    words = ("measure", "recovery", "--repetitions", "5", "--objective", "p50=60s")
    found = eoscheck(*words, timeout_s=1100)
    assert found.exit_code == 0, (found.shown or {}).get("notes", found.stderr[-3000:])
    kinds = {kind["kind"]: kind for kind in found.shown["recovery"]["kinds"]}
    assert len(kinds) == 6
    for name, kind in kinds.items():
        assert kind["recovered"]["n"] + sum(kind["left_out"].values()) == 5, name
        assert kind["judgement"]["outcome"] == "met", name
    medians = {name: kind["recovered"]["p50"]["value"] for name, kind in kinds.items()}
    accepted(
        "Recovery after each kind of fault, audited",
        "eoscheck measure recovery --repetitions 5 --objective p50=60s",
        "p50 of 5: " + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in medians.items()),
    )
    again = eoscheck(*words[:2], "--kinds", "kill", "--repetitions", "5", timeout_s=300)
    compared = eoscheck("compare", found.shown["folder"], again.shown["folder"])
    assert compared.exit_code == 0
    assert {each["name"] for each in compared.shown["changes"]} >= {"recovery after kill"}
