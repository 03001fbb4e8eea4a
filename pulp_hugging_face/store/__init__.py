"""What Pulp holds and who may see it."""
