"""What goes in: identified, seeded records at a fixed open-loop rate."""

from eoscheck.load.driver import LoadSummary, preload, run_load
from eoscheck.load.senders import Identify
from eoscheck.load.spec import LoadSpec

__all__ = ["Identify", "LoadSpec", "LoadSummary", "preload", "run_load"]
