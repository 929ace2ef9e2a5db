"""Schedules of faults nobody thought of: made, run, shrunk to the fewest faults, and saved."""
