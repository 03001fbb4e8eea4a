"""What is taken at the root of the host, and what is left to Pulp."""

import pytest

from pulp_hugging_face.serve.root import has_hub_shape

SHA = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "//",
        "/api",
        "/api/models/org/name",
        "//api/models/org/name",
        "/api/anything/else",
        "/org/name/resolve/main/config.json",
        "/gpt2/resolve/main/config.json",
        "/org%2Fname/resolve/refs%2fpr%2F1/sub%20dir/x",
        "/datasets/org/name/resolve/main/x",
        "/spaces/org/name/resolve/main/x",
        f"/api/resolve-cache/models/org/name/{SHA}/x",
        # The Hub's shape with a name nobody can have: refused in the Hub's words.
        "/a..b/name/resolve/main/x",
        "/org/name/resolve/main/%ff",
    ],
)
def test_paths_of_the_hub(path: str) -> None:
    assert has_hub_shape(path)


@pytest.mark.parametrize(
    "path",
    [
        "/health",
        "/token",
        "/token/x/resolve/main/y",
        "/v2/",
        "/v2/library/resolve/main/x",
        "/%762/library/resolve/main/x",
        "/pulp/content/",
        "/pulp/content/x/resolve/main/y",
        "/pulp/content/resolve/main/y",
        "/%70ulp/content/resolve/main/y",
        "//pulp/api/resolve/main/y",
        "/pulp/api/v3/status/",
        "/.well-known/acme-challenge/x",
        "/.well-known/x/resolve/main/y",
        "/favicon.ico",
        "/org/name",
        "/datasets/org/name",
    ],
)
def test_paths_of_pulp_and_of_nobody(path: str) -> None:
    assert not has_hub_shape(path)
