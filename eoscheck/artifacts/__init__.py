"""Files from a Maven repository, by lock file: downloaded once, verified, kept in the cache."""
