"""Files from a Maven repository, by lock file: downloaded once, verified, kept in the cache."""

from eoscheck.artifacts.cache import cache_folder
from eoscheck.artifacts.download import Repository
from eoscheck.artifacts.fetch import fetch, missing_files
from eoscheck.artifacts.lock import Lock, LockedFile, read_lock
from eoscheck.artifacts.repository import repository_url

__all__ = [
    "Lock",
    "LockedFile",
    "Repository",
    "cache_folder",
    "fetch",
    "missing_files",
    "read_lock",
    "repository_url",
]
