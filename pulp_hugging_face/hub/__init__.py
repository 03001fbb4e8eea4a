"""The Hub's protocol as values and pure functions: no framework, no input or output."""
