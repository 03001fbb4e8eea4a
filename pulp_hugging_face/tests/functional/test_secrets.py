"""Tokens go to the Hub's own origin and nowhere else: not to storage, clients, logs or the disk."""

import base64

import pytest

from pulp_hugging_face.tests.hub import NOBODY_TOKEN, OWNER_TOKEN, repo

from . import wire
from .caches import Cache, fresh_repo, random_file, unique
from .upstream_log import asked, tokens_seen

SCAN_EVERY_TABLE = """
from django.db import connection
found = []
with connection.cursor() as cursor:
    for table in connection.introspection.table_names():
        cursor.execute(f'SELECT count(*) FROM "{table}" t WHERE t::text LIKE %s', ["%NEEDLE%"])
        if cursor.fetchone()[0]:
            found.append(table)
print("FOUND", found)
"""


@pytest.fixture
def private(hub) -> str:
    name = unique("org/private")
    hub.declare(repo(name, {"config.json": f"{name}\n", "w.bin": random_file(200_000)},
                     private=True))  # fmt: skip
    return name


def test_the_remotes_token_is_seen_by_the_hub_only(hub, shared, private):
    cache = shared(hf_token=OWNER_TOKEN)
    for path in ("config.json", "w.bin"):
        assert cache.get(f"/{private}/resolve/main/{path}").body == hub.bytes_of(private, path)
    assert cache.get(f"/api/models/{private}/refs").status == 200
    assert tokens_seen(hub, private) == {"hub": {OWNER_TOKEN}, "cdn": {None}}


def test_no_answer_and_no_log_holds_a_token(hub, stack, shared, private):
    cache = shared(hf_token=OWNER_TOKEN)
    caller = {"Authorization": f"Bearer {NOBODY_TOKEN}"}
    for target in (
        f"/{private}/resolve/main/w.bin", f"/{private}/resolve/main/nope", f"/api/models/{private}",
        "/org/nope/resolve/main/x", "/org/gated/resolve/main/config.json", "/nonsense",
    ):  # fmt: skip
        for method in ("GET", "HEAD"):
            reply = wire.ask(cache.url, target, method, caller)
            text = f"{reply.headers}{reply.text}"
            assert OWNER_TOKEN not in text and NOBODY_TOKEN not in text
    hub.fault("status", status=500)
    wire.ask(cache.url, f"/{fresh_repo(hub)}/resolve/main/config.json", headers=caller)
    logs = stack.logs()
    assert logs and OWNER_TOKEN not in logs and NOBODY_TOKEN not in logs


def test_a_token_is_never_returned(stack, new_cache):
    rest = stack.rest
    cache = new_cache(hf_token=OWNER_TOKEN)
    for answer in (cache.remote, rest.get(cache.remote["pulp_href"])):
        assert "hf_token" not in answer
        assert {"name": "hf_token", "is_set": True} in answer["hidden_fields"]
    listed = rest.ask("GET", rest.REMOTES).text
    assert OWNER_TOKEN not in listed
    without = new_cache().remote
    assert without["hf_token"] is None
    assert {"name": "hf_token", "is_set": False} in without["hidden_fields"]
    cleared = rest.update(cache.remote["pulp_href"], hf_token=None)
    assert cleared["hf_token"] is None


def test_tasks_tell_no_token(stack, hub, new_cache, private):
    cache = new_cache(hf_token=OWNER_TOKEN, repository=True)
    assert cache.get(f"/{private}/resolve/main/config.json").good
    stack.rest.update(cache.remote["pulp_href"], hf_token=NOBODY_TOKEN)
    listed = stack.rest.ask("GET", "tasks/?limit=1000").text
    assert OWNER_TOKEN not in listed and NOBODY_TOKEN not in listed


def test_tokens_are_encrypted_at_rest(stack, hub, new_cache, private):
    cache = new_cache(hf_token=OWNER_TOKEN)
    assert cache.get(f"/{private}/resolve/main/w.bin").good
    client = new_cache()
    wire.ask(client.url, f"/{private}/resolve/main/w.bin", headers={
        "Authorization": f"Bearer {OWNER_TOKEN}"})  # fmt: skip
    out = stack.manager(SCAN_EVERY_TABLE.replace("NEEDLE", OWNER_TOKEN))
    assert "FOUND []" in out
    # The same search does find what is stored in the clear.
    assert "core_remote" in stack.manager(SCAN_EVERY_TABLE.replace("NEEDLE", cache.base_path))


def test_a_callers_token_is_not_sent_upstream_in_mode_shared(hub, shared, private):
    cache = shared(hf_token=OWNER_TOKEN)
    caller = {"Authorization": f"Bearer {NOBODY_TOKEN}"}
    assert wire.ask(cache.url, f"/{private}/resolve/main/w.bin", headers=caller).good
    assert tokens_seen(hub, private) == {"hub": {OWNER_TOKEN}, "cdn": {None}}


@pytest.mark.parametrize("mode", ["client", "shared"])
def test_pulps_own_credentials_never_go_upstream(hub, shared, mode):
    """Basic credentials are for Pulp, whatever the content guard makes of them."""
    cache, repo_id = shared(token_mode=mode), fresh_repo(hub)
    basic = base64.b64encode(b"admin:secret-of-pulp").decode()
    for target in (f"/{repo_id}/resolve/main/small.bin", "/org/priv/resolve/main/config.json"):
        wire.ask(cache.url, target, headers={"Authorization": f"Basic {basic}"})
    assert (
        tokens_seen(hub, repo_id) == tokens_seen(hub, "org/priv") == {"hub": {None}, "cdn": {None}}
    )


def test_other_headers_of_the_caller_stay_here(hub, cache: Cache):
    repo_id = fresh_repo(hub)
    sent = {"Cookie": "session=1", "X-Forwarded-For": "10.1.2.3", "X-Secret": "s", "Referer": "r"}
    assert wire.ask(cache.url, f"/{repo_id}/resolve/main/small.bin", headers=sent).good
    for entry in asked(hub):
        assert {"Cookie", "X-Forwarded-For", "X-Secret", "Referer"}.isdisjoint(entry.headers)


def test_an_invalid_token_of_the_remote_is_named(hub, new_cache):
    cache = new_cache(hf_token="hf_wrong")
    reply = cache.get(f"/{fresh_repo(hub)}/resolve/main/config.json")
    assert reply.status == 401 and "credentials" in reply.headers["x-error-message"].lower()
