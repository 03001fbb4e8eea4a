"""
Settings of the plugin, read through `django.conf.settings`.

Each has a default, a unit and a sentence; docs/user/reference/configuration.md lists them.
"""

# Seconds after which the batch of refs and commits pulled through a distribution is added to its
# repository in one task, counted from the first of them.
HUGGING_FACE_PULL_THROUGH_BATCH_SECONDS = 10

# Seconds a request waits for the upstream's word about a ref when an older answer is known.
HUGGING_FACE_REVALIDATE_SECONDS = 4

# Seconds a definite refusal of the upstream (no such repository, gated, …) is remembered.
HUGGING_FACE_REFUSAL_TTL = 10

# Seconds a changed distribution, remote or guard may stay unnoticed where LISTEN/NOTIFY fails.
HUGGING_FACE_DISTRIBUTION_TTL = 3

# Directories and commits kept in memory by each content process (number of pages).
HUGGING_FACE_TREE_CACHE_PAGES = 512
