"""What tests of the reference app share."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _log_level() -> Iterator[None]:
    """An app that is run inside the test sets the level of the whole process."""
    before = logging.getLogger().level
    yield
    logging.getLogger().setLevel(before)
