"""Lists and searches, parameter by parameter, and `expand` (hub-protocol.md §2.3)."""

from urllib.parse import parse_qs, urlsplit

import pytest

from pulp_hugging_face.tests.hub import OWNER_TOKEN

from .asking import errors, get, ids


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("models?search=SERV", ["org/served"]),
        ("models?search=org&search=served", ["org/served"]),
        ("models?author=microsoft", ["microsoft/DialoGPT-medium"]),
        ("models?filter=conversational", ["microsoft/DialoGPT-medium"]),
        ("models?filter=transformers&filter=fill-mask", ["org/bert"]),
        ("models?filter=transformers,fill-mask", ["org/bert"]),
        ("models?filter=base_model:org/bert&filter=license:mit", ["org/served"]),
        ("models?library=sentence-transformers", ["org/st"]),
        ("models?language=de", ["org/served"]),
        ("models?license=apache-2.0", ["org/bert"]),
        ("models?dataset=org/ds", ["org/links"]),
        ("models?pipeline_tag=fill-mask", ["org/bert"]),
        ("models?gated=True", ["org/gated"]),
        ("models?inference=warm", ["org/served"]),
        ("models?inference_provider=all", ["org/served"]),
        ("models?inference_provider=hf-inference&inference_provider=together", ["org/served"]),
        ("models?inference_provider=together", []),
        ("models?apps=ollama", ["org/gguf"]),
        ("models?apps=vllm&language=de", ["org/served"]),
        ("models?num_parameters=min:1M", ["org/served"]),
        ("models?num_parameters=min:12K,max:12.5K", ["org/gguf"]),
        ("models?num_parameters=max:100", ["org/mixture"]),
        ("datasets?filter=task_categories:text-classification", ["org/ds"]),
        ("datasets?filter=language:en", ["org/tables"]),
        ("datasets?language=en&filter=library:datasets", ["org/tables"]),
        ("datasets?search=tables&search=org", ["org/tables"]),
        ("datasets?gated=false", ["org/ds", "org/tables"]),
        ("spaces?models=org/served", ["org/drawing"]),
        ("spaces?datasets=org/ds&datasets=org/tables", ["org/drawing"]),
        ("spaces?datasets=org/nope", []),
        ("spaces?linked=true", ["org/drawing"]),
        ("spaces?filter=gradio", ["org/space"]),
    ],
)
def test_every_parameter_narrows_the_list(hub, query, expected):
    assert ids(f"{hub.url}/api/{query}") == expected


def test_gated_false_leaves_the_gated_out(hub):
    assert "org/gated" not in ids(f"{hub.url}/api/models?gated=false")


@pytest.mark.parametrize(
    ("sort", "key"),
    [("downloads", "downloads"), ("likes", "likes"), ("trendingScore", "trendingScore"),
     ("lastModified", "lastModified"), ("createdAt", "createdAt")],
)  # fmt: skip
@pytest.mark.parametrize("direction", ["", "&direction=-1", "&direction=1"])
def test_lists_are_sorted(hub, sort, key, direction):
    url = f"{hub.url}/api/models?sort={sort}{direction}&expand={key}&author=org"
    values = [data[key] for data in get(url).json()]
    assert values == sorted(values, reverse=direction != "&direction=1")
    assert len(set(values)) > 1 or key == "createdAt"


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("models?sort=nonsense", "Invalid sort parameter"),
        ("models?expand=nope", '"expand" must be one of [author, baseModels, '),
        ("models?expand[]=likes&expand[]=likes", '"expand[1]" contains a duplicate value'),
        ("models/org/repo?expand=sha&expand=securityStatus", '"expand[1]" must be one of ['),
        ("datasets/org/ds?expand=pipeline_tag", '"expand" must be one of [author, '),
        ("spaces?expand=downloads", '"expand" must be one of [author, '),
        ("models?num_parameters=many", "Invalid num_parameters"),
        ("models?cursor=%C3%A9", "Invalid cursor"),
    ],
)
def test_what_the_hub_does_not_know_is_400(hub, query, message):
    answer = get(f"{hub.url}/api/{query}")
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(message)
    assert answer.headers["X-Error-Message"].startswith(message)


def test_pages_are_linked_by_opaque_cursors_that_keep_the_query(hub):
    url = f"{hub.url}/api/models?filter=region:us&sort=likes&limit=5"
    link = get(url).links["next"]["url"]
    query = parse_qs(urlsplit(link).query)
    assert link.startswith(f"{hub.url}/api/models?")
    assert (query["filter"], query["limit"]) == (["region:us"], ["5"])
    assert not query["cursor"][0].isdigit()
    found = ids(url)
    assert len(found) == len(set(found)) and found == ids(url.replace("limit=5", "limit=100"))
    assert "org/priv" in ids(f"{url}&full=true", token=OWNER_TOKEN)


def test_lists_are_short_unless_more_is_asked_for(hub):
    url = f"{hub.url}/api/models?search=org/repo"
    plain, full = get(url).json()[0], get(f"{url}&full=True").json()[0]
    assert set(plain) <= set(full) and {"siblings", "sha", "lastModified"} <= set(full)
    assert not {"siblings", "cardData", "config"} & set(plain)
    more = get(f"{url}&cardData=True&config=True").json()[0]
    assert more["cardData"]["license"] == "mit" and more["config"]["model_type"] == "gpt2"


ON_DEMAND = ["inferenceProviderMapping", "trendingScore", "downloadsAllTime", "resourceGroup",
             "childrenModelCount", "baseModels", "xetEnabled", "evalResults"]  # fmt: skip


@pytest.mark.parametrize("name", ON_DEMAND)
def test_some_properties_come_only_when_they_are_named(hub, name):
    url = f"{hub.url}/api/models/org/served"
    assert name not in get(url).json()
    assert set(get(f"{url}?expand={name}").json()) == {"_id", "id", name}
    assert name in get(f"{hub.url}/api/models?search=served&expand={name}").json()[0]


def test_expanded_properties_have_the_shapes_of_the_hub(hub):
    names = ("baseModels", "inferenceProviderMapping", "safetensors", "usedStorage")
    query = "&".join(f"expand={name}" for name in names)
    data = get(f"{hub.url}/api/models/org/served?{query}").json()
    assert data["baseModels"]["relation"] == "finetune"
    assert [model["id"] for model in data["baseModels"]["models"]] == ["org/bert"]
    assert data["inferenceProviderMapping"]["together"]["status"] == "staging"
    assert data["safetensors"]["total"] == 1_500_000 and data["usedStorage"] > 3_000_000
    listed = get(f"{hub.url}/api/models?search=served&expand=inferenceProviderMapping").json()[0]
    assert [each["provider"] for each in listed["inferenceProviderMapping"]] == [
        "hf-inference", "together",
    ]  # fmt: skip
    bert = get(f"{hub.url}/api/models/org/bert?expand=childrenModelCount&expand=baseModels").json()
    assert bert["baseModels"] is None and bert["childrenModelCount"]["finetune"] >= 1
    assert get(f"{hub.url}/api/models/org/served?expand=spaces").json()["spaces"] == ["org/drawing"]


def test_security_status_names_the_files_with_issues(hub):
    url = f"{hub.url}/api/models/org/served"
    assert "securityRepoStatus" not in get(url).json()
    status = {"scansDone": True, "filesWithIssues": [{"path": "weights.pkl", "level": "unsafe"}]}
    assert get(f"{url}?securityStatus=true").json()["securityRepoStatus"] == status
    assert get(f"{url}/scan").json() == status


def test_unknown_parameters_are_ignored(hub):
    url = f"{hub.url}/api/models/org/repo"
    assert get(f"{url}?nonsense=1&full=true").json() == get(url).json()


def test_semantic_search_finds_spaces_by_any_word(hub):
    url = f"{hub.url}/api/spaces/semantic-search"
    found = get(f"{url}?q=draw+picture").json()
    assert [each["id"] for each in found] == ["org/drawing"]
    assert found[0]["title"] == "Draw a tiny picture" and found[0]["semanticRelevancyScore"] == 1
    assert get(f"{url}?q=draw&sdk=gradio").json() == []
    assert errors(get(url))[0] == 400
    assert hub.counters().kinds == {"space_search": 3}


def test_tags_are_grouped_and_may_be_of_one_type(hub):
    url = f"{hub.url}/api/models-tags-by-type"
    assert {tag["id"] for tag in get(url).json()["library"]} >= {"transformers"}
    assert set(get(f"{url}?type=license").json()) == {"license"}
