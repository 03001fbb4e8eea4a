"""Refusals of the Hub: status, `X-Error-Code` and sentence (hub-protocol.md §1.7, §2.1).

Where live captures are more exact than the table they win: a repository that is not there (or
not to be seen) is answered to an anonymous caller with 401 and *no* `X-Error-Code`.
"""

from dataclasses import dataclass, field

AUTHENTICATE = {"WWW-Authenticate": 'Bearer realm="Authentication required", charset="UTF-8"'}


@dataclass(eq=False)
class HubError(Exception):
    """A refusal, as a value that any handler may raise."""

    status: int
    message: str
    code: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.status} {self.code}: {self.message}"


def repo_not_found(*, anonymous: bool, explicit: bool) -> HubError:
    """401 without a code for anonymous callers, 404 `RepoNotFound` for known ones."""
    if anonymous:
        code = "RepoNotFound" if explicit else None
        return HubError(401, "Invalid username or password.", code, dict(AUTHENTICATE))
    return HubError(404, "Repository not found", "RepoNotFound")


def revision_not_found(revision: str) -> HubError:
    return HubError(404, f"Invalid rev id: {revision}", "RevisionNotFound")


def entry_not_found(commit: str, message: str = "Entry not found") -> HubError:
    return HubError(404, message, "EntryNotFound", {"X-Repo-Commit": commit})


def gated(kind: str, repo_id: str, url: str, *, anonymous: bool) -> HubError:
    if anonymous:
        message = (
            f"Access to {kind} {repo_id} is restricted. You must have access to it and be "
            "authenticated to access it. Please log in."
        )
        return HubError(401, message, "GatedRepo", dict(AUTHENTICATE))
    message = (
        f"Access to {kind} {repo_id} is restricted and you are not in the authorized list. "
        f"Visit {url} to ask for access."
    )
    return HubError(403, message, "GatedRepo")


def disabled() -> HubError:
    return HubError(403, "Access to this resource is disabled.")


def bad_credentials() -> HubError:
    return HubError(401, "Invalid credentials in Authorization header")


def not_authenticated() -> HubError:
    return HubError(401, "Invalid username or password.", None, dict(AUTHENTICATE))


def forbidden(message: str) -> HubError:
    return HubError(403, message)


def page_not_found() -> HubError:
    return HubError(404, "Sorry, we can't find the page you are looking for.")


def bad_request(message: str) -> HubError:
    return HubError(400, message)
