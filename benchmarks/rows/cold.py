"""What is not held yet: a whole file, crowds at one file, its metadata, its end."""

from benchmarks import memory, preflight
from benchmarks.figures import percentile
from benchmarks.load import Job, LoadError, generate
from benchmarks.servers import Server
from benchmarks.sizes import MIB, Sizes
from pulp_hugging_face.tests.hub import Generated

from .base import CACHES, Bench, Metric, Row, at_most

FILE = "model.safetensors"
# Seeds of the rows begin here: no two files of a run have the same bytes.
SEEDS = {"cold": 1000, "crowd": 2000, "many": 3000, "head": 4000, "tail": 10_000}
QUIET_SECONDS = 120.0


def upstream_bytes(bench: Bench) -> int:
    """Return the bytes of files that left the upstream, once nothing is on its way any more."""
    try:
        return bench.upstream.wait_for(
            lambda seen: not seen.running, QUIET_SECONDS
        ).total_blob_bytes
    except TimeoutError as error:
        raise LoadError(
            "the upstream is still sending long after the clients were served"
        ) from error


class Cold(Row):
    """Common to rows whose samples each need a file that nobody has asked for."""

    servers = CACHES

    def size(self, sizes: Sizes) -> int:
        raise NotImplementedError

    def repo_of(self, repetition: int) -> str:
        return f"bench/{self.name}-{repetition}"

    def prepare(self, bench: Bench) -> None:
        seed = SEEDS[self.name]
        bench.place(f"bench/{self.name}-check", {FILE: Generated(8 * MIB + 11, seed=seed)})
        for number in range(self.repetitions(bench.sizes)):
            content = Generated(self.size(bench.sizes), seed=seed + 1 + number)
            bench.place(self.repo_of(number), {FILE: content})

    def check(self, bench: Bench, server: Server) -> None:
        preflight.check_file(bench.upstream, server, f"bench/{self.name}-check", FILE)


class ColdLarge(Cold):
    """A large file for the first time."""

    name = "cold"
    metrics = (
        Metric(
            "cold-first",
            "large file, cold: first byte",
            "s",
            "A file of 1 GiB that nobody asked for before, in a repository that nobody asked for: "
            "from the connection to the first byte of the file.",
            (at_most(0.1),),
        ),
        Metric(
            "cold-total",
            "large file, cold: all of it",
            "s",
            "The same, to the last byte.",
            (at_most(3.0), at_most(0.5, "nginx-cache")),
        ),
    )

    def size(self, sizes: Sizes) -> int:
        return sizes.large

    def sample(self, bench: Bench, server: Server, repetition: int) -> dict[str, float]:
        url, size = server.file(self.repo_of(repetition), FILE), self.size(bench.sizes)
        memory.use(3 * size)
        load = generate(Job(url, size=size))
        return {"cold-first": load.first_byte, "cold-total": load.seconds}


class Crowd(Cold):
    """Some clients at once at one file, behind a CDN of limited speed."""

    name = "crowd"
    metrics = (
        Metric(
            "crowd-upstream",
            "16 clients, one cold file: upstream bytes ÷ size",
            "",
            "Sixteen clients ask at once for a file of 256 MiB that is not held; the CDN sends "
            "100 MB/s in all. How often the file was fetched.",
            (at_most(1.02),),
            asserted=True,
        ),
        Metric(
            "crowd-wall",
            "16 clients, one cold file: the last is served",
            "s",
            "The same: until the last client has everything. The CDN alone takes 2.7 s.",
            (at_most(4.0),),
        ),
    )

    def size(self, sizes: Sizes) -> int:
        return sizes.crowd

    def clients(self, sizes: Sizes) -> int:
        return sizes.crowd_clients

    def rate(self, sizes: Sizes) -> int:
        return sizes.crowd_rate

    def sample(self, bench: Bench, server: Server, repetition: int) -> dict[str, float]:
        sizes = bench.sizes
        url, size = server.file(self.repo_of(repetition), FILE), self.size(sizes)
        bench.upstream.reset()
        bench.upstream.throttle(self.rate(sizes), shared=True)
        try:
            load = generate(Job(url, clients=self.clients(sizes), size=size, patience=180))
            fetched = upstream_bytes(bench)
        finally:
            bench.upstream.throttle(0)
        return {f"{self.name}-upstream": fetched / size, f"{self.name}-wall": load.seconds}


class Many(Crowd):
    """Many clients: what a cluster does when a job starts."""

    name = "many"
    metrics = (
        Metric(
            "many-upstream",
            "200 clients, one cold file: upstream bytes ÷ size",
            "",
            "Two hundred clients ask at once for a file of 32 MiB; the CDN sends 2.5 MB/s in all.",
            (at_most(1.02),),
            asserted=True,
        ),
        Metric(
            "many-wall",
            "200 clients, one cold file: the last is served",
            "s",
            "The same: until the last client has everything. The CDN alone takes 13.4 s.",
            (at_most(20.1),),
        ),
    )

    def repetitions(self, sizes: Sizes) -> int:
        return min(2, sizes.repetitions)

    def size(self, sizes: Sizes) -> int:
        return sizes.many

    def clients(self, sizes: Sizes) -> int:
        return sizes.many_clients

    def rate(self, sizes: Sizes) -> int:
        return sizes.many_rate


class ColdHead(Cold):
    """Metadata of files that are not held."""

    name = "head"
    metrics = (
        Metric(
            "head-p50",
            "HEAD of a file that is not held, p50",
            "ms",
            "HEAD of files of 64 MiB, each for the first time, one after the other.",
            (at_most(10.0),),
        ),
        Metric(
            "head-upstream",
            "HEAD of a file that is not held: upstream",
            "MB",
            "What was fetched of those files for it.",
            (at_most(0.0),),
        ),
    )

    def size(self, sizes: Sizes) -> int:
        return sizes.head

    def prepare(self, bench: Bench) -> None:
        seed, sizes = SEEDS[self.name], bench.sizes
        bench.place(f"bench/{self.name}-check", {FILE: Generated(MIB, seed=seed)})
        for number in range(self.repetitions(sizes)):
            first = seed + 1 + number * sizes.head_files
            files = {
                f"{n}.bin": Generated(sizes.head, seed=first + n) for n in range(sizes.head_files)
            }
            bench.place(self.repo_of(number), files)

    def check(self, bench: Bench, server: Server) -> None:
        preflight.check_head(bench.upstream, server, f"bench/{self.name}-check", FILE)

    def sample(self, bench: Bench, server: Server, repetition: int) -> dict[str, float]:
        repo_id = self.repo_of(repetition)
        bench.upstream.reset()
        latencies = []
        for number in range(bench.sizes.head_files):
            job = Job(server.file(repo_id, f"{number}.bin"), "HEAD")
            latencies += generate(job).latencies
        fetched = upstream_bytes(bench)
        return {"head-p50": percentile(latencies, 50) * 1e3, "head-upstream": fetched / 1e6}


class Tail(Cold):
    """The end of a large file that is not held, where formats keep their index."""

    name = "tail"
    metrics = (
        Metric(
            "tail-wall",
            "last 1 MiB of a cold large file",
            "s",
            "A range at the end of a file of 1 GiB that is not held.",
            (at_most(0.2),),
        ),
        Metric(
            "tail-upstream",
            "last 1 MiB of a cold large file: upstream",
            "MB",
            "What was fetched of the file for it.",
            (at_most(8.0),),
        ),
    )

    def size(self, sizes: Sizes) -> int:
        return sizes.large

    def check(self, bench: Bench, server: Server) -> None:
        repo_id = f"bench/{self.name}-check"
        preflight.check_range(bench.upstream, server, repo_id, FILE, bench.sizes.tail)

    def sample(self, bench: Bench, server: Server, repetition: int) -> dict[str, float]:
        url, last = server.file(self.repo_of(repetition), FILE), bench.sizes.tail
        bench.upstream.reset()
        headers = {"Range": f"bytes=-{last}"}
        load = generate(Job(url, size=last, statuses=(206,), headers=headers))
        return {"tail-wall": load.seconds, "tail-upstream": upstream_bytes(bench) / 1e6}
