"""Does size matter? Commits of very many files, long listings, memory."""

import http.client
import time
from urllib.parse import urlsplit

from benchmarks import preflight
from benchmarks.figures import percentile
from benchmarks.load import LoadError
from benchmarks.processes import proportional_memory
from benchmarks.servers import Ours, Server
from benchmarks.sizes import MIB, Sizes
from benchmarks.upstream import IN_A_DIRECTORY, catalogue_of, path_of, repo_of

from .base import CACHES, EVERYBODY, Bench, Metric, Row, at_least, at_most

SMALL = 10
TRIES, PAUSE = 20, 5.0


class Commits(Row):
    """The same request in a commit of ten files and in one of a million, in turns."""

    name = "commits"
    servers = CACHES
    metrics = (
        Metric(
            "commit-small",
            "HEAD in a commit of 10 files, p50",
            "ms",
            "HEAD over one connection, each of another file of the commit, in their order.",
        ),
        Metric(
            "commit-large",
            "HEAD in a commit of 1,000,000 files, p50",
            "ms",
            "The same in a commit of a million files, request by request in turn with the other; "
            "ours has listed all of them before.",
        ),
        Metric(
            "commit-ratio",
            "1,000,000 files ÷ 10 files",
            "",
            "How much slower the large commit is. A run fails if it is not the same, ± 20 %.",
            (at_least(0.8), at_most(1.2)),
            asserted=True,
        ),
    )

    def prepare(self, bench: Bench) -> None:
        for count in (SMALL, bench.sizes.commit_files):
            bench.upstream.load(catalogue_of(count))
            bench.upstream.sha(repo_of(count))

    def check(self, bench: Bench, server: Server) -> None:
        """
        Compare with what the commit of ten says: all files have the same bytes.

        Ours lists the large commit before, so that all of its names are in the database; the other
        caches cannot list it. It may take longer than a client waits, who then asks again.
        """
        if server.name == "ours":
            _list_all(server, repo_of(bench.sizes.commit_files))
        truth = bench.upstream.file(repo_of(SMALL), path_of(0))
        for count in (SMALL, bench.sizes.commit_files):
            reply = preflight.ask(server.file(repo_of(count), path_of(count // 2)))
            preflight.expect("the status", reply.status, 200)
            preflight.expect("the sha256", reply.sha256, truth.sha256)
            sha = bench.upstream.sha(repo_of(count))
            preflight.expect("X-Repo-Commit", reply.headers.get("x-repo-commit"), sha)

    def sample(self, bench: Bench, server: Server, repetition: int) -> dict[str, float]:
        requests, count = bench.sizes.latency_requests, bench.sizes.commit_files
        first = count // 2 + repetition * requests
        targets = {
            "commit-small": _in_turn(server, SMALL, 0, requests),
            "commit-large": _in_turn(server, count, first, requests),
        }
        times: dict[str, list[float]] = {name: [] for name in targets}
        with preflight.connected(server.url) as connection:
            for number in range(requests):
                for name, urls in targets.items():
                    times[name].append(_head(connection, urls[number]))
        found = {name: percentile(spent, 50) * 1e3 for name, spent in times.items()}
        return {**found, "commit-ratio": found["commit-large"] / found["commit-small"]}


def _in_turn(server: Server, count: int, first: int, requests: int) -> list[str]:
    """Return the addresses of neighbouring files; of redirects, where they lead."""
    numbers = [(first + number) % count for number in range(requests)]
    urls = [server.file(repo_of(count), path_of(number)) for number in numbers]
    if preflight.ask(urls[0], "HEAD").url == urls[0]:
        return urls
    found = {url: preflight.ask(url, "HEAD").url for url in set(urls)}
    return [found[url] for url in urls]


def _list_all(server: Server, repo_id: str) -> None:
    for _ in range(TRIES):
        first = preflight.ask(f"{server.url}/api/models/{repo_id}/tree/main?recursive=true")
        if first.status == 200:
            break
        time.sleep(PAUSE)
    preflight.listed(server, repo_id)


def _head(connection: http.client.HTTPConnection, url: str) -> float:
    began = time.perf_counter()
    connection.request("HEAD", url.removeprefix(f"http://{urlsplit(url).netloc}"))
    response = connection.getresponse()
    response.read()
    if response.status != 200:
        raise LoadError(f"status {response.status}")
    return time.perf_counter() - began


class Listing(Row):
    """A long listing, page by page."""

    name = "tree"
    servers = CACHES
    metrics = (
        Metric(
            "tree",
            "listing of 100,000 files, warm",
            "s",
            "All pages of `/tree/main?recursive=true`, one after the other.",
            (at_most(1.0),),
        ),
    )

    def prepare(self, bench: Bench) -> None:
        count = bench.sizes.tree_files
        bench.upstream.load(catalogue_of(count))
        bench.upstream.sha(repo_of(count))

    def check(self, bench: Bench, server: Server) -> None:
        count = bench.sizes.tree_files
        paths = set(preflight.listed(server, repo_of(count)))
        preflight.expect("the number of entries", len(paths), count + count // IN_A_DIRECTORY)
        missing = [path for number in range(count) if (path := path_of(number)) not in paths]
        preflight.expect("files that are not listed", missing[:3], [])

    def sample(self, bench: Bench, server: Server, repetition: int) -> dict[str, float]:
        began = time.perf_counter()
        preflight.listed(server, repo_of(bench.sizes.tree_files))
        return {"tree": time.perf_counter() - began}


class Memory(Row):
    """What the processes have taken after all that was measured before."""

    name = "memory"
    servers = EVERYBODY
    metrics = (
        Metric(
            "memory-worker",
            "memory of the largest worker",
            "MiB",
            "At the end of the run; pages that processes share are divided among them.",
        ),
        Metric(
            "memory-all",
            "memory of all processes",
            "MiB",
            "The same of the whole server, with PostgreSQL, REST API and task workers.",
        ),
    )

    def repetitions(self, sizes: Sizes) -> int:
        return 1

    def prepare(self, bench: Bench) -> None:
        """Nothing is needed."""

    def check(self, bench: Bench, server: Server) -> None:
        """There is nothing that could be wrong."""

    def sample(self, bench: Bench, server: Server, repetition: int) -> dict[str, float]:
        workers = server.content_workers() if isinstance(server, Ours) else server.pids()
        return {
            "memory-worker": max(proportional_memory(pid) for pid in workers) / MIB,
            "memory-all": sum(proportional_memory(pid) for pid in server.pids()) / MIB,
        }
