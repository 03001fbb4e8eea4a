"""Django without a server, and a database for those who ask for one."""

from pulp_hugging_face.tests.unit.store.fixtures import domain, hub, makers, postgres, running_hub

__all__ = ["domain", "hub", "makers", "postgres", "running_hub"]
