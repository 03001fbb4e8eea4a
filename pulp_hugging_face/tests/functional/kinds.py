"""
Every kind of answer once: what is asked, of which cache, in which weather.

`test_golden_headers.py` compares each with its file, `test_workers_agree.py` asks every worker.
Words in braces in targets, golden files and bodies are values of the `Place`: names and digests as
the fixture Hub has them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pulp_hugging_face.tests.hub import (
    NOBODY_TOKEN,
    OWNER_TOKEN,
    CommitSpec,
    FixtureHub,
    Generated,
    RepoSpec,
    branch,
    commit,
    convert,
    pull_request,
    repo,
    tag,
)
from pulp_hugging_face.tests.hub.gitmodel import Lfs

from . import wire

ODD = "sub dir/é #1.txt"
COMMITS = 53  # more than a page of the Hub's


@dataclass(frozen=True)
class Kind:
    """
    A kind of answer: `name` is that of its golden file.

    `token` is the caller's. `cache` is "open" (no token of its own, the caller's decides),
    "entitled" (the remote has a token for all), or "doubting" (asks the upstream each time).
    """

    name: str
    target: str
    method: str = "GET"
    token: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    cache: str = "open"

    def ask(self, connection: "wire.Connection", place: "Place") -> wire.Reply:
        """Ask it over a connection to its cache."""
        headers = {name: place.filled(value) for name, value in self.headers.items()}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        return connection.ask(
            self.method, place.filled(self.target), headers, place.filled(self.body).encode()
        )


@dataclass(frozen=True)
class Place:
    """The repositories that all kinds are about, and what may stand in braces."""

    values: Mapping[str, str]

    def filled(self, text: str) -> str:
        """Return a text with values for the words in braces."""
        return re.sub(r"\{(\w+)\}", lambda match: self.values.get(match[1], match[0]), text)

    def at(self, url: str) -> "Place":
        """Return the place as seen from an endpoint."""
        path = "/" + url.partition("://")[2].partition("/")[2]
        return replace(self, values={**self.values, "endpoint": url, "prefix": path})


def declare_place(hub: FixtureHub, space: str, seed: int) -> Place:
    """Declare the repositories in a namespace, and with bytes, that are nobody else's."""
    names = {
        "space": space,
        "repo": f"{space}/model",
        "older_id": f"{space}/older-name",
        "legacy_id": f"legacy-{space}",
        "gated": f"{space}/gated",
        "private": f"{space}/private",
        "disabled": f"{space}/disabled",
        "dataset": f"{space}/dataset",
        "bucket": f"{space}/bucket",
    }
    hub.declare(_model(names, seed), *_closed(names), _dataset(names), _bucket(names, seed))
    return Place({**names, **_truth(hub, names["repo"]), **_truth_of_closed(hub, names["gated"])})


def _model(names: Mapping[str, str], seed: int) -> RepoSpec:
    files = {
        "README.md": f"---\nlicense: mit\n---\n# {names['space']}\n",
        "config.json": f'{{"model_type": "{names["space"]}"}}\n',
        "model.safetensors": Generated(70_003, seed),
        "empty.txt": "",
        ODD: "odd\n",
        **{f"many/{n}.txt": f"{n}\n" for n in range(4)},
    }
    more = (commit(f"Step {n}", {"log.txt": f"step {n}\n"}) for n in range(COMMITS - 1))
    return RepoSpec(
        names["repo"],
        commits=(commit("Upload", files), *more),
        refs=(branch("dev"), tag("v1"), pull_request(1, commit("Propose", {"pr.txt": "pr\n"}))),
        aliases=(names["older_id"], names["legacy_id"]),
    )


def _closed(names: Mapping[str, str]) -> tuple[RepoSpec, ...]:
    files = {"config.json": '{"model_type": "not for everybody"}\n'}
    return (
        repo(names["gated"], files, gated="manual"),
        repo(names["private"], files, private=True),
        repo(names["disabled"], files, disabled=True),
    )


def _dataset(names: Mapping[str, str]) -> RepoSpec:
    files = {"data/train.csv": "a\n1\n"}
    parquet = convert("parquet", CommitSpec("Convert"), commit("Add", {_SHARD: Generated(900, 7)}))
    return repo(names["dataset"], files, type="dataset", refs=(parquet,))


def _bucket(names: Mapping[str, str], seed: int) -> RepoSpec:
    files = {"notes.txt": "small\n", "large.bin": Generated(70_003, seed + 1)}
    return repo(names["bucket"], files, type="bucket")


_SHARD = "default/train/0000.parquet"


def _truth(hub: FixtureHub, repo_id: str) -> dict[str, str]:
    files = hub.manifest(repo_id)
    config, weights, odd = files["config.json"], files["model.safetensors"], files[ODD]
    pointer = Lfs(weights.sha256, weights.size).pointer
    return {
        "sha": hub.sha(repo_id),
        "absent_sha": "f" * 40,
        "config_oid": config.oid,
        "config_size": str(config.size),
        "odd_oid": odd.oid,
        "odd_size": str(odd.size),
        "readme_oid": files["README.md"].oid,
        "empty_oid": files["empty.txt"].oid,
        "weights_sha256": weights.sha256,
        "weights_size": str(weights.size),
        "weights_last": str(weights.size - 1),
        "pointer_oid": weights.oid,
        "pointer_size": str(len(pointer)),
        "pointer_last": str(len(pointer) - 1),
        "commits": str(COMMITS),
    }


def _truth_of_closed(hub: FixtureHub, repo_id: str) -> dict[str, str]:
    """Return what is true of all that not everybody may read: they hold the same."""
    config = hub.file(repo_id, "config.json")
    return {
        "closed_sha": hub.sha(repo_id),
        "closed_oid": config.oid,
        "closed_size": str(config.size),
    }


_CONFIG = "/{repo}/resolve/main/config.json"
_WEIGHTS = "/{repo}/resolve/main/model.safetensors"
_ODD = "/{repo}/resolve/main/sub%20dir/%C3%A9%20%231.txt"
_EMPTY = "/{repo}/resolve/main/empty.txt"
_API = "/api/models/{repo}"
_IN_BUCKET = "/buckets/{bucket}/resolve"


def _both(name: str, target: str, **fields: object) -> tuple[Kind, Kind]:
    get = Kind(name, target, **fields)  # type: ignore[arg-type]
    return get, replace(get, name=f"{name}-head", method="HEAD")


def _ranged(name: str, target: str, value: str, **headers: str) -> Kind:
    return Kind(name, target, headers={"Range": value, **headers})


FILES = (
    *_both("file", _CONFIG),
    *_both("file-odd-name", _ODD),
    *_both("file-empty", _EMPTY),
    *_both("lfs", _WEIGHTS),
    Kind("lfs-by-sha", "/{repo}/resolve/{sha}/model.safetensors"),
    Kind("lfs-resolve-cache", "/api/resolve-cache/models/{repo}/{sha}/model.safetensors"),
    *_both("raw", "/{repo}/raw/main/config.json"),
    *_both("raw-empty", "/{repo}/raw/main/empty.txt"),
    *_both("raw-lfs", "/{repo}/raw/main/model.safetensors"),
    _ranged("raw-lfs-range", "/{repo}/raw/main/model.safetensors", "bytes=0-9"),
    _ranged("file-range", _CONFIG, "bytes=2-5"),
    _ranged("lfs-range", _WEIGHTS, "bytes=100-299"),
    _ranged("lfs-range-suffix", _WEIGHTS, "bytes=-3"),
    _ranged("lfs-range-clamped", _WEIGHTS, "bytes=70000-99999999"),
    _ranged("lfs-range-behind-the-end", _WEIGHTS, "bytes={weights_size}-"),
    _ranged("file-empty-range", _EMPTY, "bytes=0-0"),
    _ranged("lfs-range-of-another-version", _WEIGHTS, "bytes=0-9", **{"If-Range": '"other"'}),
    Kind("file-not-modified", _CONFIG, headers={"If-None-Match": '"{config_oid}"'}),
    Kind("lfs-not-modified", _WEIGHTS, headers={"If-None-Match": 'W/"{weights_sha256}"'}),
    *_both("file-absent", "/{repo}/resolve/main/absent.txt"),
    Kind("file-absent-by-sha", "/{repo}/resolve/{sha}/absent.txt"),
    *_both("revision-absent", "/{repo}/resolve/absent/config.json"),
    Kind("commit-absent", "/{repo}/resolve/{absent_sha}/config.json"),
)  # fmt: skip

REFUSED = (
    *_both("repo-absent", "/{space}/absent/resolve/main/config.json"),
    Kind("repo-absent-info", "/api/models/{space}/absent"),
    Kind("repo-absent-with-token", "/{space}/absent/resolve/main/config.json", token=OWNER_TOKEN),
    Kind("repo-absent-entitled", "/{space}/absent/resolve/main/x", cache="entitled"),
    Kind("private-to-anybody", "/{private}/resolve/main/config.json"),
    Kind("private-to-nobody", "/{private}/resolve/main/config.json", token=NOBODY_TOKEN),
    Kind("private-to-its-reader", "/{private}/resolve/main/config.json", token=OWNER_TOKEN),
    Kind("private-entitled", "/{private}/resolve/main/config.json", cache="entitled"),
    *_both("gated-to-anybody", "/{gated}/resolve/main/config.json"),
    Kind("gated-to-nobody", "/{gated}/resolve/main/config.json", token=NOBODY_TOKEN),
    Kind("gated-to-its-reader", "/{gated}/resolve/main/config.json", token=OWNER_TOKEN),
    Kind("disabled", "/{disabled}/resolve/main/config.json"),
    Kind("disabled-info", "/api/models/{disabled}"),
)  # fmt: skip

MOVED = (
    *_both("moved-file", "/{older_id}/resolve/main/sub%20dir/%C3%A9%20%231.txt?download=true"),
    Kind("moved-info", "/api/models/{older_id}?blobs=true"),
    Kind("moved-tree", "/api/models/{older_id}/tree/main?recursive=true&expand=false"),
    Kind("moved-paths-info", "/api/models/{older_id}/paths-info/main", "POST",
         headers={"Content-Type": "application/json"}, body='{"paths": ["config.json"]}'),
    Kind("moved-legacy-file", "/{legacy_id}/resolve/main/config.json"),
    Kind("moved-legacy-info", "/api/models/{legacy_id}/revision/main"),
)  # fmt: skip

API = (
    *_both("info", _API),
    Kind("info-of-revision", f"{_API}/revision/{{sha}}?blobs=true"),
    Kind("info-expanded", f"{_API}?expand=siblings&expand=sha&expand=downloadsAllTime"),
    Kind("info-with-security", f"{_API}?securityStatus=true"),
    Kind("tree", f"{_API}/tree/main?recursive=true"),
    Kind("tree-paged", f"{_API}/tree/main?recursive=true&limit=2"),
    Kind("tree-expanded", f"{_API}/tree/main?expand=true"),
    Kind("tree-expanded-paged", f"{_API}/tree/main?recursive=true&expand=true&limit=2"),
    Kind("tree-of-absent-directory", f"{_API}/tree/main/absent"),
    Kind("paths-info-form", f"{_API}/paths-info/main", "POST",
         headers={"Content-Type": "application/x-www-form-urlencoded"},
         body="paths=config.json&paths=absent&paths=many"),
    Kind("paths-info-expanded", f"{_API}/paths-info/main", "POST",
         headers={"Content-Type": "application/json"},
         body='{"paths": ["config.json"], "expand": true}'),
    Kind("paths-info-malformed", f"{_API}/paths-info/main", "POST",
         headers={"Content-Type": "application/json"}, body="{"),
    Kind("refs", f"{_API}/refs?include_prs=1"),
    *_both("commits", f"{_API}/commits/main"),
    Kind("commits-last-page", f"{_API}/commits/main?p=1"),
    Kind("auth-check", f"{_API}/auth-check"),
    Kind("auth-check-gated", "/api/models/{gated}/auth-check", token=NOBODY_TOKEN),
    Kind("auth-check-write", f"{_API}/auth-check/write", token=OWNER_TOKEN),
)  # fmt: skip

PASSED = (
    *_both("list", "/api/models?author={space}"),
    Kind("list-paged", "/api/models?author={space}&limit=1"),
    Kind("list-of-datasets", "/api/datasets?author={space}"),
    Kind("whoami", "/api/whoami-v2", token=OWNER_TOKEN),
    Kind("whoami-anonymous", "/api/whoami-v2"),
    Kind("whoami-with-bad-token", "/api/whoami-v2", token="hf_" + "x" * 36),
    Kind("tags", "/api/models-tags-by-type"),
    Kind("parquet", "/api/datasets/{dataset}/parquet"),
    Kind("parquet-file", "/api/datasets/{dataset}/parquet/default/train/0.parquet"),
    Kind("discussions", f"{_API}/discussions"),
    *_both("bucket-file", f"{_IN_BUCKET}/notes.txt"),
    *_both("bucket-file-redirected", f"{_IN_BUCKET}/large.bin"),
    _ranged("bucket-file-range", f"{_IN_BUCKET}/notes.txt", "bytes=1-2"),
    _ranged("bucket-file-redirected-range", f"{_IN_BUCKET}/large.bin", "bytes=70000-99999999"),
    _ranged("bucket-file-range-behind-the-end", f"{_IN_BUCKET}/notes.txt", "bytes=6-"),
    Kind("bucket-file-absent", f"{_IN_BUCKET}/absent.txt"),
    Kind(
        "bucket-paths-info",
        "/api/buckets/{bucket}/paths-info",
        "POST",
        headers={"Content-Type": "application/json"},
        body='{"paths": ["notes.txt", "absent"]}',
    ),
    Kind("unknown-api", "/api/no-such-thing"),
)

LOCAL = (
    *_both("home", ""),
    Kind("home-with-slash", "/"),
    *_both("agent-harnesses", "/api/agent-harnesses"),
    *_both("telemetry", "/api/telemetry/golden"),
    Kind("validate-yaml", "/api/validate-yaml", "POST",
         headers={"Content-Type": "application/json"}, body='{"content": "", "repoType": "model"}'),
    Kind("validate-yaml-read", "/api/validate-yaml"),
    Kind("xet-read-token", f"{_API}/xet-read-token/main", token=OWNER_TOKEN),
    Kind("xet-write-token", f"{_API}/xet-write-token/main", token=OWNER_TOKEN),
    Kind("jwt", f"{_API}/jwt", token=OWNER_TOKEN),
    Kind("git", "/{repo}.git/info/refs?service=git-upload-pack"),
    Kind("git-lfs", "/{repo}.git/info/lfs/objects/batch", "POST", body="{}"),
    Kind("unknown-page", "/no/such/page/at/all"),
    Kind("write-create", "/api/repos/create", "POST", token=OWNER_TOKEN, body="{}"),
    Kind("write-commit", f"{_API}/commit/main", "POST", token=OWNER_TOKEN, body="{}"),
    Kind("write-settings", f"{_API}/settings", "PUT", token=OWNER_TOKEN, body="{}"),
    Kind("write-delete", "/api/repos/delete", "DELETE", token=OWNER_TOKEN),
    Kind("method-of-a-file", _CONFIG, "PUT", token=OWNER_TOKEN, body="{}"),
    Kind("method-of-home", "", "DELETE"),
    Kind("method-unknown", _CONFIG, "PROPFIND"),
    Kind("preflight", _WEIGHTS, "OPTIONS", headers={
        "Origin": "http://localhost:3000", "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "authorization,range"}),
    Kind("preflight-api", f"{_API}/paths-info/main", "OPTIONS", headers={
        "Origin": "http://localhost:3000", "Access-Control-Request-Method": "POST"}),
)  # fmt: skip

KINDS = (*FILES, *REFUSED, *MOVED, *API, *PASSED, *LOCAL)


def _stale(kind: Kind) -> Kind:
    return replace(kind, name=f"{kind.name}-stale", cache="doubting")


_TOLD_STALE = {
    "file", "file-head", "lfs-range", "file-absent", "raw-lfs", "lfs-by-sha", "moved-file",
    "info", "info-expanded", "tree-paged", "tree-expanded", "paths-info-form", "refs", "commits",
    "auth-check", "list-paged", "parquet-file", "private-to-its-reader", "whoami",
}  # fmt: skip
# Asked while the upstream answers, and again when it is away.
STALE = tuple(_stale(kind) for kind in KINDS if kind.name in _TOLD_STALE)


@dataclass(frozen=True)
class Troubled:
    """
    A question that nobody can answer.

    `fault` is what the upstream has (it is away without one), `remote` has fields of the remote.
    """

    kind: Kind
    fault: Mapping[str, Any]
    remote: Mapping[str, Any] = field(default_factory=dict)


def _troubled(name: str, target: str, remote: Mapping[str, Any] = {}, **fault: Any) -> Troubled:
    return Troubled(Kind(name, target), fault, remote)


_BUSY = {"Retry-After": "33", "RateLimit": '"api";r=0;t=33'}
TROUBLED = (
    _troubled("trouble-refused", _CONFIG),
    _troubled("trouble-500", _API, mode="status", status=500),
    _troubled("trouble-503-with-hint", _API, mode="status", status=503,
              headers={"Retry-After": "17"}),
    _troubled("trouble-429", _CONFIG, mode="status", status=429, headers=_BUSY),
    _troubled("trouble-429-list", "/api/models?author={space}", mode="status", status=429,
              headers=_BUSY),
    _troubled("trouble-silent", _API, {"sock_read_timeout": 1.0}, mode="slow_first_byte",
              seconds=20),
    _troubled("trouble-login-page", _CONFIG, mode="mislabelled", kind="api_info"),
    _troubled("trouble-foreign-redirect", _API, mode="redirect_to", kind="api_info",
              location="http://127.0.0.9/elsewhere"),
    _troubled("trouble-corrupt-file", "/{repo}/resolve/main/README.md", {"max_retries": 0},
              mode="corrupt", kind="resolve_cache"),
    _troubled("trouble-passed-through", "/api/no-such-thing"),
)  # fmt: skip
