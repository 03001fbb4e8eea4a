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

# Seconds for which the upstream's word that a caller (or the remote's own token) may have a private
# or gated repository is taken; then it is asked again. Also how often, at most, it is asked behind
# the answer whether it still shows a repository that clients ask for by full commit id.
HUGGING_FACE_GRANT_TTL = 60

# Seconds for which that word counts while the upstream cannot be asked; then the caller is refused.
HUGGING_FACE_GRANT_MAX_AGE = 7 * 24 * 3600

# Seconds a changed distribution, remote or guard may stay unnoticed where LISTEN/NOTIFY fails.
HUGGING_FACE_DISTRIBUTION_TTL = 3

# Entries of directory listings kept in memory by each content process; about 0.5 KB each.
HUGGING_FACE_TREE_CACHE_ENTRIES = 200_000

# Reverse proxies whose word about host, scheme and path prefix of a request is taken: IP addresses,
# networks in CIDR notation, and "unix" for whoever comes by a Unix socket. Nobody by default.
HUGGING_FACE_TRUSTED_PROXIES = []

# Bytes of passed-through answers (lists, searches, commit lists; compressed) kept for each remote.
HUGGING_FACE_API_CACHE_BYTES = 256 * 1024 * 1024

# Seconds a passed-through answer is kept to be served while the upstream cannot be reached.
HUGGING_FACE_API_CACHE_MAX_AGE = 30 * 24 * 3600

# Distribution that also answers at the root of the content app, for clients that lose the path of
# HF_ENDPOINT: its base path, with the domain before it where domains are on ("default/hub").
HUGGING_FACE_ROOT_DISTRIBUTION = None

# Bytes that files on their way from the Hub may take in WORKING_DIRECTORY; None: as the disk has.
HUGGING_FACE_FILL_QUOTA_BYTES = None

# Seconds after which a file that was fetched in part, and that nobody wanted since, is removed.
HUGGING_FACE_FILL_MAX_AGE = 24 * 3600
