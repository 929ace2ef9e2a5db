"""The same loop three times, under fire: `pytest -k right` is green, the others are red.

pip install 'eoscheck[embedded,measure]' pytest
pytest -k right
"""

from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture(params=["right_loop", "auto_commit_loop", "offsets_outside_loop"])
def eos_subject(request):
    """The app: how it is started, and what it is told. Two instances of it run."""
    names = ["{bootstrap_server}", "{group}", "{instance}", "{input}", "{output}"]
    return {
        "command": ["{python}", HERE / f"{request.param}.py", *names],
        "client_id": "{instance}",
        "session_timeout": "6s",
    }


def test_kills_cost_nothing(eos_run):
    """SIGKILL, three times; they come back after half a second."""
    eos_run()


def test_a_crash_between_commit_and_answer_costs_nothing(eos_run):
    """The broker has committed the transaction, and the app dies before it is told so."""
    eos_run(faults=[{"kind": "crash-after", "step": "EndTxn(commit)", "count": 2}])
