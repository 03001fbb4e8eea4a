"""
Benchmarks: this server beside nginx and Olah, in one run on one machine.

`make bench` (or `python -m benchmarks`) measures, `python -m benchmarks.report` writes a result
into docs/user/reference/performance.md, `python -m benchmarks.profile` shows where the time goes.
"""
