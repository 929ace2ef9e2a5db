"""Answers of librdkafka that are none."""

from __future__ import annotations

import pytest
from confluent_kafka import OFFSET_INVALID, KafkaException

from eoscheck.cluster.connection import told_offset, while_moving


def test_an_offset_that_is_none_is_asked_for_again() -> None:
    answers = iter([OFFSET_INVALID, OFFSET_INVALID, 7])
    assert while_moving(lambda: told_offset(next(answers)), timeout_s=5.0) == 7


def test_one_that_stays_none_is_an_error_and_no_end() -> None:
    with pytest.raises(KafkaException):
        while_moving(lambda: told_offset(OFFSET_INVALID), timeout_s=0.0)


@pytest.mark.parametrize("offset", [0, -1])
def test_the_start_and_a_time_after_the_last_record_are_answers(offset: int) -> None:
    assert told_offset(offset) == offset
