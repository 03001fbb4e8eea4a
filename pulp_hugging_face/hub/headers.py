"""Response headers of a file, as clients read them (hub-protocol §1.3)."""

from urllib.parse import quote

from .errors import HubError, RangeNotSatisfiable, UpstreamBusy
from .limits import exhausted_header
from .manifest import Entry

EXPOSED = (
    "X-Repo-Commit,X-Request-Id,X-Error-Code,X-Error-Message,X-Total-Count,X-HF-Warning,"
    "ETag,Link,Accept-Ranges,Content-Range,X-Linked-Size,X-Linked-ETag"
)
# For clients from 2.0 on, which print each topic once (§1.3).
STALE = {"X-HF-Warning": "stale; The upstream Hub cannot be asked now: this is what it last said."}
# Clients from 0.31 on fetch nothing larger than this without Xet (§1.5); others do.
LARGEST_BY_HTTP = 50_000_000_000
_TOO_LARGE = {
    "X-HF-Warning": "large-file; huggingface_hub fetches no files above 50 GB without Xet, which "
    "this server does not offer: fetch this one with curl, or from the Hub."
}
CORS = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": EXPOSED}


def etag_of(entry: Entry) -> str:
    """Return the quoted strong ETag: git blob sha1, or sha256 of the content for LFS files."""
    return f'"{entry.blob.key}"'


def file_headers(entry: Entry, commit: str) -> dict[str, str]:
    """
    Return the headers of an answer for a file, without Content-Length and Content-Range.

    The same for HEAD and GET, 200, 206 and 304. Never a Location (on a 2xx clients take it
    as the download URL, §1.2) and no Xet hint (§4.1). Files are never sent as HTML: what the
    Hub's users wrote must not run as a page of this host.
    """
    headers = {
        "X-Repo-Commit": commit,
        "ETag": etag_of(entry),
        "Accept-Ranges": "bytes",
        "Content-Type": "application/octet-stream" if entry.lfs else "text/plain; charset=utf-8",
        "Content-Disposition": content_disposition(entry.name),
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        **CORS,
    }
    if entry.lfs:
        headers["X-Linked-ETag"] = f'"{entry.lfs.sha256}"'
        headers["X-Linked-Size"] = str(entry.size)
    if entry.size > LARGEST_BY_HTTP:
        headers |= _TOO_LARGE
    return headers


def redirect_headers(headers: dict[str, str], entry: Entry, url: str) -> dict[str, str]:
    """
    Return the headers of a redirect of a GET to where the bytes are, from those of the answer.

    All metadata is on it, for regular files too: a client that reads a size from a redirect takes
    that of the redirect itself without X-Linked-Size (0.x, §1.4). The address is for this client
    and for some time.
    """
    kept = {name: value for name, value in headers.items() if name != "Content-Range"}
    return {
        **kept,
        "X-Linked-ETag": etag_of(entry),
        "X-Linked-Size": str(entry.size),
        "Location": url,
        "Cache-Control": "private, no-store",
    }


def content_disposition(name: str) -> str:
    """
    Return the header naming the file, with the trailing ";" that clients look for (§1.3).

    RFC 6266: filename* carries UTF-8, the plain form a harmless ASCII rendering.
    """
    plain = "".join(c if " " <= c <= "~" and c not in '"\\' else "_" for c in name)
    return f"inline; filename*=UTF-8''{quote(name, safe='')}; filename=\"{plain}\";"


def error_headers(error: HubError) -> dict[str, str]:
    """Return the headers by which clients know the reason of a refusal (§2.1)."""
    headers = {"X-Error-Message": _header_text(error.message), **CORS}
    if error.code:
        headers["X-Error-Code"] = error.code
    if error.stale:
        headers |= STALE
    if error.commit:
        headers["X-Repo-Commit"] = error.commit
    if error.status == 401:  # RFC 9110, 11.6.1; the Hub's own words
        headers["WWW-Authenticate"] = 'Bearer realm="Authentication required", charset="UTF-8"'
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
        if isinstance(error, UpstreamBusy):
            headers["RateLimit"] = exhausted_header(error.bucket, error.retry_after)
    if isinstance(error, RangeNotSatisfiable) and error.size is not None:
        headers["Content-Range"] = f"bytes */{error.size}"
    return headers


def _header_text(text: str) -> str:
    """Return text that may stand in a header: one line of latin-1."""
    line = " ".join(text.split()).encode("latin-1", "replace").decode("latin-1")
    return "".join(char if char.isprintable() else "?" for char in line)
