"""
Everything a client can ask for under an endpoint, and who answers it: one table.

docs/user/reference/protocol.md is made from it, and tests ask every example of it. Words in braces
are explained on that page; `{sha}` in an example stands for the commit of `org/repo`.
"""

from . import routes
from .operations import EVERY, READS, WRITES, Group, Operation, Who

FILES = (
    Operation(
        Group.FILES, READS, ("/{repo}/resolve/{revision}/{path}",), (routes.Resolve,),
        (
            "/org/repo/resolve/main/config.json",
            "/org/repo/resolve/{sha}/model.safetensors",
            "/org/repo/resolve/refs%2Fpr%2F1/sub%20dir/pr.txt",
            "/org/repo/resolve/refs/pr/1/sub%20dir/pr.txt",
            "/datasets/org/ds/resolve/main/data/train.csv",
            "/spaces/org/space/resolve/main/README.md",
            "/kernels/kernels-org/activation/resolve/main/README.md",
            "/solo/resolve/main/config.json",
            "//org/repo//resolve/main/config.json",
        ),
        Who.STORE, "§1.1 to §1.5",
        "every client",
        "Fetched once, compared with the Hub's digest, kept (not with the policy `streamed`). "
        "HEAD costs no bytes. One range at a time (206, 416); `If-None-Match` (304). No Xet.",
    ),
    Operation(
        Group.FILES, READS, ("/{repo}/raw/{revision}/{path}",), (routes.Raw,),
        ("/org/repo/raw/main/config.json", "/org/repo/raw/main/model.safetensors"),
        Who.STORE, "§1.1",
        "JavaScript `fileExists`, browsers",
        "As git has it: for an LFS file its pointer.",
    ),
    Operation(
        Group.FILES, READS, ("/api/resolve-cache/{type}/{repo}/{sha}/{path}",), (routes.Resolve,),
        ("/api/resolve-cache/models/org/repo/{sha}/config.json",),
        Who.STORE, "§1.6",
        "clients that the Hub itself sent there",
        "The same as `resolve` with a full commit id.",
    ),
    Operation(
        Group.FILES, READS, ("/buckets/{namespace}/{name}/resolve/{path}",), (routes.BucketFile,),
        ("/buckets/org/store/resolve/notes.txt", "/buckets/org/store/resolve/logs%2Fdeep%2Fc.txt"),
        Who.RELAYED, "§1.1",
        "`HfFileSystem` of 2.x",
        "A bucket has neither commits nor digests by which a file could be kept.",
    ),
    Operation(
        Group.FILES, READS, ("/{old-name}/…", "/api/{type}/{old-name}/…"),
        (routes.Resolve, routes.Info, routes.TreeListing),
        (
            "/gpt2/resolve/main/config.json",
            "/api/models/gpt2",
            "/api/models/gpt2/tree/main?recursive=true",
        ),
        Who.STORE, "§1.2, rule 4",
        "every client",
        "Renamed repositories and ids without a namespace: a redirect to the present name.",
        status=307,
    ),
)  # fmt: skip

REPOSITORIES = (
    Operation(
        Group.REPOSITORIES, READS, ("/api/{type}/{repo}[/revision/{revision}]",), (routes.Info,),
        (
            "/api/models/org/repo",
            "/api/models/org/repo/revision/dev?blobs=true",
            "/api/models/org/repo/revision/refs%2Fpr%2F1",
            "/api/models/org/repo?expand=sha&expand[]=siblings",
            "/api/models/org/repo?securityStatus=True",
            "/api/models/org/repo?expand=trendingScore",
            "/api/datasets/org/ds/revision/main",
            "/api/spaces/org/space",
            "/api/kernels/kernels-org/activation",
        ),
        Who.STORE, "§2.3, §2.4",
        "`model_info` and others, `snapshot_download`, `from_pretrained`, `load_dataset`",
        "`blobs`, `expand` and `securityStatus` count, other parameters do not matter. What only "
        "the Hub knows (a scan's state, a trend) is asked of it and left out while it is down. No "
        "`siblings` above 50,000 files.",
    ),
    Operation(
        Group.REPOSITORIES, READS, ("/api/{type}/{repo}/tree/{revision}[/{path}]",),
        (routes.TreeListing,),
        (
            "/api/models/org/repo/tree/main",
            "/api/models/org/repo/tree/main/sub%20dir",
            "/api/models/org/repo/tree/refs/pr/1?recursive=true",
            "/api/models/org/many/tree/main?recursive=true&limit=100",
            "/api/datasets/org/ds/tree/main/data",
        ),
        Who.STORE, "§2.3, §2.5",
        "`list_repo_tree`, `snapshot_download`, `HfFileSystem`, llama.cpp",
        "`recursive`, `limit`, `cursor`. 1,000 entries a page, then a `Link` on your endpoint. A "
        "directory that is not there: 404 `EntryNotFound`.",
    ),
    Operation(
        Group.REPOSITORIES, READS, ("/api/{type}/{repo}/tree/{revision}[/{path}]?expand=true",),
        (routes.TreeListing,),
        ("/api/models/org/repo/tree/main?expand=true",
         "/api/models/org/many/tree/main?recursive=true&expand=True&limit=7"),
        Who.STORE, "§2.3, §2.4",
        "`list_repo_tree(expand=True)`, `HfFileSystem(…, expand_info=True)`",
        "With last commits and scan results, which the Hub is asked for once an hour and page. "
        "Without them while it is down and did not say before.",
    ),
    Operation(
        Group.REPOSITORIES, ("POST",), ("/api/{type}/{repo}/paths-info/{revision}",),
        (routes.PathsInfo,),
        ("/api/models/org/repo/paths-info/main", "/api/models/org/repo/paths-info/refs%2Fpr%2F1"),
        Who.STORE, "§2.3",
        "`get_paths_info`, `HfFileSystem.info`, JavaScript `pathsInfo`",
        "Body: form or JSON, up to 2,000 paths. Unknown paths are left out. `expand` as above.",
        body='{"paths": ["config.json", "sub dir", "nope"]}',
    ),
    Operation(
        Group.REPOSITORIES, READS, ("/api/{type}/{repo}/refs",), (routes.Refs,),
        ("/api/models/org/repo/refs", "/api/models/org/repo/refs?include_prs=1"),
        Who.STORE, "§2.3",
        "`list_repo_refs`, llama.cpp",
        "Branches, tags, converted data; pull requests with `include_prs`.",
    ),
    Operation(
        Group.REPOSITORIES, READS, ("/api/{type}/{repo}/commits/{revision}",), (routes.Commits,),
        ("/api/models/org/repo/commits/main",
         "/api/models/org/history/commits/main?limit=1&p=2"),
        Who.STORE, "§2.3",
        "`list_repo_commits`, JavaScript `listCommits`, `countCommits`",
        "The history of a commit never changes: each page is asked of the Hub once.",
    ),
    Operation(
        Group.REPOSITORIES, READS, ("/api/{type}/{repo}/auth-check",), (routes.AuthCheck,),
        ("/api/models/org/repo/auth-check", "/api/datasets/org/ds/auth-check"),
        Who.STORE, "§2.3",
        "`auth_check`",
        "Whether you may have the files: 200, or the refusal that they would be answered with.",
    ),
    Operation(
        Group.REPOSITORIES, READS, ("/api/{type}/{repo}/auth-check/write",), (routes.AuthCheck,),
        ("/api/models/org/repo/auth-check/write",),
        Who.STORE, "§2.3",
        "`auth_check(write=True)`",
        "Nobody may write here.",
        status=403, code="ReadOnly",
    ),
)  # fmt: skip

HUB = (
    Operation(
        Group.HUB, READS, ("/api/models", "/api/datasets", "/api/spaces"), (routes.ListRepos,),
        (
            "/api/models?search=repo&limit=3",
            "/api/datasets?author=org&full=True",
            "/api/spaces?filter=gradio&sort=likes&direction=-1",
        ),
        Who.PASSED, "§2.3, §2.5",
        "`list_models`, `hf models ls`, JavaScript `listModels`",
        "Every parameter of the Hub, and its pages.",
    ),
    Operation(
        Group.HUB, READS, ("/api/{type}-tags-by-type", "/api/spaces/semantic-search"),
        (routes.PassThrough,),
        ("/api/models-tags-by-type", "/api/datasets-tags-by-type",
         "/api/spaces/semantic-search?q=picture"),
        Who.PASSED, "§2.3",
        "`get_model_tags`, `hf spaces search`",
    ),
    Operation(
        Group.HUB, READS,
        ("/api/{type}/{repo}/{about}[/…]",),
        (routes.PassThrough,),
        (
            "/api/datasets/org/tables/parquet/default/train",
            "/api/models/org/mixture/discussions",
            "/api/models/org/mixture/safetensors-metadata/"
            "text%20encoder%2Fmodel.safetensors.index.json",
            "/api/models/org/repo/likers",
            "/api/models/org/repo/treesize/main",
        ),
        Who.PASSED, "§2.3",
        "`get_repo_discussions`, `get_sharded_safetensors_metadata`, pandas on converted data",
        "`parquet`, `discussions`, `safetensors-metadata`, `likers`, `treesize`, `compare`, "
        "`scan` and others.",
    ),
    Operation(
        Group.HUB, READS, ("/api/datasets/{repo}/parquet/{config}/{split}/{n}.parquet",),
        (routes.PassThrough,),
        ("/api/datasets/org/tables/parquet/default/train/0.parquet",),
        Who.PASSED, "§2.3",
        "pandas, DuckDB, polars",
        "A redirect to `resolve/refs%2Fconvert%2Fparquet/…` on your endpoint, which is served "
        "from store.",
        status=302,
    ),
    Operation(
        Group.HUB, READS, ("/api/buckets/{namespace}[/{name}[/tree[/{path}]]]",),
        (routes.PassThrough,),
        ("/api/buckets/org", "/api/buckets/org/store", "/api/buckets/org/store/tree"),
        Who.PASSED, "§2.3",
        "`hf buckets ls`, `HfFileSystem` of 2.x",
        "Reading only, see [what clients cannot do](#what-clients-cannot-do).",
    ),
    Operation(
        Group.HUB, ("POST",), ("/api/buckets/{namespace}/{name}/paths-info",),
        (routes.BucketPaths,),
        ("/api/buckets/org/store/paths-info",),
        Who.PASSED, "§2.3",
        "`HfApi` and `HfFileSystem` of 2.x",
        body='{"paths": ["notes.txt"]}',
    ),
    Operation(
        Group.HUB, READS, ("/api/whoami-v2",), (routes.WhoAmI,),
        ("/api/whoami-v2",),
        Who.PASSED, "§2.3",
        "`hf auth login`, `hf auth whoami`",
        "Asked of the Hub with your own token, never with the remote's; kept for 60 s. 401 "
        "without a token.",
        with_token=True,
    ),
    Operation(
        Group.HUB, READS, ("any other read below /api", "/papers/{id}.md"), (routes.PassThrough,),
        (
            "/api/daily_papers",
            "/api/papers/search?q=tiny",
            "/api/tasks",
            "/api/trending",
            "/api/quicksearch?q=repo",
            "/api/collections",
            "/papers/2401.00001.md",
        ),
        Who.PASSED, "§2.3",
        "`list_collections`, `hf papers`, `InferenceClient`, scripts",
        "Asked with your own token, or without one where the remote's serves everybody: what "
        "belongs to the owner of that token stays theirs.",
    ),
)  # fmt: skip

CLIENTS = (
    Operation(
        Group.CLIENTS, READS, ("/",), (routes.Home,), ("", "/"), Who.HERE, "§6",
        "people",
        "The value for `HF_ENDPOINT`, as JSON.",
    ),
    Operation(
        Group.CLIENTS, READS, ("/api/agent-harnesses",), (routes.AgentHarnesses,),
        ("/api/agent-harnesses",), Who.HERE, "§2.3",
        "the first call of every process from 1.19 on",
        "An empty list.",
    ),
    Operation(
        Group.CLIENTS, (*READS, "POST"), ("/api/telemetry/{topic}",), (routes.Telemetry,),
        ("/api/telemetry/some/topic",), Who.HERE, "§2.3",
        "`send_telemetry`",
        "Taken and dropped. Nothing of it leaves the house.",
    ),
    Operation(
        Group.CLIENTS, ("POST",), ("/api/validate-yaml",), (routes.ValidateYaml,),
        ("/api/validate-yaml",), Who.HERE, "§2.3",
        "every commit with a README",
        "No errors and no warnings: the upload that follows is refused in clear words.",
        body='{"content": "---\\nlicense: mit\\n---\\n", "repoType": "model"}',
    ),
)  # fmt: skip

_UPLOAD = 'Upload with `HF_ENDPOINT` unset, or `HfApi(endpoint="https://huggingface.co")`.'
# Routes on which something that would write is told that it is a write.
_WRITABLE = (
    routes.PassThrough, routes.Info, routes.TreeListing, routes.Refs, routes.Commits,
    routes.AuthCheck, routes.Credentials, routes.ListRepos, routes.WhoAmI, routes.AgentHarnesses,
    routes.Git,
)  # fmt: skip
_POSTED = (routes.PathsInfo, routes.BucketPaths, routes.ValidateYaml)
_POSTED_EXAMPLES = (
    "/api/models/org/repo/paths-info/main", "/api/buckets/org/store/paths-info",
    "/api/validate-yaml",
)  # fmt: skip
REFUSED = (
    Operation(
        Group.REFUSED, WRITES, ("whatever would write below /api, or by git",), _WRITABLE,
        (
            "/api/repos/create",
            "/api/models/org/repo/commit/main",
            "/api/models/org/repo",
            "/api/models/org/repo/tree/main",
            "/api/models/org/repo/refs",
            "/api/models/org/repo/commits/main",
            "/api/models/org/repo/auth-check",
            "/api/models/org/repo/xet-write-token/main",
            "/api/models",
            "/api/whoami-v2",
            "/api/agent-harnesses",
            "/org/repo.git/info/lfs/objects/batch",
        ),
        Who.REFUSED, "§3",
        "`upload_file`, `hf upload`, `create_repo`, `push_to_hub`, `git push`",
        "A POST to `paths-info`, `telemetry` and `validate-yaml` is no write, see above.",
        _UPLOAD,
        status=403, code="ReadOnly",
    ),
    Operation(
        Group.REFUSED, ("PUT", "PATCH", "DELETE"), ("/api/…/paths-info[/…]", "/api/validate-yaml"),
        _POSTED, _POSTED_EXAMPLES,
        Who.REFUSED, "§3",
        "nobody",
        instead="Nothing is written here.",
        status=403, code="ReadOnly",
    ),
    Operation(
        Group.REFUSED, READS, ("/api/…/paths-info[/…]", "/api/validate-yaml"),
        _POSTED, _POSTED_EXAMPLES,
        Who.REFUSED, "§2.3",
        "nobody",
        instead="These want a POST, as on the Hub.",
        status=405, code="NotSupported",
    ),
    Operation(
        Group.REFUSED, WRITES, ("whatever would write anywhere else",),
        (routes.Resolve, routes.Raw, routes.BucketFile, routes.Home, routes.Unknown),
        ("/org/repo/resolve/main/config.json", "/org/repo/raw/main/config.json",
         "/buckets/org/store/resolve/notes.txt", "", "/uploads", "/oauth/device", "/oauth/token"),
        Who.REFUSED, "§2.3, §3",
        "`hf auth login` without a token (2.x)",
        "The device flow of the login is a page of the Hub's, with its own cookies.",
        "`hf auth login --token hf_…`, or the variable `HF_TOKEN`.",
        status=405, code="NotSupported",
    ),
    Operation(
        Group.REFUSED, ("PUT", "PATCH", "DELETE"), ("/api/telemetry/{topic}",), (routes.Telemetry,),
        ("/api/telemetry/some/topic",),
        Who.REFUSED, "§2.3",
        "nobody",
        instead="GET, HEAD or POST.",
        status=405, code="NotSupported",
    ),
    Operation(
        Group.REFUSED, READS,
        ("/api/…/xet-read-token[/…]", "/api/…/xet-write-token[/…]", "/api/…/jwt"),
        (routes.Credentials,),
        ("/api/models/org/repo/xet-read-token/main", "/api/models/org/repo/xet-write-token/main",
         "/api/models/org/repo/jwt", "/api/buckets/org/store/xet-read-token"),
        Who.REFUSED, "§4.1, §4.2",
        "Xet clients, if they were told of Xet, which they are not",
        "Such credentials would be the remote's own.",
        "Files come over HTTP.",
        status=404, code="NotSupported",
    ),
    Operation(
        Group.REFUSED, READS,
        ("/{repo}[.git]/info/refs", "/{repo}[.git]/info/lfs/…", "/{repo}[.git]/git-upload-pack"),
        (routes.Git,),
        ("/org/repo/info/refs?service=git-upload-pack",
         "/org/repo.git/info/refs?service=git-upload-pack", "/datasets/org/ds/info/lfs/locks"),
        Who.REFUSED, "§6",
        "`git clone`, `git lfs`, the class `Repository` of 0.x",
        instead="`hf download {repo} --local-dir {folder}`, see [git](../clients/git.md).",
        status=403, code="NotSupported",
    ),
    Operation(
        Group.REFUSED, READS, ("anything else outside of /api",), (routes.Unknown,),
        ("/org/repo", "/docs", "/org/repo/blob/main/config.json", "/papers/2401.00001"),
        Who.REFUSED, "§2.3",
        "browsers",
        "The pages of the website are not here, nor is a model's card page.",
        "Read them on the Hub. A card: `/{repo}/resolve/main/README.md`.",
        status=404, code="EntryNotFound",
    ),
)  # fmt: skip

ANY = (
    Operation(
        Group.CLIENTS, ("OPTIONS",), ("a browser's question whether it may ask",), EVERY,
        ("/org/repo/resolve/main/config.json", "/api/models/org/repo/paths-info/main", "/x"),
        Who.HERE, "§1.3",
        "browsers",
        "Every page may ask, with a token of its own but without cookies.",
        status=204,
    ),
)  # fmt: skip

OPERATIONS = (*FILES, *REPOSITORIES, *HUB, *CLIENTS, *ANY, *REFUSED)
