"""The program: its one line, its end, and its ports."""

import json
import signal
import subprocess
import sys

import pytest
import requests

from pulp_hugging_face.tests.hub import FixtureHub
from pulp_hugging_face.tests.hub.driver import PROJECT

PROGRAM = [sys.executable, "-m", "pulp_hugging_face.tests.hub", "--catalogue", "empty"]


@pytest.mark.parametrize("how", ["sigterm", "stdin"])
def test_it_says_where_it_is_and_ends_when_told(how):
    process = subprocess.Popen(
        [*PROGRAM, "--watch-stdin"],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        origins = json.loads(process.stdout.readline())
        assert set(origins) == {"hub", "cdn", "control"}
        assert origins["cdn"].startswith("http://127.0.0.2:")
        assert requests.get(f"{origins['hub']}/api/models").json() == []
        if how == "sigterm":
            process.send_signal(signal.SIGTERM)
        else:
            process.stdin.close()
        assert process.wait(5) == 0


def test_ports_may_be_given_and_content_survives_a_restart():
    with FixtureHub("empty") as first:
        ports = [int(url.rpartition(":")[2]) for url in (first.url, first.cdn_url)]
    with FixtureHub("standard", port=ports[0], cdn_port=ports[1]) as hub:
        assert (hub.url, hub.cdn_url) == (first.url, first.cdn_url)
        sha = hub.add_commit("org/repo", {"new.txt": "new\n"})
        hub.restart()
        assert requests.get(f"{hub.url}/api/models/org/repo").json()["sha"] == sha
