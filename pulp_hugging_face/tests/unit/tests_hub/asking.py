"""Raw HTTP for the tests of the fixture: no client library in between."""

import requests


def get(url, token=None, follow=True, method="GET", **headers):
    sent = {key.replace("_", "-"): value for key, value in headers.items()}
    if token:
        sent["Authorization"] = f"Bearer {token}"
    return requests.request(method, url, headers=sent, allow_redirects=follow)


def head(url, **arguments):
    return get(url, method="HEAD", follow=False, **arguments)


def errors(answer):
    headers = answer.headers
    return answer.status_code, headers.get("X-Error-Code"), headers.get("X-Error-Message")


def pages(url, **arguments):
    """The JSON of every page, by `Link`."""
    found = []
    while url:
        answer = get(url, **arguments)
        found.append(answer.json())
        url = answer.links.get("next", {}).get("url")
    return found


def ids(url, **arguments):
    return [data["id"] for page in pages(url, **arguments) for data in page]
