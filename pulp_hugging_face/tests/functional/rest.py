"""Pulp's REST API as an administrator uses it: plain requests, tasks waited for."""

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin

import requests

TASK_SECONDS = 90.0


class TaskFailed(Exception):
    """A task ended in another state than "completed"."""


class Rest:
    """Requests to one server. Paths are relative to `/pulp/api/v3/`; hrefs are taken as well."""

    REMOTES = "remotes/hugging_face/hugging-face/"
    REPOSITORIES = "repositories/hugging_face/hugging-face/"
    DISTRIBUTIONS = "distributions/hugging_face/hugging-face/"
    REFS = "content/hugging_face/refs/"
    COMMITS = "content/hugging_face/commits/"

    def __init__(self, url: str, auth: tuple[str, str] | None) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.auth = auth
        self.session.trust_env = False

    def ask(self, method: str, path: str, **arguments: Any) -> requests.Response:
        """Send a request; the answer may be a refusal."""
        return self.session.request(method, urljoin(self.url, path), timeout=60, **arguments)

    def get(self, path: str, **query: Any) -> Any:
        return _checked(self.ask("GET", path, params=query)).json()

    def list(self, path: str, **query: Any) -> list[dict[str, Any]]:
        """Return all results of all pages."""
        return list(self._pages(path, query))

    def _pages(self, path: str, query: dict[str, Any]) -> Iterator[dict[str, Any]]:
        page = self.get(path, **query)
        yield from page["results"]
        while page["next"]:
            page = self.get(page["next"])
            yield from page["results"]

    def create(self, path: str, **fields: Any) -> Any:
        """Create an object, through a task where the server does so; returns the object."""
        answer = _checked(self.ask("POST", path, json=fields)).json()
        return self._outcome(answer)

    def update(self, href: str, **fields: Any) -> Any:
        answer = _checked(self.ask("PATCH", href, json=fields)).json()
        return self._outcome(answer) or self.get(href)

    def delete(self, href: str) -> None:
        answer = _checked(self.ask("DELETE", href))
        if answer.status_code == 202:
            self.wait(answer.json()["task"])

    def run(self, path: str, **fields: Any) -> dict[str, Any]:
        """Start a task and return it when it has ended well."""
        return self.wait(_checked(self.ask("POST", path, json=fields)).json()["task"])

    def _outcome(self, answer: Any) -> Any:
        if "task" not in answer:
            return answer
        created = self.wait(answer["task"])["created_resources"]
        return self.get(created[0]) if created else None

    def wait(self, href: str, seconds: float = TASK_SECONDS) -> dict[str, Any]:
        """Wait for a task's end; raises TaskFailed."""
        deadline = time.monotonic() + seconds
        while True:
            task = self.get(href)
            if task["state"] == "completed":
                return task
            if task["state"] in ("failed", "canceled", "skipped") or time.monotonic() > deadline:
                raise TaskFailed(f"{task['name']} is {task['state']}: {task['error']}")
            time.sleep(0.1)


def _checked(answer: requests.Response) -> requests.Response:
    assert answer.ok, f"{answer.request.method} {answer.url}: {answer.status_code} {answer.text}"
    return answer
