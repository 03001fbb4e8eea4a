"""Real clients, each version in a venv of its own, run as if on machines of their own."""
