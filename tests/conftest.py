"""What all tests share."""

from hypothesis import settings

pytest_plugins = ["tests.acceptance_table", "pytester"]

# How long an example takes depends on who else uses the machine, and the first one compiles.
settings.register_profile("eoscheck", settings.default, deadline=None)
settings.load_profile("eoscheck")
