"""Where downloads and what is made of them are kept between runs."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def cache_folder() -> Path:
    """`EOSCHECK_CACHE`, else the platform's cache folder of the user. It may not exist yet."""
    chosen = os.environ.get("EOSCHECK_CACHE")
    return (
        Path(chosen).expanduser().absolute() if chosen else platformdirs.user_cache_path("eoscheck")
    )
