"""Random reads of every kind, by raw HTTP and by client libraries."""

import http.client
import itertools
import json
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pulp_hugging_face.tests.functional import wire
from pulp_hugging_face.tests.functional.caches import Cache
from pulp_hugging_face.tests.functional.clients.live import LiveMachine
from pulp_hugging_face.tests.functional.clients.machine import ClientError
from pulp_hugging_face.tests.functional.clients.venvs import HUB_036, HUB_24, HUB_133
from pulp_hugging_face.tests.hub import NOBODY_TOKEN, OWNER_TOKEN

from .ledger import Ledger, Subject

ABSENT = "no/such file.txt"
LISTED_TYPES = {"model": "models", "dataset": "datasets", "space": "spaces"}
# Longer than any client waits for an answer, or between two pieces of it (§2.2).
SECONDS = 25.0
_HOPS = 4


@dataclass(frozen=True)
class Read:
    """
    A question: by whom, through which cache, about what.

    `revision` is as it was asked for, `id` the name; `more` what belongs to the kind.
    """

    kind: str
    cache: str
    subject: Subject
    id: str
    revision: str | None
    token: str | None = None
    more: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Seen:
    """What came of a read: a raw reply, a client's value, or what was raised; and when."""

    read: Read
    by: str
    began: float
    ended: float
    outcome: "wire.Reply | ClientError | Exception | Any"
    final_id: str

    def __str__(self) -> str:
        asked = f"{self.by}: {self.read.kind} {self.read.id}@{self.read.revision} {self.read.more}"
        token = {OWNER_TOKEN: "owner", NOBODY_TOKEN: "nobody"}.get(self.read.token or "")
        return f"[{self.read.cache}] {asked} as {token}: {str(self.outcome)[:600]}"


class Budget:
    """How many reads are left for all readers together."""

    def __init__(self, reads: int) -> None:
        self._left = itertools.count(reads, -1)
        self._lock = threading.Lock()
        self.done = 0

    def take(self) -> bool:
        """Take one, if there is one left."""
        with self._lock:
            return next(self._left) > 0

    def finished(self) -> None:
        with self._lock:
            self.done += 1


class Chooser:
    """Draws reads."""

    def __init__(self, ledger: Ledger, seed: str) -> None:
        self.ledger = ledger
        self.random = random.Random(seed)

    def subject(self) -> Subject:
        return self.random.choice(self.ledger.subjects)

    def revision(self, subject: Subject) -> str | None:
        """Return a branch, mostly; or a commit, mostly a recent one."""
        if self.random.random() < 0.7:
            return self.random.choice(["main", "main", "main", "dev", "v1", "refs/pr/1"])
        return self.sha(subject)

    def sha(self, subject: Subject) -> str:
        moments = subject.moments[-4:] if self.random.random() < 0.7 else subject.moments
        return self.random.choice(list(self.random.choice(moments).refs.values()))

    def name(self, subject: Subject) -> str:
        """Return its name, now and then an older one."""
        older = self.random.random() < 0.15
        return self.random.choice(subject.ids) if older else subject.id

    def path(self, subject: Subject) -> str:
        """Return a file that is on main now, rarely one that never was."""
        if self.random.random() < 0.08:
            return ABSENT
        sha = self.random.choice(list(subject.refs.values()))
        return self.random.choice(sorted(self.ledger.files(subject, sha)))

    def token(self, subject: Subject, cache: str) -> str | None:
        """Return a caller's token: of those who may mostly, where only some may."""
        if not subject.closed or cache != "open":
            return None
        return self.random.choice([OWNER_TOKEN, OWNER_TOKEN, OWNER_TOKEN, NOBODY_TOKEN, None])


class RawReader:
    """Reads by raw HTTP, each over a connection of its own, so that both workers are asked."""

    KINDS = ("head", "get", "get", "get", "range", "range", "raw", "info", "info", "tree", "tree",
             "tree-pages", "tree-expanded", "paths-info", "refs", "commits", "list", "whoami",
             "auth-check")  # fmt: skip

    def __init__(self, chooser: Chooser, caches: dict[str, Cache]) -> None:
        self._choose = chooser
        self._caches = caches

    def __call__(self) -> Seen:
        choose = self._choose
        subject = choose.subject()
        cache = choose.random.choice(sorted(self._caches))
        read = Read(
            choose.random.choice(self.KINDS), cache, subject, choose.name(subject),
            choose.revision(subject), choose.token(subject, cache),
        )  # fmt: skip
        if read.kind in ("head", "get", "range", "raw"):
            read.more["path"] = choose.path(subject)
        return self.ask(read)

    def ask(self, read: Read) -> Seen:
        """Send a read, and follow redirects as clients do."""
        began = time.monotonic()
        try:
            outcome, final = self._follow(read, *self._request(read))
        except (http.client.HTTPException, OSError) as error:
            outcome, final = error, read.id
        return Seen(read, "raw", began, time.monotonic(), outcome, final)

    def _follow(
        self, read: Read, method: str, target: str, headers: dict[str, str], body: bytes
    ) -> tuple[wire.Reply, str]:
        url = self._caches[read.cache].url
        if read.token:
            headers["Authorization"] = f"Bearer {read.token}"
        name = read.id
        for _ in range(_HOPS):
            reply = wire.ask(url, target, method, headers, body, SECONDS)
            if reply.status != 307:
                return reply, name
            prefix = "/" + url.split("/", 3)[3]
            target = reply.headers["location"].removeprefix(prefix)
            name = next(i for i in reversed(read.subject.ids) if f"/{i}/" in f"{target}/")
        raise http.client.HTTPException("redirected in a circle")

    def _request(self, read: Read) -> tuple[str, str, dict[str, str], bytes]:
        """Return method, target, headers and body."""
        subject, api = read.subject, f"/api/{read.subject.type}s/{read.id}"
        revision = quote(read.revision or "main", safe="")
        random = self._choose.random
        if read.kind in ("head", "get", "range", "raw"):
            return self._file_request(read, revision)
        if read.kind in ("tree", "tree-expanded"):
            read.more["recursive"] = random.random() < 0.7
            query = f"recursive={read.more['recursive']}&expand={read.kind == 'tree-expanded'}"
            return "GET", f"{api}/tree/{revision}?{query}", {}, b""
        if read.kind == "tree-pages":
            return "GET", f"{api}/tree/{revision}?recursive=true&limit=7", {}, b""
        if read.kind == "paths-info":
            read.more["paths"] = [self._choose.path(subject), ABSENT, "data"]
            body = json.dumps({"paths": read.more["paths"]}).encode()
            return (
                "POST",
                f"{api}/paths-info/{revision}",
                {"Content-Type": "application/json"},
                body,
            )
        if read.kind == "info":
            return "GET", f"{api}/revision/{revision}?blobs=true", {}, b""
        if read.kind == "list":
            return "GET", f"/api/{subject.type}s?author={self._choose.ledger.space}", {}, b""
        targets = {
            "refs": f"{api}/refs?include_prs=1",
            "commits": f"{api}/commits/{revision}",
            "whoami": "/api/whoami-v2",
            "auth-check": f"{api}/auth-check",
        }
        return "GET", targets[read.kind], {}, b""

    def _file_request(self, read: Read, revision: str) -> tuple[str, str, dict[str, str], bytes]:
        where = "raw" if read.kind == "raw" else "resolve"
        prefix = "" if read.subject.type == "model" else f"{read.subject.type}s/"
        target = f"/{prefix}{read.id}/{where}/{revision}/{quote(read.more['path'])}"
        headers = {}
        if read.kind == "range":
            start = self._choose.random.choice([0, 1, 17, 65_000, 3_000_000])
            stop = start + self._choose.random.choice([1, 1000, 200_000])
            read.more["range"] = (start, stop)
            headers["Range"] = f"bytes={start}-{stop - 1}"
        return ("HEAD" if read.kind == "head" else "GET"), target, headers, b""


class ClientReader:
    """Reads by a client library, with an empty cache each time: nothing hides what is answered."""

    STEPS = ("download", "download", "download", "snapshot", "tree", "info", "refs", "paths_info",
             "commits", "exists", "metadata", "block", "listed")  # fmt: skip

    def __init__(self, chooser: Chooser, machine: LiveMachine, cache: str) -> None:
        self._choose = chooser
        self._machine = machine
        self._cache = cache
        self._folders = (machine.home / f"cache-{n}" for n in itertools.count())

    def __call__(self) -> Seen:
        choose = self._choose
        subject = choose.subject()
        step = choose.random.choice(self.STEPS)
        revision = choose.sha(subject) if step == "block" else choose.revision(subject)
        read = Read(step, self._cache, subject, choose.name(subject), revision, self._machine.token)
        arguments = self._arguments(read)
        began = time.monotonic()
        try:
            outcome = self._machine.do(step, **arguments)
        except ClientError as error:
            outcome = error
        name = self._machine.kind.name
        return Seen(read, name, began, time.monotonic(), outcome, read.id)

    def _arguments(self, read: Read) -> dict[str, Any]:
        about = {"repo_id": read.id, "repo_type": read.subject.type, "revision": read.revision}
        random, subject = self._choose.random, read.subject
        match read.kind:
            case "download" | "metadata" | "exists":
                read.more["path"] = self._choose.path(subject)
                about["filename"] = read.more["path"]
                if read.kind == "download":
                    about["cache_dir"] = str(next(self._folders))
                return about | ({"what": "file"} if read.kind == "exists" else {})
            case "snapshot":
                return {**about, "cache_dir": str(next(self._folders)), "ignore_patterns": "large*"}
            case "tree":
                return {**about, "recursive": True}
            case "paths_info":
                read.more["paths"] = [self._choose.path(subject), ABSENT]
                return {**about, "paths": read.more["paths"]}
            case "info":
                return {"kind": subject.type, "repo_id": read.id, "revision": read.revision}
            case "refs":
                return {"repo_id": read.id, "repo_type": subject.type}
            case "listed":
                return {"kind": LISTED_TYPES[subject.type], "author": self._choose.ledger.space}
            case "block":
                path = random.choice(
                    sorted(self._choose.ledger.files(subject, read.revision or ""))
                )
                read.more.update(path=path, start=random.choice([0, 5, 70_000]))
                prefix = "" if subject.type == "model" else f"{subject.type}s/"
                address = f"hf://{prefix}{read.id}@{read.revision}/{path}"
                return {"path": address, "start": read.more["start"], "length": 999}
        return about


def run(readers: list[Callable[[], Seen]], budget: Budget) -> list[Seen]:
    """Let all read at once until the budget is spent."""
    found: list[Seen] = []
    failed: list[BaseException] = []

    def work(reader: Callable[[], Seen]) -> None:
        try:
            while not failed and budget.take():
                found.append(reader())
                budget.finished()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(reader,)) for reader in readers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return found


def live_machines(folder: Path, caches: dict[str, Cache]) -> list[tuple[LiveMachine, str]]:
    """Return a client of each version, with the cache it asks."""
    return [
        (LiveMachine(HUB_036, folder / "hub-036", caches["open"].url), "open"),
        (LiveMachine(HUB_133, folder / "hub-133", caches["entitled"].url), "entitled"),
        (LiveMachine(HUB_24, folder / "hub-24", caches["open"].url, OWNER_TOKEN), "open"),
    ]
