"""Payments as Locust users, faults from Locust's command line, the verdict in its statistics.

Importing this package registers Locust's listeners and options, as a locustfile does: see
`chaos/locustfile.py` and docs/load.md.
"""

from eoscheck.locust.listeners import register
from eoscheck.locust.user import EosUser

__all__ = ["EosUser"]

register()
