"""Locust patches the standard library when it is imported: not in a process of tests."""

import os

os.environ["LOCUST_SKIP_MONKEY_PATCH"] = "1"
