"""Tasks."""

from .grants import prune_grants
from .trees import collect_trees

__all__ = ["collect_trees", "prune_grants"]
