"""The same loop three times, under fire: `pytest -k right` is green, the other two are red."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture(params=["right_loop", "auto_commit_loop", "offsets_outside_loop"])
def eos_subject(request):
    """The app: how it is started. Two instances of it run."""
    names = ["{bootstrap_server}", "{group}", "{instance}", "{input}", "{output}"]
    return {
        "command": ["{python}", HERE / f"{request.param}.py", *names],
        "client_id": "{instance}",  # tells the harness which member of the group is which process
        "session_timeout": "6s",
    }


@pytest.fixture
def eos_faults():
    """SIGKILL, twice; and twice at the worst moment: the broker has committed the transaction, and
    the app dies before it is told so."""
    return [
        {"kind": "kill", "count": 2},
        {"kind": "crash-after", "step": "EndTxn(commit)", "count": 2, "within": "30s"},
    ]


def test_every_order_makes_one_invoice(eos_run):
    eos_run()
