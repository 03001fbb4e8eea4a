"""What people do on the Hub: discussions, likes, collections, papers, overviews, search."""

import pytest

from pulp_hugging_face.tests.hub import NOBODY_TOKEN, OWNER_TOKEN, repo

from .asking import errors, get, ids, pages


def test_discussions_are_pull_requests_and_what_was_declared(hub):
    base = f"{hub.url}/api/models/org/repo/discussions"
    found = get(base).json()
    assert (found["count"], found["start"]) == (2, 0)
    assert [(d["num"], d["isPullRequest"]) for d in found["discussions"]] == [(2, True), (1, True)]
    assert get(f"{base}?type=discussion").json()["count"] == 0
    one = get(f"{base}/1?diff=1").json()
    assert one["changes"]["base"] == "refs/heads/main" and one["filesWithConflicts"] == []
    assert [event["type"] for event in one["events"]] == ["comment", "commit"]
    assert one["events"][1]["data"]["oid"] == hub.sha("org/repo", "refs/pr/1")
    assert "+from the PR\n" in one["diff"]
    html = one["events"][0]["data"]["latest"]["html"]
    assert f'href="{hub.url}/org/repo/discussions/1"' in html
    assert errors(get(f"{base}/7"))[0] == 404
    titles = get(f"{hub.url}/api/models/org/mixture/discussions").json()["discussions"]
    assert [d["title"] for d in titles] == ["Thanks", "How is it sharded?"]
    assert hub.counters().kinds == {"discussions": 5}


def test_discussions_come_ten_at_a_time(hub):
    titles = tuple(f"Question {n}" for n in range(23))
    hub.declare(repo("org/busy", {"a": "a"}, type="dataset", discussions=titles))
    base = f"{hub.url}/api/datasets/org/busy/discussions"
    found = [get(f"{base}?p={page}").json() for page in range(3)]
    assert [len(page["discussions"]) for page in found] == [10, 10, 3]
    assert [page["start"] for page in found] == [0, 10, 20]
    hub.delete_repo("org/busy", type="dataset")


def test_access_requests_are_for_those_who_may_write(hub):
    url = f"{hub.url}/api/models/org/gated/user-access-request/pending"
    assert errors(get(url))[0] == 401
    assert errors(get(url, token=NOBODY_TOKEN))[0] == 403
    assert get(url, token=OWNER_TOKEN).json()[0]["status"] == "pending"


def test_auth_check_tells_read_from_write(hub):
    base = f"{hub.url}/api/models"
    assert get(f"{base}/org/repo/auth-check").status_code == 200
    assert errors(get(f"{base}/org/repo/auth-check/write"))[0] == 401
    assert errors(get(f"{base}/org/repo/auth-check/write", token=NOBODY_TOKEN))[0] == 403
    assert get(f"{base}/org/repo/auth-check/write", token=OWNER_TOKEN).status_code == 200
    assert errors(get(f"{base}/org/gated/auth-check"))[:2] == (401, "GatedRepo")
    assert errors(get(f"{base}/org/priv/auth-check", token=NOBODY_TOKEN))[:2] == (
        404, "RepoNotFound",
    )  # fmt: skip
    refusal = get(f"{base}/org/gated/auth-check", token=NOBODY_TOKEN)
    assert f"{hub.url}/org/gated" in refusal.headers["X-Error-Message"]
    assert hub.counters().of("auth_check") == 7


def test_likers_have_avatars_on_the_storage_origin(hub):
    found = get(f"{hub.url}/api/models/org/repo/likers").json()
    assert [liker["user"] for liker in found] == ["nobody", "owner"]
    assert all(liker["avatarUrl"].startswith(hub.cdn_url) for liker in found)
    picture = get(found[0]["avatarUrl"])
    assert picture.headers["Content-Type"] == "image/svg+xml" and "<svg" in picture.text
    assert hub.counters().kinds == {"likers": 1, "cdn_avatar": 1}
    first = pages(f"{hub.url}/api/models/org/repo/likers?limit=1")
    assert [len(page) for page in first] == [1, 1]


def test_collections_show_four_items_in_lists_and_all_of_them_alone(hub):
    base = f"{hub.url}/api/collections"
    listed = get(f"{base}?owner=org").json()
    assert [each["title"] for each in listed] == ["Fixture models"]
    assert len(listed[0]["items"]) == 4
    one = get(f"{base}/{listed[0]['slug']}").json()
    assert [item["id"] for item in one["items"]] == [
        "org/repo", "org/bert", "org/sharded", "org/tables", "org/space", "2401.00001",
    ]  # fmt: skip
    assert f'href="{hub.url}/datasets/org/tables"' in one["items"][3]["note"]["html"]
    assert one["shareUrl"].startswith(f"{hub.url}/collections/org/")
    assert one["owner"]["avatarUrl"].startswith(hub.cdn_url)
    assert errors(get(f"{base}/org/nope-123"))[0] == 404
    assert hub.counters().kinds == {"collections": 3}


def test_private_collections_and_items_are_for_their_owner(hub):
    base = f"{hub.url}/api/collections"
    assert [each["title"] for each in get(base, token=NOBODY_TOKEN).json()] == [
        "Fixture models", "Small things",
    ]  # fmt: skip
    mine = get(f"{base}?owner=owner", token=OWNER_TOKEN).json()
    assert [item["id"] for item in mine[0]["items"]] == ["org/priv"]
    assert errors(get(f"{base}/{mine[0]['slug']}"))[0] == 404
    by_item = get(f"{base}?item=models/microsoft/DialoGPT-medium").json()
    assert [each["title"] for each in by_item] == ["Small things"]
    assert [len(page) for page in pages(f"{base}?limit=1&sort=upvotes")] == [1, 1]


def test_papers_are_searched_shown_and_read(hub):
    base = f"{hub.url}/api/papers"
    found = get(f"{base}/search?q=attention").json()
    assert [entry["paper"]["id"] for entry in found] == ["2401.00001", "2401.00002"]
    assert len(get(f"{base}/search?q=attention&limit=1").json()) == 1
    one = get(f"{base}/2401.00001").json()
    assert one["title"] == "Attention to Caches"
    assert [model["id"] for model in one["linkedModels"]] == ["org/repo"]
    assert one["projectPage"] == f"{hub.url}/papers/2401.00001"
    assert errors(get(f"{base}/9999.00000"))[0] == 404
    page = get(f"{hub.url}/papers/2401.00001.md")
    assert page.headers["Content-Type"].startswith("text/markdown")
    assert page.text.startswith("# Attention to Caches\n")
    assert hub.counters().kinds == {"papers": 4, "paper_page": 1}


def daily(hub, query):
    answer = get(f"{hub.url}/api/daily_papers?{query}").json()
    return [entry["paper"]["id"] for entry in answer]


def test_daily_papers_by_date_month_page_and_order(hub):
    assert daily(hub, "") == ["2402.00003", "2401.00002", "2401.00001"]
    assert daily(hub, "date=2024-01-04") == ["2401.00002"]
    assert daily(hub, "month=2024-01&sort=trending") == ["2401.00001", "2401.00002"]
    assert daily(hub, "limit=2&p=1") == ["2401.00001"]
    assert daily(hub, "submitter=owner") == []


def test_overviews_count_what_the_caller_may_see(hub):
    user = get(f"{hub.url}/api/users/owner/overview").json()
    assert (user["user"], user["fullname"], user["type"]) == ("owner", "The Owner", "user")
    assert [org["name"] for org in user["orgs"]] == ["org"]
    assert user["avatarUrl"].startswith(hub.cdn_url) and hub.url in user["details"]
    base = f"{hub.url}/api/organizations/org"
    anonymous = get(f"{base}/overview").json()
    known = get(f"{base}/overview", token=OWNER_TOKEN).json()
    assert known["numModels"] == anonymous["numModels"] + 1
    assert (anonymous["numUsers"], anonymous["type"]) == (1, "org")
    assert [member["user"] for member in get(f"{base}/members").json()] == ["owner"]
    assert errors(get(f"{hub.url}/api/users/nope/overview"))[0] == 404
    assert errors(get(f"{hub.url}/api/organizations/owner/overview"))[0] == 404
    assert hub.counters().kinds == {"users": 2, "organizations": 4}


def test_likes_of_a_user_name_private_repositories_only_to_those_who_see_them(hub):
    url = f"{hub.url}/api/users/nobody/likes"
    assert "org/priv" not in {like["repo"]["name"] for like in get(url).json()}
    assert "org/priv" in {like["repo"]["name"] for like in get(url, token=OWNER_TOKEN).json()}


def test_tasks_name_a_widget_model(hub):
    tasks = get(f"{hub.url}/api/tasks").json()
    assert tasks["fill-mask"]["widgetModels"] == ["org/bert"]
    assert get(f"{hub.url}/api/tasks/fill-mask").json() == tasks["fill-mask"]
    assert hub.counters().kinds == {"tasks": 2}


def test_quicksearch_groups_by_type_and_hides_the_private(hub):
    url = f"{hub.url}/api/quicksearch"
    found = get(f"{url}?q=org/pr&type=model").json()
    assert (found["models"], found["modelsCount"]) == ([], 0) and "datasets" not in found
    assert get(f"{url}?q=org/pr&type=model", token=OWNER_TOKEN).json()["modelsCount"] == 1
    everything = get(f"{url}?q=o&limit=2").json()
    assert len(everything["models"]) == 2 < everything["modelsCount"]
    assert {"datasets", "spaces", "users", "orgs", "papers", "collections"} <= set(everything)


@pytest.mark.parametrize("kind", ["model", "dataset", "space"])
def test_trending_by_type(hub, kind):
    found = get(f"{hub.url}/api/trending?type={kind}&limit=3").json()["recentlyTrending"]
    assert 1 <= len(found) <= 3
    assert {entry["repoType"] for entry in found} == {kind}
    assert "org/priv" not in [entry["repoData"]["id"] for entry in found]


def test_cards_and_descriptions_link_to_the_hub_itself(hub):
    card = get(f"{hub.url}/api/models/org/links").json()["cardData"]
    assert card["license_link"] == f"{hub.url}/org/links/blob/main/LICENSE"
    assert card["widget"][0]["src"].startswith(f"{hub.url}/org/links/resolve/")
    assert hub.url.encode() in hub.bytes_of("org/links", "README.md")
    description = get(f"{hub.url}/api/datasets/org/ds").json()["description"]
    assert description.endswith(f"{hub.url}/datasets/org/ds.")
    assert "org/links" in ids(f"{hub.url}/api/models?filter=dataset:org/ds")
