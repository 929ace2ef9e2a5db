"""The parts of the pytest plugin (`eoscheck.pytest_plugin`): imported only once a test uses it."""

from eoscheck.testing.failure import EosFailure
from eoscheck.testing.runs import Runner
from eoscheck.testing.settings import Settings
from eoscheck.testing.topics import Topics

__all__ = ["EosFailure", "Runner", "Settings", "Topics"]
