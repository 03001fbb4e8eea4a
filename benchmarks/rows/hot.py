"""What is held: requests a second, and wire speed with its price in CPU time."""

from benchmarks import preflight
from benchmarks.load import Job, generate, requests_a_second
from benchmarks.servers import Server
from benchmarks.sizes import Sizes
from pulp_hugging_face.tests.hub import Generated

from .base import CACHES, Bench, Metric, Row, at_least, at_most

REPO, SMALL, LARGE = "bench/hot", "config.json", "model.safetensors"
STREAMS = 8
# A gigabyte takes some tenths of a second: too short a time to compare.
TIMES = 4
CONFIG = (
    b'{"architectures": ["BenchForCausalLM"], "hidden_size": 4096, "model_type": "bench", '
    b'"num_attention_heads": 32, "num_hidden_layers": 32, "torch_dtype": "bfloat16", '
    b'"rope_scaling": null, "vocab_size": 128256, "transformers_version": "5.0.0"}\n'
)


def declare(bench: Bench, sizes: Sizes) -> None:
    """Make the repository that all hot rows read."""
    large = Generated(sizes.large, seed=1)
    bench.place(REPO, {SMALL: CONFIG, LARGE: large}, static=True)


class HotSmall(Row):
    """GET and HEAD of a small file that is held."""

    name = "hot"
    metrics = (
        Metric(
            "hot-get",
            "small file, GET",
            "requests/s",
            "GET of a `config.json` that is held, over 16 connections.",
            (at_least(3000), at_least(50, "olah"), at_least(0.12, "nginx-static")),
        ),
        Metric(
            "hot-head",
            "small file, HEAD",
            "requests/s",
            "HEAD of the same file: what clients ask for before each file.",
            (at_least(3000), at_least(50, "olah"), at_least(0.12, "nginx-static")),
        ),
    )

    def prepare(self, bench: Bench) -> None:
        declare(bench, bench.sizes)

    def check(self, bench: Bench, server: Server) -> None:
        for _ in range(2):
            preflight.check_file(bench.upstream, server, REPO, SMALL)

    def sample(self, bench: Bench, server: Server, repetition: int) -> dict[str, float]:
        seconds = bench.sizes.request_seconds
        url = preflight.ask(server.file(REPO, SMALL)).url
        return {
            "hot-get": requests_a_second(url, "GET", seconds),
            "hot-head": requests_a_second(url, "HEAD", seconds),
        }


class Info(Row):
    """The info object of a repository."""

    name = "api"
    servers = CACHES
    metrics = (
        Metric(
            "api-info",
            "info of a model",
            "requests/s",
            "GET of `/api/models/…` of a repository that is known, over 16 connections.",
            (at_least(2500),),
        ),
    )

    def prepare(self, bench: Bench) -> None:
        declare(bench, bench.sizes)

    def check(self, bench: Bench, server: Server) -> None:
        for _ in range(2):
            preflight.check_info(bench.upstream, server, REPO)

    def sample(self, bench: Bench, server: Server, repetition: int) -> dict[str, float]:
        url = f"{server.url}/api/models/{REPO}"
        return {"api-info": requests_a_second(url, "GET", bench.sizes.request_seconds)}


class HotLarge(Row):
    """A large file that is held, once and eight times at once."""

    name = "streams"
    metrics = (
        Metric(
            "hot-1",
            "large file, 1 stream",
            "MB/s",
            "One client reads a file of 1 GiB that is held, four times over.",
            (at_least(0.9, "nginx-static"),),
        ),
        Metric(
            "hot-8",
            "large file, 8 streams",
            "MB/s",
            "Eight clients read it at the same time; the sum of their speeds.",
            (at_least(0.9, "nginx-static"),),
        ),
        Metric(
            "hot-cpu",
            "CPU time for 8 GiB",
            "s",
            "CPU time of all processes of the server while it served those eight.",
            (at_most(4.0),),
        ),
    )

    def prepare(self, bench: Bench) -> None:
        declare(bench, bench.sizes)

    def check(self, bench: Bench, server: Server) -> None:
        preflight.check_file(bench.upstream, server, REPO, LARGE)

    def sample(self, bench: Bench, server: Server, repetition: int) -> dict[str, float]:
        url, size = server.file(REPO, LARGE), bench.sizes.large
        one = generate(Job(url, times=TIMES, size=TIMES * size))
        before = server.cpu_seconds()
        eight = generate(Job(url, clients=STREAMS, size=size))
        spent = server.cpu_seconds() - before
        return {
            "hot-1": one.megabytes_a_second,
            "hot-8": eight.megabytes_a_second,
            "hot-cpu": spent,
        }
