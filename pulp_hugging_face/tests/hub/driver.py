"""`FixtureHub`: the fixture Hub as a test sees it.

with FixtureHub() as hub:
    hub.declare(repo("org/x", {"config.json": b"{}", "w.bin": Generated(20 << 20)}))
    hub.fault("cut", kind="cdn_get", after=1000, times=1)
    ...
    assert hub.counters().of("cdn_get") == 2
"""

import json
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

from .declare import CommitSpec, RefSpec, RepoSpec, UserSpec, commit
from .faults import Fault
from .journal import Counters, LogEntry

PROJECT = Path(__file__).resolve().parents[3]
START_TIMEOUT = 20.0
STOP_TIMEOUT = 10.0


@dataclass(frozen=True)
class FileInfo:
    """A file as the fixture knows it; `sha256` is of the content, also of regular files."""

    path: str
    size: int
    oid: str
    sha256: str
    etag: str
    lfs: bool
    mode: str
    xet_hash: str | None


class ControlError(Exception):
    """The fixture refused an operation."""


class FixtureHub:
    """Runs the server process and speaks to its control origin. Every method is synchronous.

    `stop` closes the public origins (connections are refused and the running ones reset) while
    the process lives on, so `start` brings the same content back on the same ports.
    """

    # What is run; the benchmarks have a process that knows more catalogues.
    module = __package__

    def __init__(
        self,
        catalogue: str = "standard",
        host: str = "127.0.0.1",
        cdn_host: str = "127.0.0.2",
        port: int = 0,
        cdn_port: int = 0,
        control_port: int = 0,
    ) -> None:
        self._arguments = [
            "--watch-stdin", "--catalogue", catalogue,
            "--host", host, "--cdn-host", cdn_host, "--port", str(port),
            "--cdn-port", str(cdn_port), "--control-port", str(control_port),
        ]  # fmt: skip
        self._process: subprocess.Popen[str] | None = None
        self.url = self.cdn_url = self.control_url = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- life ---------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the process, or listen again after `stop`."""
        if self._process is not None:
            self.call("listen", on=True)
            return
        command = [sys.executable, "-m", self.module, *self._arguments]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=PROJECT
        )
        origins = json.loads(self._first_line())
        self.url, self.cdn_url = origins["hub"], origins["cdn"]
        self.control_url = origins["control"]

    def _first_line(self) -> str:
        assert self._process is not None and self._process.stdout is not None
        watchdog = threading.Timer(START_TIMEOUT, self._process.kill)
        watchdog.start()
        try:
            line = self._process.stdout.readline()
        finally:
            watchdog.cancel()
        if not line:
            raise ControlError(f"the fixture Hub did not start: exit {self._process.wait()}")
        return line

    def stop(self, origin: str | None = None) -> None:
        """Connection refused, for `hub`, `cdn` or both."""
        self.call("listen", on=False, origin=origin)

    def restart(self) -> None:
        self.stop()
        self.start()

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()

    # -- content ------------------------------------------------------------------------------

    def declare(self, *repos: RepoSpec) -> None:
        """Make or replace repositories."""
        self.call("declare", repos=[spec.to_json() for spec in repos])

    def add_users(self, *users: UserSpec) -> None:
        self.call("add_users", users=[user.to_json() for user in users])

    def revoke_token(self, token: str) -> None:
        """Make a token unknown; `add_users` makes it known again."""
        self.call("revoke_token", token=token)

    def load(self, catalogue: str) -> None:
        """Declare a whole catalogue anew, which undoes changes to its repositories."""
        self.call("load", catalogue=catalogue)

    def delete_repo(self, repo_id: str, type: str = "model") -> None:
        self.call("delete_repo", type=type, id=repo_id)

    def rename_repo(self, repo_id: str, new_id: str, type: str = "model") -> None:
        self.call("rename_repo", type=type, id=repo_id, new_id=new_id)

    def update_repo(self, repo_id: str, type: str = "model", **changes: Any) -> None:
        """private, gated, disabled, readers, downloads, likes, info."""
        self.call("update_repo", type=type, id=repo_id, **changes)

    def add_commit(
        self,
        repo_id: str,
        files: "Mapping[str, Any] | CommitSpec",
        ref: str = "main",
        type: str = "model",
        title: str = "Another commit",
    ) -> str:
        """Commit `{path: content}` on top of a branch; the new sha."""
        spec = files if isinstance(files, CommitSpec) else commit(title, files)
        return self.call("add_commit", type=type, id=repo_id, ref=ref, commit=spec.to_json())

    def add_ref(self, repo_id: str, ref: RefSpec, type: str = "model") -> str:
        return self.call("add_ref", type=type, id=repo_id, ref=ref.to_json())

    def set_ref(self, repo_id: str, ref: str, target: str, type: str = "model") -> str:
        """Move a branch (force push) or a tag (`refs/tags/v1`) to any revision; the sha."""
        return self.call("set_ref", type=type, id=repo_id, ref=ref, target=target)

    def delete_ref(self, repo_id: str, ref: str, type: str = "model") -> None:
        self.call("delete_ref", type=type, id=repo_id, ref=ref)

    def force_push(
        self, repo_id: str, files: Mapping[str, Any], ref: str = "main", type: str = "model"
    ) -> str:
        """Replace the tip of a branch: its last commit is gone from the history."""
        self.set_ref(repo_id, ref, f"{ref}~1", type)
        return self.add_commit(repo_id, files, ref, type, title="Rewritten")

    # -- the truth ----------------------------------------------------------------------------

    def sha(self, repo_id: str, revision: str = "main", type: str = "model") -> str:
        """The commit; the revision may end in `~N`."""
        return self.call("sha", type=type, id=repo_id, revision=revision)

    def manifest(
        self, repo_id: str, revision: str = "main", type: str = "model"
    ) -> dict[str, FileInfo]:
        """All files of a commit by path."""
        files = self.call("manifest", type=type, id=repo_id, revision=revision)
        return {file["path"]: FileInfo(**file) for file in files}

    def file(
        self, repo_id: str, path: str, revision: str = "main", type: str = "model"
    ) -> FileInfo:
        return self.manifest(repo_id, revision, type)[path]

    def bytes_of(
        self,
        repo_id: str,
        path: str,
        revision: str = "main",
        type: str = "model",
        start: int = 0,
        length: int | None = None,
    ) -> bytes:
        """The true bytes of a file, or of a part of it."""
        if length == 0:
            return b""
        query = urlencode({"type": type, "id": repo_id, "revision": revision, "path": path})
        request = urllib.request.Request(f"{self.control_url}/content?{query}")
        if start or length is not None:
            end = "" if length is None else str(start + length - 1)
            request.add_header("Range", f"bytes={start}-{end}")
        try:
            with urllib.request.urlopen(request) as response:
                return response.read()
        except urllib.error.HTTPError as error:
            if error.code == 416:
                return b""
            raise ControlError(error.read().decode()) from error

    # -- behaviour ----------------------------------------------------------------------------

    def settings(self, **changes: Any) -> dict[str, Any]:
        """See `world.Settings`; returns all of them."""
        return self.call("settings", **changes)

    def expire_urls(self) -> None:
        """Refuse every CDN URL that was handed out until now."""
        self.call("expire_urls")

    def throttle(self, rate: int, origin: str = "cdn", shared: bool = False) -> None:
        """Bytes a second of each file response, or of all together; 0 lifts it."""
        self.call("throttle", rate=rate, origin=origin, shared=shared)

    def rate_limits(self, **quotas: tuple[int, ...]) -> None:
        """`api=(requests, window seconds[, requests without a token])`, `resolvers=…`, `pages=…`.

        While a quota is set, `RateLimit` and `RateLimit-Policy` are on every answer of its bucket;
        it is counted by known token, else by address. None given lifts them all.
        """
        self.call("rate_limits", quotas=quotas)

    def fault(self, mode: "str | Fault", **fields: Any) -> int:
        """Set a fault (see `faults`) and get its number."""
        data = mode.to_json() if isinstance(mode, Fault) else {"mode": mode, **fields}
        return self.call("fault", **data)

    def clear_faults(self, number: int | None = None) -> None:
        """Lift one fault or all; held answers go on."""
        self.call("clear_faults", number=number)

    def faults(self) -> list[dict[str, Any]]:
        """Faults in force, with `applied` and `left`."""
        return self.call("faults")

    # -- what happened ------------------------------------------------------------------------

    def counters(self) -> Counters:
        return Counters(**self.call("counters"))

    def log(self, after: int = 0, **equal: Any) -> list[LogEntry]:
        """Requests since the last reset, optionally those with `kind=…`, `origin=…` and so on."""
        entries = [LogEntry(**data) for data in self.call("log", after=after)]
        return [e for e in entries if all(getattr(e, k) == v for k, v in equal.items())]

    def reset(self) -> None:
        """Forget the log and so the counters."""
        self.call("reset")

    def reset_all(self) -> None:
        """Back to good weather: no faults, limits, throttles; settings as at the start; origins
        open; log empty. Changed repositories stay changed, see `load`.
        """
        self.clear_faults()
        self.rate_limits()
        self.call("default_settings")
        for origin in ("hub", "cdn"):
            self.throttle(0, origin)
        self.start()
        self.reset()

    def wait_for(self, condition: Callable[[Counters], bool], timeout: float = 10.0) -> Counters:
        """Poll the counters until the condition holds."""
        deadline = time.monotonic() + timeout
        while not condition(counters := self.counters()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"the fixture Hub saw only {counters}")
            time.sleep(0.02)
        return counters

    def wait_for_request(self, kind: str, count: int = 1, timeout: float = 10.0) -> Counters:
        return self.wait_for(lambda counters: counters.of(kind) >= count, timeout)

    def call(self, operation: str, **arguments: Any) -> Any:
        """Any control operation by its name."""
        where = urlsplit(self.control_url)
        assert where.hostname is not None
        connection = HTTPConnection(where.hostname, where.port, timeout=60)
        try:
            connection.request("POST", f"/{operation}", json.dumps(arguments))
            response = connection.getresponse()
            answer = json.loads(response.read())
        finally:
            connection.close()
        if response.status != 200:
            raise ControlError(answer["error"])
        return answer["result"]


def iterate(hub: FixtureHub, repo_id: str, path: str, piece: int = 1 << 20) -> Iterator[bytes]:
    """A large file, piece by piece."""
    start = 0
    while data := hub.bytes_of(repo_id, path, start=start, length=piece):
        yield data
        start += len(data)
