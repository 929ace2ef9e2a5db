"""Which of the brokers' words about the controller is believed."""

from __future__ import annotations

import pytest

from eoscheck.cluster.quorum import Claim, believed

_OLD, _NEW = Claim(leader=1, epoch=4), Claim(leader=3, epoch=5)


@pytest.mark.parametrize(
    ("claims", "brokers", "controller"),
    [
        ([_OLD, _NEW, _NEW], 3, _NEW),
        ([_NEW, _OLD], 3, _NEW),
        ([_OLD], 3, None),
        ([_OLD, _OLD], 3, _OLD),
        ([], 3, None),
        ([], 1, None),
        ([_OLD], 1, _OLD),
        ([_OLD], 2, _OLD),
    ],
    ids=[
        "the cut off one still claims it",
        "a third is silent",
        "it is alone with its claim",
        "one is down",
        "an election",
        "an election of one",
        "one node",
        "two nodes, of which one votes",
    ],
)
def test_the_highest_epoch_is_believed_where_enough_of_them_know_one(
    claims: list[Claim], brokers: int, controller: Claim | None
) -> None:
    assert believed(claims, brokers=brokers) == controller
