"""Bad weather, seen through a plain client."""

import threading
import time

import pytest
import requests

from pulp_hugging_face.tests.hub import Fault, Generated, repo
from pulp_hugging_face.tests.hub.faults import MODES

FILE = "model.safetensors"


def url(hub, name=FILE, repo_id="org/repo"):
    return f"{hub.url}/{repo_id}/resolve/main/{name}"


def fetch(where, **headers):
    return requests.get(where, headers=headers, timeout=5)


def truth(hub, name=FILE):
    return hub.bytes_of("org/repo", name)


def test_an_unknown_mode_is_refused(hub):
    with pytest.raises(ValueError, match="unknown fault mode"):
        Fault("nonsense")
    with pytest.raises(Exception, match="unknown fault mode"):
        hub.fault("nonsense")


def test_offline_closes_without_an_answer(hub):
    hub.fault("offline", kind="resolve_get", times=1)
    with pytest.raises(requests.ConnectionError):
        fetch(url(hub))
    assert fetch(url(hub)).status_code == 200


def test_stopped_origins_refuse_and_return_on_the_same_ports(hub):
    hub.stop()
    with pytest.raises(requests.ConnectionError, match="refused"):
        fetch(url(hub))
    hub.start()
    assert fetch(url(hub)).content == truth(hub)
    hub.stop("cdn")
    assert requests.head(url(hub)).status_code == 302
    with pytest.raises(requests.ConnectionError, match="refused"):
        fetch(url(hub))


def test_stopping_breaks_running_transfers(hub):
    hub.fault("hold_body", kind="cdn_get", after=1000)
    response = requests.get(url(hub), stream=True, timeout=5)
    hub.stop()
    with pytest.raises(requests.RequestException):
        _ = response.content


def test_status_with_headers_for_the_next_requests_of_a_kind(hub):
    hub.fault("status", kind="api_info", status=429, headers={"Retry-After": "7"}, skip=1, times=2)
    info = f"{hub.url}/api/models/org/repo"
    answers = [fetch(info) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 429, 429, 200]
    assert answers[1].headers["Retry-After"] == "7"
    assert hub.faults()[0]["applied"] == 2


def test_faults_select_by_path_method_and_range(hub):
    hub.fault("status", status=500, path="*/config.json", method="HEAD")
    assert requests.head(url(hub, "config.json")).status_code == 500
    assert fetch(url(hub, "config.json")).status_code == 200
    hub.fault("status", status=502, origin="cdn", path=f"*{FILE}*", range=True)
    assert fetch(url(hub), Range="bytes=0-1").status_code == 502
    assert fetch(url(hub)).status_code == 200


def test_slow_first_byte(hub):
    hub.fault("slow_first_byte", seconds=0.3, kind="resolve_head")
    started = time.monotonic()
    requests.head(url(hub))
    assert time.monotonic() - started >= 0.3


def test_cut_ends_the_connection_in_the_announced_body(hub):
    for rst in (False, True):
        number = hub.fault("cut", kind="cdn_get", after=100_000, rst=rst)
        response = requests.get(url(hub), stream=True)
        assert int(response.headers["Content-Length"]) == len(truth(hub))
        received = b""
        with pytest.raises(requests.RequestException):
            for piece in response.iter_content(1000):
                received += piece
        assert received == truth(hub)[: len(received)]
        assert 90_000 < len(received) <= 100_000
        hub.clear_faults(number)


def test_short_and_longer_answers_are_well_framed(hub):
    hub.fault("short", kind="cdn_get", after=5000, times=1)
    assert fetch(url(hub)).content == truth(hub)[:5000]
    hub.fault("wrong_length", kind="cdn_get", extra=3, times=1)
    assert fetch(url(hub)).content == truth(hub) + b"!!!"


def test_corrupt_flips_the_same_bytes_of_the_file_in_any_range(hub):
    hub.fault("corrupt", kind="cdn_get", after=1000, extra=4)
    whole, true = fetch(url(hub)).content, truth(hub)
    assert len(whole) == len(true)
    assert [n for n, (a, b) in enumerate(zip(whole, true, strict=True)) if a != b] == [
        1000, 1001, 1002, 1003,
    ]  # fmt: skip
    assert fetch(url(hub), Range="bytes=1002-1010").content == whole[1002:1011]
    assert fetch(url(hub), Range="bytes=0-999").content == true[:1000]


def test_mislabelled_is_another_body_under_the_same_headers(hub):
    hub.fault("mislabelled", kind="resolve_cache", headers={"Content-Type": "text/html"})
    answer = fetch(url(hub, "config.json"))
    assert answer.status_code == 200 and "captive portal" in answer.text
    assert answer.headers["ETag"] == f'"{hub.file("org/repo", "config.json").oid}"'
    assert answer.headers["Content-Type"] == "text/html"


def test_ignore_range_gives_the_whole_file(hub):
    hub.fault("ignore_range", origin="cdn")
    answer = fetch(url(hub), Range="bytes=0-10")
    assert answer.status_code == 200 and answer.content == truth(hub)


def test_redirects_elsewhere_and_in_circles(hub):
    hub.fault("redirect_to", kind="resolve_get", location="http://127.0.0.3:1/x", times=1)
    answer = requests.get(url(hub), allow_redirects=False)
    assert answer.headers["Location"] == "http://127.0.0.3:1/x"
    hub.fault("redirect_to", kind="resolve_get", status=307)
    with pytest.raises(requests.TooManyRedirects):
        fetch(url(hub))


def test_wrong_metadata(hub):
    right = requests.head(url(hub)).headers["X-Linked-ETag"]
    hub.fault("bad_etag", kind="resolve_head", times=1)
    wrong = requests.head(url(hub)).headers["X-Linked-ETag"]
    assert wrong != right and len(wrong) == len(right)
    hub.fault("headers", kind="resolve_head", headers={"x-repo-commit": None, "X-Linked-Size": "1"})
    answer = requests.head(url(hub))
    assert "X-Repo-Commit" not in answer.headers and answer.headers["X-Linked-Size"] == "1"


def test_headers_arrive_before_a_body_that_is_held_from_its_first_byte(hub):
    number = hub.fault("hold_body", kind="cdn_get", after=0)
    response = requests.get(url(hub), stream=True, timeout=2)
    assert int(response.headers["Content-Length"]) == len(truth(hub))
    hub.clear_faults(number)
    assert response.content == truth(hub)


def test_stall_in_the_body(hub):
    hub.fault("stall", kind="cdn_get", after=1000, seconds=0.3)
    started = time.monotonic()
    assert fetch(url(hub)).content == truth(hub)
    assert time.monotonic() - started >= 0.3


def test_held_answers_go_on_when_the_fault_is_cleared(hub):
    number = hub.fault("hold", kind="resolve_get")
    answers = []
    worker = threading.Thread(target=lambda: answers.append(fetch(url(hub, "config.json"))))
    worker.start()
    hub.wait_for_request("resolve_get")
    time.sleep(0.05)
    assert not answers and hub.counters().running == 1
    hub.clear_faults(number)
    worker.join(5)
    assert answers[0].status_code == 200


def test_throttle_of_each_response_and_of_all_together(hub):
    hub.declare(repo("org/slow", {"a.bin": Generated(100_000, 1)}))
    hub.throttle(400_000)
    assert seconds_for_two(hub) < 0.45
    hub.throttle(400_000, shared=True)
    assert seconds_for_two(hub) >= 0.45


def seconds_for_two(hub):
    where = url(hub, "a.bin", "org/slow")
    workers = [threading.Thread(target=fetch, args=(where,)) for _ in range(2)]
    started = time.monotonic()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return time.monotonic() - started


def test_rate_limits_count_down_to_429(hub):
    hub.rate_limits(api=(2, 300))
    answers = [fetch(f"{hub.url}/api/models/org/repo") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[0].headers["RateLimit"].startswith('"api";r=1;t=')
    assert answers[2].headers["RateLimit"].startswith('"api";r=0;t=')
    assert answers[2].headers["RateLimit-Policy"] == '"fixed window";"api";q=2;w=300'
    assert fetch(url(hub, "config.json")).status_code == 200


def test_every_mode_is_described():
    from pulp_hugging_face.tests.hub import faults

    assert all(f"| {mode} |" in faults.__doc__ for mode in MODES)


def test_chunked_answers_do_not_say_their_length(hub):
    hub.fault("chunked", kind="cdn_get")
    answer = fetch(url(hub))
    assert "Content-Length" not in answer.headers and answer.content == truth(hub)


def test_body_faults_wait_for_a_request_that_has_a_body(hub):
    hub.fault("cut", origin="cdn", after=0, times=1)
    location = requests.head(url(hub)).headers["Location"]
    assert requests.head(location).status_code == 200
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        fetch(location)
