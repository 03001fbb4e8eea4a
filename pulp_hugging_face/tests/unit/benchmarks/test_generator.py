"""The load generator against a tiny server: what it counts and what it refuses to count."""

import subprocess
import sys
import time

import pytest

from benchmarks import load
from benchmarks.load import Job, LoadError, generate, rate_of_wrk

from .conftest import BODY


def test_bodies_are_counted_whole(address):
    found = generate(Job(f"{address}/body", clients=3, size=len(BODY)))
    assert found.bytes == [len(BODY)] * 3
    assert found.answers == 3
    assert found.first_byte > 0
    assert found.megabytes_a_second > 0


def test_requests_go_on_until_the_time_is_over(address):
    found = generate(Job(f"{address}/body", "HEAD", clients=2, times=None, seconds=0.3))
    assert found.answers > 2
    assert found.bytes == [0, 0]
    assert len(found.latencies) == found.answers
    assert found.rate == pytest.approx(found.answers / found.seconds)


def test_a_server_may_end_a_connection_between_requests(address):
    assert generate(Job(f"{address}/once", times=5)).answers == 5


def test_redirects_belong_to_the_answer(address):
    found = generate(Job(f"{address}/moved", times=4))
    assert found.answers == 4
    assert found.bytes == [4 * len(BODY)]


def test_head_ends_where_the_size_is_told(address):
    assert generate(Job(f"{address}/linked", "HEAD")).answers == 1


def test_ranges(address):
    job = Job(f"{address}/body", statuses=(206,), headers={"Range": "bytes=-10"}, size=10)
    assert generate(job).bytes == [10]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("missing", "status 404"),
        ("cut", "cut with 5 bytes to come"),
        ("away", "redirected to another host"),
    ],
)
def test_wrong_answers_are_failures(address, path, message):
    with pytest.raises(LoadError, match=message):
        generate(Job(f"{address}/{path}", clients=2))


def test_a_short_file_is_a_failure(address):
    with pytest.raises(LoadError, match="bytes expected"):
        generate(Job(f"{address}/body", size=len(BODY) + 1))


def test_nobody_there_is_a_failure():
    with pytest.raises(LoadError, match="the load generator failed"):
        generate(Job("http://127.0.0.1:1/body"))


def test_a_generator_that_hangs_is_ended(monkeypatch):
    monkeypatch.setattr(load, "SLACK", 0.2)
    began = time.monotonic()
    with pytest.raises(LoadError, match="did not end"):
        load._run([sys.executable, "-c", "import time; time.sleep(60)"], 0.1)
    assert time.monotonic() - began < 30


def test_what_wrk_prints_is_read():
    assert rate_of_wrk("Requests/sec:  2860.51\nTransfer/sec: 1MB\n") == 2860.51
    with pytest.raises(LoadError, match="12 answers were errors"):
        rate_of_wrk("  Non-2xx or 3xx responses: 12\nRequests/sec:  2860.51\n")
    with pytest.raises(LoadError, match="no answer"):
        rate_of_wrk("Requests/sec:      0.00\n")


def test_head_is_never_measured_with_wrk(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    assert load.generator_for("GET") == "wrk"
    assert load.generator_for("HEAD") == "own"
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert load.generator_for("GET") == "own"


def test_the_generator_is_a_program_without_arguments():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.generator"],
        input="not a job",
        capture_output=True,
        text=True,
        cwd=load.PROJECT,
    )
    assert done.returncode != 0 and "JSONDecodeError" in done.stderr
