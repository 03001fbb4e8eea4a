"""Response headers of a file, as clients read them (hub-protocol §1.3)."""

from urllib.parse import quote

from .errors import HubError, RangeNotSatisfiable
from .manifest import Entry

EXPOSED = (
    "X-Repo-Commit,X-Request-Id,X-Error-Code,X-Error-Message,X-Total-Count,"
    "ETag,Link,Accept-Ranges,Content-Range,X-Linked-Size,X-Linked-ETag"
)
CORS = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": EXPOSED}


def etag_of(entry: Entry) -> str:
    """Return the quoted strong ETag: git blob sha1, or sha256 of the content for LFS files."""
    return f'"{entry.blob.key}"'


def file_headers(entry: Entry, commit: str) -> dict[str, str]:
    """
    Return the headers of an answer for a file, without Content-Length and Content-Range.

    The same for HEAD and GET, 200, 206, 304 and 416. Never a Location (on a 2xx clients take it
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
    return headers


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
    if error.commit:
        headers["X-Repo-Commit"] = error.commit
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, RangeNotSatisfiable):
        headers["Content-Range"] = f"bytes */{error.size}"
    return headers


def _header_text(text: str) -> str:
    """Return text that may stand in a header: one line of latin-1."""
    line = " ".join(text.split()).encode("latin-1", "replace").decode("latin-1")
    return "".join(char if char.isprintable() else "?" for char in line)
