"""`pulp-hf` itself: data that outlives a restart, processes that end, health that is true."""

import json
import os
import signal
from pathlib import Path

import pytest

from pulp_hugging_face.tests.hub import OWNER_TOKEN

from . import wire
from .caches import eventually, fresh_repo
from .golden import lasting
from .stack import Stack
from .upstream_log import tokens_seen

TARGETS = ("config.json", "small.bin", "large.bin", "nope")


def answers(stack: Stack, repo_id: str) -> list[tuple[int, dict[str, str], bytes]]:
    """Return what is served of a repository, by both methods."""
    replies = [
        wire.ask(stack.endpoint, f"/{repo_id}/resolve/main/{path}", method)
        for path in TARGETS
        for method in ("HEAD", "GET")
    ]
    return [(reply.status, lasting(reply), reply.body) for reply in replies]


def alive(pid: int) -> bool:
    """Tell whether a process runs (and is not merely waiting to be buried)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def family(pid: int) -> set[int]:
    """Return a process and all that descend from it."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):  # ended meanwhile, like PostgreSQL's helpers
        return set()
    return {pid}.union(*(family(int(child)) for child in children))


def test_a_restart_keeps_data_commits_and_etags(hub, lone):
    repo_id = fresh_repo(hub)
    before = answers(lone, repo_id)
    endpoint = lone.endpoint
    assert [status for status, _, _ in before] == [200] * 6 + [404] * 2
    assert lone.stop() == 0
    hub.stop()
    lone.start()
    assert lone.endpoint == endpoint
    after = answers(lone, repo_id)
    # Nobody could confirm where the branch points, and that is said.
    warnings = {headers.pop("x-hf-warning", "")[:6] for _, headers, _ in after}
    assert warnings == {"stale;"}
    assert after == before


def test_the_token_of_the_environment_is_used_and_not_shown(hub, lone):
    reply = wire.get(lone.endpoint, "/org/gated/resolve/main/model.safetensors")
    assert reply.body == hub.bytes_of("org/gated", "model.safetensors")
    assert tokens_seen(hub, "org/gated") == {"hub": {OWNER_TOKEN}, "cdn": {None}}
    assert OWNER_TOKEN not in lone.logs()  # at level debug, too
    assert OWNER_TOKEN not in json.dumps(lone.ready)
    assert OWNER_TOKEN not in lone.command("status").stdout
    for pid in family(lone.state["supervisor"]["pid"]):
        assert OWNER_TOKEN.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes()


def test_health_names_its_checks(hub, lone):
    reply = wire.get(lone.origin, "/health")
    health = json.loads(reply.body)
    assert reply.status == 200
    assert health == {
        "status": "ok",
        "database": "ok",
        "storage": "ok",
        "worker": "ok",
        "upstream": {hub.url: "reachable"},
    }
    hub.stop()
    reply = wire.get(lone.origin, "/health")
    # What is held is served without the upstream: it is information, not a reason to give up.
    assert reply.status == 200
    assert json.loads(reply.body)["upstream"] == {hub.url: "unreachable"}


def test_health_notices_that_the_task_worker_is_gone(lone):
    pid = lone.child("task worker")
    os.kill(pid, signal.SIGSTOP)
    try:
        eventually(lambda: wire.get(lone.origin, "/health").status == 503, 30)
        health = json.loads(wire.get(lone.origin, "/health").body)
        assert health["status"] == "unhealthy" and "worker" in health["worker"]
    finally:
        os.kill(pid, signal.SIGCONT)
    eventually(lambda: wire.get(lone.origin, "/health").status == 200, 30)


def test_health_notices_that_the_storage_cannot_be_written(lone):
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    media = lone.data / "media"
    media.chmod(0o500)
    try:
        assert wire.get(lone.origin, "/health").status == 503
    finally:
        media.chmod(0o700)


@pytest.mark.parametrize("name", ["content app", "task worker", "REST API"])
def test_a_child_that_dies_is_started_again(hub, lone, name):
    before = lone.child(name)
    os.kill(before, signal.SIGKILL)
    eventually(lambda: lone.child(name) != before, 30)
    eventually(lambda: answers_at_all(lone), 30)
    assert wire.get(lone.endpoint, "/org/repo/resolve/main/config.json").good


def answers_at_all(stack: Stack) -> bool:
    try:
        api = stack.rest.ask("GET", "status/").status_code
        return api == 200 and wire.get(stack.origin, "/health").status == 200
    except OSError:
        return False


def test_status_tells_what_runs(lone):
    done = lone.command("status", "--json")
    found = json.loads(done.stdout)
    assert done.returncode == 0 and found["running"] is True
    assert found["endpoint"] == lone.endpoint and found["health"] == "ok"
    assert lone.endpoint in lone.command("status").stdout


def test_a_second_instance_on_the_same_data_is_refused(lone):
    done = lone.command("up", "--port", "0", "--api-port", "0")
    assert done.returncode != 0
    assert len(done.stderr.strip().splitlines()) == 1 and "pulp-hf:" in done.stderr
    assert wire.get(lone.origin, "/health").status == 200


def test_down_stops_everything_from_another_shell(lone):
    pids = family(lone.state["supervisor"]["pid"])
    assert len(pids) > 5
    done = lone.command("down")
    assert done.returncode == 0, done.stderr
    # The supervisor itself is our child, and ended: only `stop` buries it.
    assert lone.stop() == 0
    eventually(lambda: not [pid for pid in pids if alive(pid)], 5)
    assert lone.command("status").returncode == 3
    lone.start()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
def test_a_signal_stops_every_child_and_frees_the_ports(lone, how):
    pids = family(lone.state["supervisor"]["pid"])
    port, api_port = lone.state["port"], lone.state["api_port"]
    assert lone.stop(how) in (0, 130)
    eventually(lambda: not [pid for pid in pids if alive(pid)], 5)
    assert not wire.is_listening("127.0.0.1", port)
    assert not wire.is_listening("127.0.0.1", api_port)
    if how is signal.SIGTERM:
        lone.start()


def test_a_stop_during_a_download_leaves_no_half_file(hub, lone):
    if not lone.running:
        lone.start()
    repo_id = fresh_repo(hub)
    hub.fault("hold_body", kind="cdn_get", after=1_000_000)
    with wire.connection(lone.endpoint) as connection:
        connection.send("GET", f"/{repo_id}/resolve/main/large.bin")
        hub.wait_for_request("cdn_get")
        lone.stop()
    hub.clear_faults()
    lone.start()
    assert not list((lone.data / "tmp" / "hugging_face_fills").rglob("*.part"))
    reply = wire.get(lone.endpoint, f"/{repo_id}/resolve/main/large.bin")
    assert reply.good and reply.body == hub.bytes_of(repo_id, "large.bin")


def test_killed_in_a_download_it_starts_again_and_serves(hub, lone):
    """The power goes: nothing was told to stop."""
    if not lone.running:
        lone.start()
    repo_id = fresh_repo(hub)
    kept = answers(lone, "org/repo")
    hub.fault("hold_body", kind="cdn_get", after=1_000_000)
    pids = family(lone.state["supervisor"]["pid"])
    with wire.connection(lone.endpoint) as connection:
        connection.send("GET", f"/{repo_id}/resolve/main/large.bin")
        hub.wait_for_request("cdn_get")
        lone.stop(signal.SIGKILL)
    eventually(lambda: not [pid for pid in pids if alive(pid)], 20)
    hub.clear_faults()
    lone.start()
    assert answers(lone, "org/repo") == kept
    reply = wire.get(lone.endpoint, f"/{repo_id}/resolve/main/large.bin")
    assert reply.good and reply.body == hub.bytes_of(repo_id, "large.bin")
    eventually(lambda: not list((lone.data / "tmp" / "hugging_face_fills").rglob("*.part")), 5)
