"""A broker off its network: found when it strikes, healed as any, refused of processes."""

from __future__ import annotations

from typing import Any

import pytest

from eoscheck.errors import UsageError
from eoscheck.faults.broker_disconnect import BrokerDisconnect
from eoscheck.faults.kinds import action_for
from tests.unit.faults.test_broker import FakeBrokers, planned, scene, table


class _Brokers(FakeBrokers):
    def __init__(self, *, may_be_disconnected: bool) -> None:
        super().__init__()
        self.may_be_disconnected = may_be_disconnected

    def disconnect(self, broker: int) -> dict[str, Any]:
        self.log.append(("disconnect", broker))
        return {"network": "n"}


def test_it_is_cut_off_and_put_back() -> None:
    brokers = _Brokers(may_be_disconnected=True)
    action = action_for(planned(table(BrokerDisconnect, broker=2)), scene(brokers))
    assert action.strike() == {"broker": 2, "network": "n"}
    action.heal()
    assert brokers.log == [("disconnect", 2), ("heal", 2), ("ready", 2)]


def test_a_process_has_no_network_of_its_own() -> None:
    brokers = _Brokers(may_be_disconnected=False)
    with pytest.raises(UsageError, match=r"set cluster\.provider = 'docker'"):
        action_for(planned(table(BrokerDisconnect)), scene(brokers))
