"""Each refusal makes the real client raise what its user expects (§2.1)."""

import pytest
from huggingface_hub import errors as client
from huggingface_hub.utils import _http, hf_raise_for_status

from pulp_hugging_face.hub import errors
from pulp_hugging_face.hub.errors import (
    BadRequest,
    DefiniteRefusal,
    DisabledRepo,
    EntryNotFound,
    Forbidden,
    GatedRepo,
    GuardRefused,
    HubError,
    InvalidCredentials,
    NotSupported,
    RangeNotSatisfiable,
    RepoMoved,
    RepoNotFound,
    RevisionNotFound,
    StorageFull,
    Trouble,
    UpstreamBusy,
    UpstreamInvalid,
    UpstreamTimeout,
    UpstreamUnavailable,
    refusal_from_code,
)
from pulp_hugging_face.hub.headers import error_headers
from pulp_hugging_face.hub.payloads import error_body

# The library the installed client speaks HTTP with: httpx in 1.x, httpx2 in 2.x.
httpx = getattr(_http, "httpx2", None) or _http.httpx

COMMIT = "0123456789abcdef0123456789abcdef01234567"
RESOLVE = "http://pulp.test:24816/pulp/content/hf/org/repo/resolve/main/x"
API = "http://pulp.test:24816/pulp/content/hf/api/models/org/repo"


def raised_by_client(error: HubError, url: str = RESOLVE) -> Exception:
    """What huggingface_hub makes of our answer."""
    response = httpx.Response(
        error.status,
        headers=error_headers(error),
        json=error_body(error),
        request=httpx.Request("GET", url),
    )
    with pytest.raises(client.HfHubHTTPError) as caught:
        hf_raise_for_status(response)
    return caught.value


@pytest.mark.parametrize("url", [RESOLVE, API])
@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (RepoNotFound("Repository not found"), client.RepositoryNotFoundError),
        (RepoNotFound("Invalid username or password.", status=401), client.RepositoryNotFoundError),
        (RevisionNotFound("Invalid rev id: x"), client.RevisionNotFoundError),
        (EntryNotFound("No such file", commit=COMMIT), client.RemoteEntryNotFoundError),
        (GatedRepo("Ask for access."), client.GatedRepoError),
        (GatedRepo("Log in.", status=401), client.GatedRepoError),
        (DisabledRepo(), client.DisabledRepoError),
        (BadRequest("Invalid cursor"), client.BadRequestError),
        (InvalidCredentials(), client.HfHubHTTPError),
        (Forbidden("No."), client.HfHubHTTPError),
        (GuardRefused("No."), client.HfHubHTTPError),
        (NotSupported("No."), client.HfHubHTTPError),
        (RangeNotSatisfiable(5), client.HfHubHTTPError),
        (UpstreamUnavailable("No."), client.HfHubHTTPError),
        (UpstreamTimeout("No."), client.HfHubHTTPError),
        (UpstreamInvalid("No."), client.HfHubHTTPError),
        (UpstreamBusy("No.", retry_after=3), client.HfHubHTTPError),
        (StorageFull("No room."), client.HfHubHTTPError),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, HubError) else "",
)
def test_the_client_raises_its_own_exception(
    error: HubError, expected: type[Exception], url: str
) -> None:
    caught = raised_by_client(error, url)
    assert type(caught) is expected


@pytest.mark.parametrize(
    "error",
    [NotSupported("No."), Forbidden("No."), GuardRefused("No."), UpstreamInvalid("No.")],
)
def test_what_is_no_refusal_of_a_repository_is_not_taken_for_one(error: HubError) -> None:
    """`repo_exists` would answer False, and `.no_exist` would be written."""
    caught = raised_by_client(error)
    assert not isinstance(caught, client.RepositoryNotFoundError | client.EntryNotFoundError)
    assert not isinstance(caught, client.RevisionNotFoundError)


def test_an_invalid_token_is_not_a_missing_repository() -> None:
    """Also on https and without a prefix, where a bare 401 means RepoNotFound."""
    caught = raised_by_client(InvalidCredentials(), "https://hub.test/api/models/org/repo")
    assert not isinstance(caught, client.RepositoryNotFoundError)


def test_the_sentence_reaches_the_user() -> None:
    assert "Ask for access to org/repo." in str(
        raised_by_client(GatedRepo("Ask for access to org/repo."))
    )
    assert "only 5 bytes" in str(raised_by_client(StorageFull("only 5 bytes")))


def test_a_missing_file_carries_the_commit() -> None:
    caught = raised_by_client(EntryNotFound("No such file", commit=COMMIT))
    assert isinstance(caught, client.RemoteEntryNotFoundError)
    assert caught.response.headers["X-Repo-Commit"] == COMMIT


@pytest.mark.parametrize(
    ("code", "status", "message", "expected"),
    [
        ("RevisionNotFound", 404, "", RevisionNotFound),
        ("EntryNotFound", 404, "", EntryNotFound),
        ("GatedRepo", 401, "", GatedRepo),
        ("GatedRepo", 403, "", GatedRepo),
        ("RepoNotFound", 401, "", RepoNotFound),
        ("RepoNotFound", 404, "", RepoNotFound),
        ("", 403, DisabledRepo.SENTENCE, DisabledRepo),
        ("DisabledRepo", 403, "", DisabledRepo),
        ("EntryNotFound", 404, DisabledRepo.SENTENCE, EntryNotFound),
        ("", 401, InvalidCredentials.SENTENCE, InvalidCredentials),
        ("", 401, "Invalid username or password.", RepoNotFound),
        ("", 401, "", RepoNotFound),
        ("", 403, "No.", Forbidden),
        ("SomethingNew", 403, "No.", Forbidden),
        (GuardRefused.code, 403, "No.", Forbidden),
    ],
)
def test_a_refusal_of_the_upstream_is_understood_in_the_order_of_the_client(
    code: str, status: int, message: str, expected: type[DefiniteRefusal]
) -> None:
    refusal = refusal_from_code(code, status, message)
    assert type(refusal) is expected
    assert refusal.status == status and refusal.message


@pytest.mark.parametrize(
    ("code", "status"), [("", 404), ("", 400), ("", 410), ("Whatever", 404), ("", 405), ("", 418)]
)
def test_a_bare_status_is_no_refusal(code: str, status: int) -> None:
    """It may come from any web server on the way."""
    assert refusal_from_code(code, status, "Not Found") is None


REFUSALS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, HubError) and kind.__module__ == errors.__name__
]


def made(kind: type[HubError]) -> HubError:
    return RangeNotSatisfiable(5) if kind is RangeNotSatisfiable else kind("A sentence.")


@pytest.mark.parametrize("kind", REFUSALS, ids=lambda kind: kind.__name__)
def test_every_error_has_a_status_a_sentence_and_a_place_in_the_tree(kind: type[HubError]) -> None:
    error = made(kind)
    assert 400 <= error.status <= 599 and error.message
    assert error.retry_after is None and error.commit is None
    if kind not in (HubError, DefiniteRefusal, Trouble):
        assert isinstance(error, DefiniteRefusal) != isinstance(error, Trouble)
        assert kind.__name__ in (errors.__doc__ or "")


def test_a_refusal_that_was_remembered_is_the_same_again() -> None:
    for refusal in (
        RepoNotFound("x", status=401), RevisionNotFound("x"), EntryNotFound("x"),
        GatedRepo("x", status=401), DisabledRepo(), InvalidCredentials(), Forbidden("x"),
    ):  # fmt: skip
        code = refusal.code or type(refusal).__name__
        again = refusal_from_code(code, refusal.status, refusal.message)
        assert type(again) is type(refusal)
        assert (again.status, again.message) == (refusal.status, refusal.message)


def test_a_moved_repository_knows_where_to() -> None:
    assert RepoMoved("org/new").repo_id == "org/new"
