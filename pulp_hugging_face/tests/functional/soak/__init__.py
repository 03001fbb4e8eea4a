"""
The soak: random reads while the upstream goes through all that can happen to it.

`ledger` knows what was true when, `life` lets the fixture Hub move and fall ill, `reads` asks,
`verdict` judges each answer afterwards.
"""
