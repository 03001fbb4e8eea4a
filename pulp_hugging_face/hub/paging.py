"""Pages of a listing: cursors and the Link header (hub-protocol §2.5)."""

import base64
import binascii
import json
from urllib.parse import urlencode

from .errors import BadRequest

PAGE_SIZE = 1000
EXPANDED_PAGE_SIZE = 50


def encode_cursor(path: str) -> str:
    """Return the opaque cursor that continues behind a path."""
    return base64.urlsafe_b64encode(json.dumps({"after": path}).encode()).decode()


def decode_cursor(cursor: str | None) -> str | None:
    """Return the path a cursor continues behind. Raises BadRequest for one that is not ours."""
    if not cursor:
        return None
    try:
        after = json.loads(base64.urlsafe_b64decode(cursor))["after"]
    except (binascii.Error, ValueError, KeyError, TypeError) as error:
        raise BadRequest("Invalid cursor") from error
    if not isinstance(after, str):
        raise BadRequest("Invalid cursor")
    return after


def page_size(limit: str | None, *, expanded: bool) -> int:
    """Return the number of entries of a page. Raises BadRequest for a limit that is no number."""
    largest = EXPANDED_PAGE_SIZE if expanded else PAGE_SIZE
    if not limit:
        return largest
    if not limit.isdecimal() or int(limit) == 0:
        raise BadRequest(f"Invalid limit: {limit}")
    return min(int(limit), largest)


def next_link(url: str, query: list[tuple[str, str]], cursor: str) -> str:
    """
    Return the Link value for the next page.

    `url` is absolute and on the client-visible base: relative links raise in Python clients and
    end the listing silently in the JS client.
    """
    params = [(key, value) for key, value in query if key != "cursor"] + [("cursor", cursor)]
    return f'<{url}?{urlencode(params)}>; rel="next"'
