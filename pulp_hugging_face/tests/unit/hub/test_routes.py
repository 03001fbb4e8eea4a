"""The grammar of §1.1 and §2.3, on raw paths."""

from urllib.parse import urlsplit

import huggingface_hub
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulp_hugging_face.hub.names import InvalidName, RepoId, RepoType, quote_path, quote_revision
from pulp_hugging_face.hub.routes import (
    AgentHarnesses,
    AuthCheck,
    BucketFile,
    BucketPaths,
    Commits,
    Credentials,
    Git,
    Home,
    Info,
    ListRepos,
    PassThrough,
    PathsInfo,
    Raw,
    Refs,
    RepoRoute,
    Resolve,
    Route,
    Telemetry,
    TreeListing,
    Unknown,
    ValidateYaml,
    WhoAmI,
    parse,
)

from .strategies import paths, repos, revisions, shas

SHA = "0123456789abcdef0123456789abcdef01234567"
GPT2 = RepoId(RepoType.MODEL, "gpt2")
ORG = RepoId(RepoType.MODEL, "org/repo")
DATASET = RepoId(RepoType.DATASET, "org/repo")
SQUAD = RepoId(RepoType.DATASET, "squad")
SPACE = RepoId(RepoType.SPACE, "org/repo")


@pytest.mark.parametrize(
    ("raw", "route"),
    [
        ("/org/repo/resolve/main/config.json", Resolve(ORG, "main", "config.json")),
        ("/gpt2/resolve/main/config.json", Resolve(GPT2, "main", "config.json")),
        ("/datasets/squad/resolve/main/a/b", Resolve(SQUAD, "main", "a/b")),
        ("/datasets/org/repo/resolve/main/a/b", Resolve(DATASET, "main", "a/b")),
        ("/spaces/org/repo/resolve/main/app.py", Resolve(SPACE, "main", "app.py")),
        ("/org/repo/resolve/HEAD/x", Resolve(ORG, "main", "x")),
        (f"/org/repo/resolve/{SHA}/x", Resolve(ORG, SHA, "x")),
        ("/org/repo/resolve/refs%2Fpr%2F1/x", Resolve(ORG, "refs/pr/1", "x")),
        ("/org/repo/resolve/refs/pr/1/x", Resolve(ORG, "refs/pr/1", "x")),
        ("/org/repo/resolve/refs%2fconvert%2fparquet/x", Resolve(ORG, "refs/convert/parquet", "x")),
        ("/org/repo/resolve/refs/convert/parquet/a/b", Resolve(ORG, "refs/convert/parquet", "a/b")),
        ("/org/repo/resolve/refs%2Fheads%2Fdev/x", Resolve(ORG, "dev", "x")),
        ("/org/repo/resolve/feat%2Fx/y", Resolve(ORG, "feat/x", "y")),
        ("/org/repo/resolve/main/a%20b/%23%3F%2541.txt", Resolve(ORG, "main", "a b/#?%41.txt")),
        ("/org/repo/resolve/main/resolve/main/x", Resolve(ORG, "main", "resolve/main/x")),
        ("/org/repo/resolve/main/a%2Fb", Resolve(ORG, "main", "a/b")),
        ("//org//repo//resolve//main//x", Resolve(ORG, "main", "x")),
        ("/org/repo/resolve/main/x/", Resolve(ORG, "main", "x")),
        (f"/api/resolve-cache/models/org/repo/{SHA}/a/b", Resolve(ORG, SHA, "a/b")),
        (f"/api/resolve-cache/datasets/squad/{SHA}/a", Resolve(SQUAD, SHA, "a")),
    ],
)
def test_addresses_of_files(raw: str, route: Route) -> None:
    assert parse(raw) == route


@pytest.mark.parametrize(
    ("raw", "route"),
    [
        ("/api/models/gpt2", Info(GPT2)),
        ("/api/models/org/repo", Info(ORG)),
        ("/api/datasets/org/repo", Info(DATASET)),
        ("/api/spaces/org/repo/", Info(SPACE)),
        ("//api//models//org/repo", Info(ORG)),
        ("/api/models/org/repo/revision/main", Info(ORG, "main")),
        ("/api/models/org/repo/revision/HEAD", Info(ORG, "main")),
        ("/api/models/gpt2/revision/refs%2Fpr%2F3", Info(GPT2, "refs/pr/3")),
        ("/api/models/org/repo/revision/refs/pr/3", Info(ORG, "refs/pr/3")),
        ("/api/models/org/repo/tree/main", TreeListing(ORG, "main")),
        ("/api/models/gpt2/tree/main", TreeListing(GPT2, "main")),
        ("/api/models/gpt2/tree/refs/pr/1", TreeListing(GPT2, "refs/pr/1")),
        ("/api/models/gpt2/tree/refs/pr/1/a/b", TreeListing(GPT2, "refs/pr/1", "a/b")),
        ("/api/models/org/repo/tree/main/data%2Fen", TreeListing(ORG, "main", "data/en")),
        ("/api/models/org/repo/tree/main/data/en", TreeListing(ORG, "main", "data/en")),
        ("/api/models/org/repo/tree/feat%2Fx/tree", TreeListing(ORG, "feat/x", "tree")),
        ("/api/models/org/repo/paths-info/main", PathsInfo(ORG, "main")),
        ("/api/datasets/squad/paths-info/refs%2Fpr%2F1", PathsInfo(SQUAD, "refs/pr/1")),
        ("/api/models/org/repo/refs", Refs(ORG)),
        ("/api/models/gpt2/refs", Refs(GPT2)),
        ("/api/models/gpt2/xet-read-token/main", Credentials("xet-read-token")),
        (f"/api/datasets/org/repo/xet-write-token/{SHA}", Credentials("xet-write-token")),
        ("/api/models/org/repo/jwt", Credentials("jwt")),
        ("/api/models/org/repo/commits/main", Commits(ORG, "main")),
        ("/api/models/gpt2/commits/refs%2Fpr%2F1", Commits(GPT2, "refs/pr/1")),
        ("/api/models/org/repo/auth-check", AuthCheck(ORG)),
        ("/api/datasets/squad/auth-check/write", AuthCheck(SQUAD, write=True)),
        ("/api/models", ListRepos(RepoType.MODEL)),
        ("/api/spaces/", ListRepos(RepoType.SPACE)),
        ("/api/whoami-v2", WhoAmI()),
        ("/api/validate-yaml", ValidateYaml()),
        ("/api/agent-harnesses", AgentHarnesses()),
        ("/api/telemetry/hf_hub/snapshot_download", Telemetry()),
        ("", Home()),
        ("/", Home()),
        ("//", Home()),
    ],
)
def test_addresses_of_the_api(raw: str, route: Route) -> None:
    assert parse(raw) == route


@pytest.mark.parametrize(
    ("raw", "route"),
    [
        ("/api", PassThrough()),
        ("/api/daily_papers", PassThrough()),
        ("/papers/2401.00001.md", PassThrough()),
        ("/api/settings/webhooks", PassThrough()),
        ("/api/repos/create", PassThrough()),
        ("/api/models-tags-by-type", PassThrough(shared=True)),
        ("/api/buckets/org", PassThrough(shared=True)),
        ("/api/buckets/org/b", PassThrough(shared=True)),
        ("/api/buckets/org/b/tree/x", PassThrough(shared=True)),
        ("/api/buckets/org/b/settings", PassThrough()),
        ("/api/buckets/org/b/settings/tree", PassThrough()),
        ("/api/buckets/me", PassThrough()),
        ("/api/buckets/m%65", PassThrough()),
        ("/api/buckets/me/b/tree", PassThrough()),
        ("/api/buckets", PassThrough()),
        ("/api/buckets/org/b/paths-info", BucketPaths("org/b")),
        ("/api/buckets/org/b/xet-read-token", Credentials("xet-read-token")),
        ("/api/users/x/%6Awt", Credentials("jwt")),
        ("/api/spaces/semantic-search", PassThrough(shared=True)),
        ("/api/spaces/zero-gpu/quota", PassThrough()),
        ("/api/spaces/hardware", PassThrough()),
        ("/api/models/org/repo/tree", PassThrough(repo=ORG)),
        ("/api/models/org/repo/user-access-request/pending", PassThrough(repo=ORG)),
        ("/api/models/org/repo/discussions", PassThrough(shared=True, repo=ORG)),
        ("/api/models/gpt2/discussions/1", PassThrough(shared=True, repo=GPT2)),
        ("/api/datasets/squad/parquet/a/train", PassThrough(shared=True, repo=SQUAD)),
        ("/api/models/org/repo/revision/main/extra", PassThrough(shared=True, repo=ORG)),
        ("/api/models/org/repo/paths-info/main/extra", PassThrough(shared=True, repo=ORG)),
    ],
)
def test_other_addresses_below_api_are_passed_through(raw: str, route: Route) -> None:
    """With the remote's own token only where they show content of repositories."""
    assert parse(raw) == route


@pytest.mark.parametrize(
    "raw",
    [
        "/api/users/%2e%2e/settings",
        "/api/users/../settings",
        "/api/collections/a%2F..%2Fb",
        "/api/models/org/repo/discussions/%2E%2E/%2E%2E/jwt",
        "/api/papers/a%00b",
        "/api/./settings",
    ],
)
def test_addresses_that_lead_elsewhere_are_not_passed_through(raw: str) -> None:
    with pytest.raises(InvalidName):
        parse(raw)


@pytest.mark.parametrize(
    "raw",
    [
        "/org/repo",
        "/gpt2",
        "/org/repo/blob/main/x",
        "/a/b/c/resolve/x/y",
        "/org/repo/resolve/main",
        "/datasets",
        "/favicon.ico",
        "/papers/2401.00001",
        "/papers/x/y.md",
        "/buckets/org/b/x",
        "/buckets/org",
        "/api/resolve-cache",
        "/api/resolve-cache/models/org/repo/main/x",
        f"/api/resolve-cache/models/org/repo/{SHA}",
    ],
)
def test_addresses_that_are_no_file_are_unknown(raw: str) -> None:
    assert parse(raw) == Unknown()


@pytest.mark.parametrize(
    ("raw", "route"),
    [
        ("/org/repo/raw/main/config.json", Raw(ORG, "main", "config.json")),
        ("/datasets/squad/raw/refs%2Fpr%2F1/a/b", Raw(SQUAD, "refs/pr/1", "a/b")),
        ("/gpt2/raw/main/resolve/main/x", Raw(GPT2, "main", "resolve/main/x")),
        ("/buckets/org/b/resolve/a/b%20c.bin", BucketFile("org/b", "a/b c.bin")),
        ("/buckets/org/b/resolve/a%2Fb.bin", BucketFile("org/b", "a/b.bin")),
        ("/org/repo.git/info/refs", Git()),
        ("/datasets/org/repo/info/refs", Git()),
        ("/gpt2/git-upload-pack", Git()),
        ("/org/repo.git/info/lfs/objects/batch", Git()),
        ("/org/repo/resolve/main/info/refs", Resolve(ORG, "main", "info/refs")),
    ],
)
def test_other_addresses_of_files(raw: str, route: Route) -> None:
    assert parse(raw) == route


def named(name: str) -> RepoId:
    return RepoId(RepoType.MODEL, f"org/{name}")


VERBS = ["logs", "tree", "revision", "commits", "events", "settings", "statistics", "treesize"]


@pytest.mark.parametrize("name", VERBS)
def test_a_repository_may_be_called_as_a_verb_that_needs_more(name: str) -> None:
    assert parse(f"/api/models/org/{name}") == Info(named(name))
    assert parse(f"/api/datasets/org/{name}/") == Info(RepoId(RepoType.DATASET, f"org/{name}"))


@pytest.mark.parametrize("name", [*VERBS, "refs", "parquet", "discussions", "jwt"])
def test_with_a_verb_behind_it_any_name_is_one(name: str) -> None:
    assert parse(f"/api/models/org/{name}/revision/main") == Info(named(name), "main")
    assert parse(f"/api/models/org/{name}/tree/main/a") == TreeListing(named(name), "main", "a")
    assert parse(f"/api/models/org/{name}/refs") == Refs(named(name))


@pytest.mark.parametrize(
    ("raw", "route"),
    [
        ("/api/models/gpt2/refs", Refs(GPT2)),
        ("/api/models/gpt2/auth-check", AuthCheck(GPT2)),
        ("/api/models/gpt2/discussions", PassThrough(shared=True, repo=GPT2)),
        ("/api/models/gpt2/likers", PassThrough(shared=True, repo=GPT2)),
        ("/api/models/gpt2/scan", PassThrough(shared=True, repo=GPT2)),
        ("/api/datasets/squad/parquet", PassThrough(shared=True, repo=SQUAD)),
        ("/api/datasets/squad/croissant", PassThrough(shared=True, repo=SQUAD)),
        ("/api/models/gpt2/jwt", Credentials("jwt")),
        ("/api/models/gpt2/xet-read-token", Credentials("xet-read-token")),
    ],
)
def test_verbs_that_stand_alone_are_those_of_a_legacy_id(raw: str, route: Route) -> None:
    assert parse(raw) == route


@pytest.mark.parametrize(
    ("raw", "route"),
    [
        ("/org/raw/resolve/main/a.txt", Resolve(named("raw"), "main", "a.txt")),
        ("/org/raw/raw/main/a.txt", Raw(named("raw"), "main", "a.txt")),
        ("/org/resolve/resolve/main/a.txt", Resolve(named("resolve"), "main", "a.txt")),
        ("/org/raw/resolve/refs/pr/1/a.txt", Resolve(named("raw"), "refs/pr/1", "a.txt")),
        ("/gpt2/resolve/raw/main/a.txt", Resolve(GPT2, "raw", "main/a.txt")),
        # Only one reading leaves a path.
        ("/gpt2/raw/resolve/a.txt", Raw(GPT2, "resolve", "a.txt")),
        ("/gpt2/resolve/raw/a.txt", Resolve(GPT2, "raw", "a.txt")),
        ("/gpt2/resolve/resolve/a.txt", Resolve(GPT2, "resolve", "a.txt")),
        ("/datasets/squad/raw/main/resolve/x", Raw(SQUAD, "main", "resolve/x")),
    ],
)
def test_the_literal_resolve_decides_where_names_are_markers(raw: str, route: Route) -> None:
    assert parse(raw) == route


def test_a_file_of_a_legacy_id_under_the_api_form_is_a_repository() -> None:
    """0.x clients ask for `/api/models/gpt2/config.json` first; RepoNotFound answers it (§1.1)."""
    assert parse("/api/models/gpt2/config.json") == Info(RepoId(RepoType.MODEL, "gpt2/config.json"))


@pytest.mark.parametrize(
    "raw",
    [
        "/org/repo/resolve/main/..%2F..%2Fetc",
        "/org/repo/resolve/main/../x",
        "/org/../resolve/main/x",
        "/org/repo/resolve/main/a%00b",
        "/org/repo/resolve/main/%FF",
        "/org/repo/resolve/%FF/x",
        "/org/repo/resolve/..%2F..%2Fadmin/x",
        "/a%2Fb/c/resolve/main/x",
        "/%00/resolve/main/x",
        "/org/repo%0A/resolve/main/x",
        "/org/repo%0d%0aX:y/resolve/main/x",
        "/org/repo/resolve/",
        "/api/models/..%2Fsecret/tree/main",
        "/api/models/org/repo/tree/main/..%2Fx",
        "/api/models/org%2Frepo/x/revision/main",
        "/api/models/org/repo/revision/a%0Ab",
        "/org/r%C3%A9po/resolve/main/x",
    ],
)
def test_impossible_names_are_refused(raw: str) -> None:
    with pytest.raises(InvalidName):
        parse(raw)


@given(repos, revisions.filter(lambda name: name != "refs"), paths)
def test_every_url_of_the_python_client_parses_back(repo: RepoId, revision: str, path: str) -> None:
    url = huggingface_hub.hf_hub_url(
        repo.id, path, repo_type=repo.type.value, revision=revision, endpoint="http://hub.test"
    )
    assert "?" not in url and "#" not in url
    assert parse(urlsplit(url).path) == Resolve(repo, revision, path)


@given(repos, revisions.filter(lambda name: name != "refs"), paths)
def test_every_listing_of_the_python_client_parses_back(
    repo: RepoId, revision: str, path: str
) -> None:
    """`list_repo_tree` quotes the inner slashes of the path too."""
    base = f"/{repo.api_path}/tree/{quote_revision(revision)}"
    assert parse(base) == TreeListing(repo, revision)
    assert parse(f"{base}/{quote_revision(path)}") == TreeListing(repo, revision, path)
    assert parse(f"{base}/{quote_path(path)}") == TreeListing(repo, revision, path)


@given(repos, revisions)
def test_every_question_about_a_revision_parses_back(repo: RepoId, revision: str) -> None:
    quoted = quote_revision(revision)
    assert parse(f"/{repo.api_path}/revision/{quoted}") == Info(repo, revision)
    assert parse(f"/{repo.api_path}/paths-info/{quoted}") == PathsInfo(repo, revision)


@given(repos, shas, paths)
def test_commit_pinned_hops_parse_back(repo: RepoId, sha: str, path: str) -> None:
    raw = f"/api/resolve-cache/{repo.type.plural}/{repo.id}/{sha}/{quote_path(path)}"
    assert parse(raw) == Resolve(repo, sha, path)


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=60))
def test_any_raw_path_is_a_route_or_an_invalid_name(raw: str) -> None:
    try:
        route = parse("/" + raw)
    except InvalidName:
        return
    if isinstance(route, RepoRoute):
        assert RepoId.parse(route.repo.type, route.repo.id) == route.repo
    if isinstance(route, Resolve):
        assert route.path and ".." not in route.path.split("/")
