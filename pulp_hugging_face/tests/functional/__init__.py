"""
A real stack (`pulp-hf up`), the fixture Hub as its upstream, and real clients in subprocesses.

`stack` is started once and shared; `lone` is a second one that tests stop and kill. Tests take a
`cache` (a remote and a distribution), and declare repositories of their own (`fresh_repo`) where it
matters what was asked for before: blobs and directories are shared by the whole server. The
clients' venvs are built once and kept in `~/.cache/pulp_hugging_face/clients`.
"""
