"""Payments as Locust users, under a scenario's faults, with a verdict at the end.

    locust -f chaos/locustfile.py --headless --users 2 --eos-scenario kill-exactly-once

Copy this file, and change the class: docs/load.md.
"""

from eoscheck.locust import EosUser


class Payments(EosUser):
    """The scenario's own records, at its own rate for each user."""
