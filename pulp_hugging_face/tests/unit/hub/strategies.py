"""Hypothesis strategies of names and entries that a Hub can hold."""

from hypothesis import strategies as st

from pulp_hugging_face.hub.manifest import Entry, Lfs
from pulp_hugging_face.hub.names import RepoId, RepoType

_HEX = "0123456789abcdef"
_ALNUM = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

shas = st.text(_HEX, min_size=40, max_size=40)
digests = st.text(_HEX, min_size=64, max_size=64)

# Anything git can hold: no NUL, no slash, not "." or "..", and text that UTF-8 can write.
file_names = (
    st.text(st.characters(blacklist_characters="\0/", blacklist_categories=["Cs"]), min_size=1)
    .filter(lambda name: name not in (".", ".."))
    .map(lambda name: name[:60])
)
odd_names = st.sampled_from(
    ["a b", "#1", "what?", "%41", "%2F", "100%", "é", "e\u0301", "日本語", "a+b&c=d;e", '"q"',
     "\\", "a\nb", "😀", "resolve", "tree", "main", "~", "..a", "a..", "...", "HEAD", "{}[]"]
)  # fmt: skip
names = st.one_of(odd_names, file_names).filter(lambda name: name not in (".", ".."))
paths = st.lists(names, min_size=1, max_size=4).map("/".join)

_part = st.text(_ALNUM, min_size=1, max_size=12)
_id_part = st.lists(_part, min_size=1, max_size=3).flatmap(
    lambda parts: st.sampled_from(["-", "_", "."]).map(lambda sign: sign.join(parts))
)
id_parts = _id_part.filter(lambda part: not part.endswith(".git") and len(part) <= 96)
repo_ids = st.one_of(
    st.tuples(id_parts, id_parts).map("/".join).filter(lambda text: len(text) <= 96), id_parts
)
repos = st.builds(RepoId, st.sampled_from(RepoType), repo_ids)

_branch_sign = st.characters(
    whitelist_categories=["Ll", "Lu", "Nd"], whitelist_characters="._-+#%@=,;!'()&$ "
)
_branch_part = st.text(_branch_sign, min_size=1, max_size=15)
branches = (
    st.lists(_branch_part, min_size=1, max_size=3)
    .map("/".join)
    .filter(
        lambda name: (
            ".." not in name
            and not name.startswith("-")
            and not name.endswith(".lock")
            and name != "HEAD"
        )
    )
)
revisions = st.one_of(
    branches,
    shas,
    st.integers(1, 99999).map("refs/pr/{}".format),
    _part.map("refs/convert/{}".format),
)


@st.composite
def file_entries(draw: st.DrawFn, path: st.SearchStrategy[str] = names) -> Entry:
    """A regular or LFS file."""
    size = draw(st.integers(0, 2**50))
    lfs = None
    if draw(st.booleans()):
        lfs = Lfs(draw(digests), size, draw(st.integers(100, 200)))
    return Entry(draw(path), draw(shas), size, lfs)


directory_entries = st.builds(lambda name, oid: Entry(name, oid, is_dir=True), names, shas)
directories = st.lists(
    st.one_of(file_entries(), directory_entries), max_size=20, unique_by=lambda entry: entry.path
)
