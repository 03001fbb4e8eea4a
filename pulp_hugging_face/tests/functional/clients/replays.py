"""
Clients that are not written in Python nor JavaScript, request by request (§1.8, §2.6).

Each function does what that client does with the answers, too: where the client would give up, so
does the replay, with `GivenUp`.
"""

import json
from urllib.parse import urlsplit

from pulp_hugging_face.tests.functional import wire


class GivenUp(Exception):
    """What the client would report to its user."""


def _demand(condition: object, message: str) -> None:
    if not condition:
        raise GivenUp(message)


def rust(endpoint: str, repo_id: str, path: str, revision: str = "main") -> dict[str, object]:
    """
    hf-hub 0.3 to 0.5 (candle, TEI, the router of TGI): `Api::model(repo).get(path)`.

    It asks for the first byte and follows no redirect but one to a path of the same host, on its
    own; commit and ETag have to be on the first answer that is no such redirect.
    """
    at, target = urlsplit(endpoint), f"/{repo_id}/resolve/{revision}/{path}"
    origin, target = f"{at.scheme}://{at.netloc}", at.path + target
    one = {"Range": "bytes=0-0", "User-Agent": "unknown/None; hf-hub/0.4.3; rust/unknown"}
    answer = wire.ask(origin, target, headers=one)
    while answer.status in range(300, 400) and answer.headers["location"].startswith("/"):
        target = answer.headers["location"]
        answer = wire.ask(origin, target, headers=one)
    etag = answer.headers.get("x-linked-etag") or answer.headers.get("etag")
    _demand(etag, "Header ETag is missing")
    _demand("x-repo-commit" in answer.headers, "Header x-repo-commit is missing")
    _demand(answer.status not in range(300, 400), "a redirect off the host needs a storage")
    _demand("content-range" in answer.headers, "Header Content-Range is missing")
    size = int(answer.headers["content-range"].rpartition("/")[2])
    body = wire.ask(origin, target, headers={"User-Agent": one["User-Agent"]}).body
    _demand(len(body) == size, "the file has another size")
    return {"etag": str(etag).strip('"'), "commit": answer.headers["x-repo-commit"], "body": body}


def llama_cpp(endpoint: str, repo_id: str, tag: str = "Q4_K_M") -> dict[str, object]:
    """
    llama.cpp, `-hf repo:tag`: refs, one page of the tree of main's commit, the file at that commit.

    The endpoint is put in front of paths without a slash of its own, so users write one behind it.
    """
    refs = _json(endpoint, f"api/models/{repo_id}/refs")
    main = [ref for ref in refs["branches"] if ref["name"] == "main"]
    _demand(main, "no branch main")
    sha = main[0]["targetCommit"]
    entries = _json(endpoint, f"api/models/{repo_id}/tree/{sha}?recursive=true")
    files = [entry for entry in entries if entry["type"] == "file"]
    wanted = [f for f in files if f["path"].endswith(".gguf") and tag in f["path"]]
    _demand(wanted, f"no GGUF file for {tag}")
    path, digest = wanted[0]["path"], wanted[0]["lfs"]["oid"]
    target = f"{repo_id}/resolve/{sha}/{path}"
    head = _ask(endpoint, target, "HEAD")
    _demand(head.status == 200, f"HEAD {head.status}")
    body = _ask(endpoint, target).body
    _demand(len(body) == int(head.headers["content-length"]), "incomplete")
    return {"path": path, "sha256": digest, "body": body, "commit": sha}


def transformers_js(host: str, repo_id: str, path: str) -> bytes:
    """transformers.js: `env.remoteHost` and its path template, plain GETs of a browser page."""
    answer = _ask(f"{host}/", f"{repo_id}/resolve/main/{path}", origin="https://page.test")
    _demand(answer.status == 200, f"Error ({answer.status}) while loading {path}")
    _demand(answer.headers.get("access-control-allow-origin") == "*", "blocked by CORS")
    return answer.body


def _json(endpoint: str, target: str) -> "dict | list":  # type: ignore[type-arg]
    answer = _ask(endpoint, target)
    _demand(answer.status == 200, f"{target}: {answer.status}")
    return json.loads(answer.body)


def _ask(endpoint: str, target: str, method: str = "GET", **headers: str) -> wire.Reply:
    return wire.ask(endpoint, target, method, headers)
