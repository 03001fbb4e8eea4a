"""Tasks."""

from .trees import collect_trees

__all__ = ["collect_trees"]
