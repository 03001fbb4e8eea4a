"""What is held, kept and recorded: looked up from outside by REST, and which worker serves whom."""

import contextlib
from pathlib import Path
from typing import Any

from .caches import Cache, eventually


def commit_unit(cache: Cache, repo_id: str, sha: str) -> dict[str, Any]:
    """Return the content unit of a commit."""
    rest = cache.stack.rest
    (found,) = rest.list(rest.COMMITS, repo_id=repo_id, sha=sha)
    return found


def held_paths(cache: Cache, repo_id: str, sha: str) -> set[str]:
    """Return which files of a commit are held, as the REST API tells it."""
    files = cache.stack.rest.list(commit_unit(cache, repo_id, sha)["files_href"])
    return {file["path"] for file in files if file["held"]}


def versions(cache: Cache) -> list[dict[str, Any]]:
    """Return the versions of the cache's repository, newest first."""
    assert cache.repository is not None
    return cache.stack.rest.list(cache.repository["versions_href"])


def added(cache: Cache, kind: str) -> int:
    """Return how many units ("commit", "ref") the repository's newest version has."""
    present = versions(cache)[0]["content_summary"]["present"]
    return int(present.get(f"hugging_face.{kind}", {"count": 0})["count"])


def wait_for_commits(cache: Cache, count: int) -> None:
    """Wait until the batch of what was pulled through has joined the repository."""
    eventually(lambda: added(cache, "commit") >= count)


def wait_for_joining(cache: Cache, since: str) -> None:
    """Wait until a batch joined a repository, also a hidden one that REST does not show."""
    rest = cache.stack.rest

    def done() -> bool:
        tasks = rest.list("tasks/", name__contains="add_and_remove", pulp_created__gte=since)
        return bool(tasks) and all(task["state"] == "completed" for task in tasks)

    eventually(done)


def worker_of(pids: list[int], local_port: int) -> int:
    """Return which content worker holds the connection that comes from a port of ours."""
    sockets = {f"socket:[{inode}]" for inode in _server_inodes(local_port)}
    for pid in pids:
        if sockets & _descriptors(pid):
            return pid
    raise LookupError(f"no worker holds the connection from port {local_port}")


def _descriptors(pid: int) -> set[str]:
    """Return what a process has open; files may be closed while they are listed."""
    targets = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            targets.add(str(link.readlink()))
    return targets


def _server_inodes(port: int) -> set[str]:
    """Return the accepted sockets whose remote port is ours; others may have the same number."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    rows = (line.split() for line in lines)
    return {row[9] for row in rows if int(row[2].split(":")[1], 16) == port and row[9] != "0"}


def content_workers(cache: Cache) -> list[int]:
    """Return the process ids of the content app's workers."""
    parent = cache.stack.child("content app")
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text()
    return [int(pid) for pid in children.split()]
