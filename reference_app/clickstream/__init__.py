"""Clickstream: views counted at least once, and downstream of it each view exactly once."""
