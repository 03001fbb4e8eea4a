"""Routes that answer for the owner of the token: another's token must never be lent to them."""

import base64
import json

import pytest

from pulp_hugging_face.tests.hub import INVALID_TOKEN, NOBODY_TOKEN, OWNER_TOKEN

from .asking import errors, get

OWNED = [
    "settings/webhooks",
    "settings/billing/usage",
    "settings/repositories",
    "notifications",
    "jobs/owner",
]


@pytest.mark.parametrize("path", OWNED)
def test_nobody_without_a_token_gets_an_answer(hub, path):
    assert errors(get(f"{hub.url}/api/{path}"))[0] == 401
    answer = get(f"{hub.url}/api/{path}", token=INVALID_TOKEN)
    assert errors(answer)[2] == "Invalid credentials in Authorization header"


@pytest.mark.parametrize("path", OWNED)
def test_the_answer_names_the_owner_of_the_token(hub, path):
    mine = get(f"{hub.url}/api/{path}", token=OWNER_TOKEN)
    assert mine.status_code == 200 and ("owner" in mine.text or "org/" in mine.text)
    other = get(f"{hub.url}/api/{path}", token=NOBODY_TOKEN)
    assert other.text != mine.text and "secret-of-owner" not in other.text
    assert hub.counters().requests == hub.counters().of("settings", "notifications", "jobs")


def test_jobs_are_for_members_of_the_namespace(hub):
    assert errors(get(f"{hub.url}/api/jobs/owner", token=NOBODY_TOKEN))[0] == 403
    job = get(f"{hub.url}/api/jobs/org", token=OWNER_TOKEN).json()[0]
    assert job["owner"] == {"id": job["owner"]["id"], "name": "org", "type": "org"}
    assert get(f"{hub.url}/api/jobs/org/{job['id']}", token=OWNER_TOKEN).json() == job
    assert errors(get(f"{hub.url}/api/jobs/org/0", token=OWNER_TOKEN))[0] == 404
    assert get(f"{hub.url}/api/jobs/hardware").json()[0]["name"] == "cpu-basic"


def test_one_webhook_by_its_id(hub):
    hook = get(f"{hub.url}/api/settings/webhooks", token=OWNER_TOKEN).json()[0]
    url = f"{hub.url}/api/settings/webhooks/{hook['id']}"
    assert get(url, token=OWNER_TOKEN).json()["webhook"] == hook
    assert errors(get(url, token=NOBODY_TOKEN))[0] == 404


def claims_of(answer):
    part = answer.json()["token"].split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def test_a_jwt_is_made_out_to_the_caller_and_opens_what_the_caller_may_open(hub):
    url = f"{hub.url}/api/models/org/gated/jwt"
    assert errors(get(url))[0] == 401
    assert errors(get(url, token=NOBODY_TOKEN))[:2] == (403, "GatedRepo")
    claims = claims_of(get(url, token=OWNER_TOKEN))
    assert (claims["sub"], claims["onBehalfOf"]["user"]) == ("models/org/gated", "owner")
    assert claims["iss"] == hub.url
    space = claims_of(get(f"{hub.url}/api/spaces/org/space/jwt", token=NOBODY_TOKEN))
    assert space["onBehalfOf"]["user"] == "nobody"
    assert hub.counters().kinds == {"jwt": 4}
