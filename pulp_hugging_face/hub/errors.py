"""
The reasons a client can be refused, each wording itself (hub-protocol §1.7, §2.1).

HubError
 ├── definite: the Hub said no, and says it in its own words
 │    RepoNotFound · RevisionNotFound · EntryNotFound · GatedRepo · DisabledRepo
 │    · InvalidCredentials · Forbidden · GuardRefused · BadRequest · ReadOnly · PassedRefusal
 │    · NotSupported · RangeNotSatisfiable · ResumeRefused · TooLarge
 └── trouble: nobody can say now
      UpstreamUnavailable · ServerStopping · UpstreamTimeout · UpstreamBusy · GaveWay
      · UpstreamInvalid · RedirectRefused · LoopDetected · StorageFull · StorageUnavailable
      · DatabaseUnavailable
"""


class HubError(Exception):
    """
    A refusal with its HTTP status, X-Error-Code and sentence.

    Attributes: status (HTTP), code (X-Error-Code, "" for none), message (X-Error-Message),
    commit (X-Repo-Commit, 40 hex or None), retry_after (seconds or None), stale (said of a commit
    that the upstream could not confirm).
    """

    status = 500
    code = ""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        commit: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status if status is not None else type(self).status
        self.commit = commit
        self.retry_after = retry_after
        self.stale = False


class DefiniteRefusal(HubError):
    """The Hub knows the answer, and the answer is no."""


class RepoNotFound(DefiniteRefusal):
    """No such repository, or none this caller may know of (401 when anonymous)."""

    status = 404
    code = "RepoNotFound"


class RevisionNotFound(DefiniteRefusal):
    """The repository has no such branch, tag or commit."""

    status = 404
    code = "RevisionNotFound"


class EntryNotFound(DefiniteRefusal):
    """The commit has no such file; carries the commit so that clients remember it (§1.7)."""

    status = 404
    code = "EntryNotFound"


class GatedRepo(DefiniteRefusal):
    """Access must be requested on the Hub: 401 anonymous, 403 logged in without access."""

    status = 403
    code = "GatedRepo"


class DisabledRepo(DefiniteRefusal):
    """The Hub disabled the repository; clients know it by this very sentence (§2.1)."""

    status = 403
    SENTENCE = "Access to this resource is disabled."

    def __init__(self, message: str = SENTENCE, **kwargs: object) -> None:
        super().__init__(message, **kwargs)  # type: ignore[arg-type]


class InvalidCredentials(DefiniteRefusal):
    """The token is not valid; clients know it by this very sentence (§2.1)."""

    status = 401
    SENTENCE = "Invalid credentials in Authorization header"

    def __init__(self, message: str = SENTENCE, **kwargs: object) -> None:
        super().__init__(message, **kwargs)  # type: ignore[arg-type]


class Forbidden(DefiniteRefusal):
    """The Hub forbids it without a more precise word."""

    status = 403


class GuardRefused(DefiniteRefusal):
    """A content guard of this server forbids it: none of the Hub's codes says that."""

    status = 403
    code = "Forbidden"


class BadRequest(DefiniteRefusal):
    """The request cannot be understood."""

    status = 400
    code = "BadRequest"


class ReadOnly(DefiniteRefusal):
    """Something that would write: uploads and changes are not offered."""

    status = 403
    code = "ReadOnly"
    SENTENCE = (
        "This server is a read-only cache of the Hub: nothing can be created, changed or uploaded "
        "here. Send it to the Hub itself (unset HF_ENDPOINT for that)."
    )

    def __init__(self, message: str = SENTENCE, **kwargs: object) -> None:
        super().__init__(message, **kwargs)  # type: ignore[arg-type]


class PassedRefusal(DefiniteRefusal):
    """What the upstream answered to a route that is passed through, in its own words."""

    status = 404

    def __init__(self, message: str, *, code: str = "", **kwargs: object) -> None:
        super().__init__(message, **kwargs)  # type: ignore[arg-type]
        self.code = code


class NotSupported(DefiniteRefusal):
    """A route or method this server does not offer."""

    status = 404
    code = "NotSupported"


class RangeNotSatisfiable(DefiniteRefusal):
    """The range begins behind the end of the file of `size` bytes (None: nobody told)."""

    status = 416
    code = "RangeNotSatisfiable"

    def __init__(self, size: int | None) -> None:
        told = "" if size is None else f"{size} bytes of the "
        super().__init__(f"The requested range is outside of the {told}file.")
        self.size = size


class TooLarge(DefiniteRefusal):
    """The body of a request is larger than anything it could ask for."""

    status = 413
    code = "PayloadTooLarge"


class ResumeRefused(DefiniteRefusal):
    """The client wants to go on with bytes that were bad, and would not begin anew by itself."""

    status = 409
    code = "ResumeRefused"

    def __init__(self, key: str) -> None:
        super().__init__(
            f"What you have of this file may be damaged: bytes that were sent did not match their "
            f"digest {key}. Remove it and download the file anew (force_download=True)."
        )


class Trouble(HubError):
    """Nobody can say now: never remembered, never erases what is known."""


class UpstreamUnavailable(Trouble):
    """The upstream refused the connection or answered 5xx."""

    status = 502
    code = "UpstreamUnavailable"


class ServerStopping(UpstreamUnavailable):
    """This server stops: nothing is begun here any more."""

    def __init__(self, message: str = "The server is stopping.", **kwargs: object) -> None:
        super().__init__(message, **kwargs)  # type: ignore[arg-type]


class UpstreamInvalid(Trouble):
    """The upstream's answer breaks the protocol, or its bytes do not match their digest."""

    status = 502
    code = "UpstreamInvalid"


class RedirectRefused(UpstreamInvalid):
    """The upstream redirects to where the remote does not permit: asking again is of no use."""

    code = "RedirectRefused"


class LoopDetected(UpstreamInvalid):
    """The request came through this server too often: asking again is of no use (RFC 5842, 7.2)."""

    status = 508
    code = "LoopDetected"

    def __init__(
        self,
        message: str = "The upstream leads back to this server: look at the remote's url.",
    ) -> None:
        super().__init__(message)


class UpstreamTimeout(Trouble):
    """The upstream did not answer in time."""

    status = 504
    code = "UpstreamTimeout"


class UpstreamBusy(Trouble):
    """The upstream limits our rate; `bucket` is the one of its limits that is used up (§2.1)."""

    status = 429
    code = "UpstreamBusy"

    def __init__(
        self, message: str, *, retry_after: int | None = None, bucket: str = "api"
    ) -> None:
        super().__init__(message, retry_after=retry_after)
        self.bucket = bucket


class GaveWay(UpstreamBusy):
    """Not asked, so that what is left of the upstream's limit serves others: no sign of trouble."""


class StorageFull(Trouble):
    """There is no room for the file."""

    status = 507
    code = "InsufficientStorage"


class StorageUnavailable(Trouble):
    """What is held cannot be read where it is kept."""

    status = 503
    code = "StorageUnavailable"


class DatabaseUnavailable(Trouble):
    """Our own database does not answer."""

    status = 503
    code = "DatabaseUnavailable"


def database_unavailable() -> DatabaseUnavailable:
    """Return what clients are told while our own database does not answer."""
    return DatabaseUnavailable("The database is not available.", retry_after=5)


def refusal_from_code(code: str, status: int, message: str) -> DefiniteRefusal | None:
    """
    Return the refusal the Hub expressed by status, X-Error-Code and X-Error-Message.

    None when there is nothing definite in it: a bare 404 may come from any web server. Evaluated
    in the order of the client library (§2.1).
    """
    coded: dict[str, type[DefiniteRefusal]] = {
        "RevisionNotFound": RevisionNotFound,
        "EntryNotFound": EntryNotFound,
        "GatedRepo": GatedRepo,
        "RepoNotFound": RepoNotFound,
    }
    if code in coded:
        return coded[code](message or code, status=status)
    if message == DisabledRepo.SENTENCE or code == "DisabledRepo":
        return DisabledRepo(status=status)
    if message.startswith(InvalidCredentials.SENTENCE) or code == "InvalidCredentials":
        return InvalidCredentials(status=status)
    if status == 401:
        return RepoNotFound(message or "Invalid username or password.", status=401)
    if status == 403 and (message or code):  # a bare one comes from a firewall in between
        return Forbidden(message or code, status=403)
    return None


class RepoMoved(Exception):
    """
    The repository has another id: renamed, or a legacy id such as "gpt2" (307, §1.2 rule 4).

    Attributes: repo_id, the canonical id.
    """

    def __init__(self, repo_id: str) -> None:
        super().__init__(repo_id)
        self.repo_id = repo_id
