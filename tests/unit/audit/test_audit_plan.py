"""A specification that makes no sense is refused before anything is read."""

from __future__ import annotations

import pytest

from eoscheck.audit.plan import check_spec, wanted_of_input, wanted_of_output
from eoscheck.audit.spec import AuditSpec, FinalState, RunningSum
from eoscheck.errors import UsageError
from tests.unit.audit.topics import wanted

SUM = RunningSum(amount="json:/n", result="json:/sum")
STATE = FinalState(topic="t", amount="json:/n", result="json:/sum")


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (AuditSpec(output="o", id="jsn:/x"), "'jsn:/x' is not an identity expression"),
        (AuditSpec(output="o", input="i", input_id="x"), "'x' is not an identity expression"),
        (AuditSpec(output="o", input="o"), "the same topic"),
        (AuditSpec(output="o", group="g"), "--group needs --input"),
        (AuditSpec(output="o", input_id="key"), "--input-id needs --input"),
        (AuditSpec(output="o", running_sum=SUM), "need the input topic"),
        (AuditSpec(output="o", patience_s=-1), "patience must be 0 or more, not -1"),
        (AuditSpec(output="o", max_findings=0), "max-findings must be 1 or more, not 0"),
        (
            AuditSpec(
                output="o",
                input="i",
                running_sum=SUM,
                final_state=FinalState(topic="t", amount="json:/m", result="json:/sum"),
            ),
            "the same key and amount",
        ),
        (
            AuditSpec(
                output="o",
                input="i",
                order="key",
                running_sum=RunningSum(amount="json:/n", result="json:/sum", key="json:/k"),
            ),
            "order by key",
        ),
    ],
)
def test_a_senseless_specification_is_refused_in_one_line(spec: AuditSpec, words: str) -> None:
    with pytest.raises(UsageError) as refused:
        check_spec(spec)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_only_what_is_needed_is_evaluated() -> None:
    plain = AuditSpec(output="o", input="i", id="json:/id")
    assert wanted_of_output(plain) == wanted()
    assert wanted_of_input(plain) == wanted()
    full = AuditSpec(output="o", input="i", input_id="header:id", running_sum=SUM)
    assert wanted_of_output(full) == wanted(identity="key", number="json:/sum")
    assert wanted_of_input(full) == wanted(identity="header:id", group="key", number="json:/n")
    table = AuditSpec(output="o", input="i", final_state=STATE)
    assert wanted_of_input(table) == wanted(identity="key", group="key", number="json:/n")
    keyed = AuditSpec(output="o", input="i", order="key")
    assert wanted_of_input(keyed) == wanted(identity="key", group="key")
    assert wanted_of_output(AuditSpec(output="o")) == wanted(identity="key", sequence=True)
