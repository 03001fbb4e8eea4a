"""The fixtures of the store."""

from .fixtures import database, domain, hub, makers, postgres, running_hub, store

__all__ = ["database", "domain", "hub", "makers", "postgres", "running_hub", "store"]
