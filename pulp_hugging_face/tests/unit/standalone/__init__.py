"""Tests of `pulp-hf`, without a database and without Pulp."""
