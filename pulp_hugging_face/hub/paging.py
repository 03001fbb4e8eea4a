"""Pages of a listing: cursors and the Link header (hub-protocol §2.5)."""

import base64
import binascii
import json
import re
from collections.abc import Sequence
from urllib.parse import urlencode

from .errors import BadRequest
from .names import check_path

PAGE_SIZE = 1000
EXPANDED_PAGE_SIZE = 50
_NUMBER = re.compile(r"[1-9][0-9]*")


def encode_cursor(path: str) -> str:
    """Return the opaque cursor that continues behind a path."""
    return base64.urlsafe_b64encode(json.dumps({"after": path}).encode()).decode()


def decode_cursor(cursor: str | None) -> str | None:
    """
    Return the path a cursor continues behind: ours, or the Hub's, whose pages may have come first.

    Raises BadRequest for what is neither.
    """
    if not cursor:
        return None
    for read in (_ours, _the_hubs):
        try:
            after = read(cursor)
            if not isinstance(after, str):
                raise TypeError("not a path")
            check_path(after)
        except (binascii.Error, ValueError, KeyError, TypeError, RecursionError):
            continue
        return after
    raise BadRequest("Invalid cursor")


def _ours(cursor: str) -> object:
    return json.loads(base64.urlsafe_b64decode(cursor))["after"]


def _the_hubs(cursor: str) -> object:
    """Read base64(base64(JSON):limit), which names the last file of the page."""
    inner = base64.b64decode(cursor).partition(b":")[0]
    return json.loads(base64.b64decode(inner))["file_name"]


def page_size(limit: str | None, *, expanded: bool) -> int:
    """Return the number of entries of a page. Raises BadRequest for a limit that is no number."""
    largest = EXPANDED_PAGE_SIZE if expanded else PAGE_SIZE
    if not limit:
        return largest
    if not _NUMBER.fullmatch(limit):
        raise BadRequest(f"Invalid limit: {limit}")
    # Longer numbers are larger than any page, and int() refuses thousands of digits.
    return min(int(limit), largest) if len(limit) < 10 else largest


def next_link(url: str, query: Sequence[tuple[str, str]], cursor: str) -> str:
    """
    Return the Link value for the next page.

    `url` is absolute and on the client-visible base: relative links raise in Python clients and
    end the listing silently in the JS client.
    """
    params = [(key, value) for key, value in query if key != "cursor"] + [("cursor", cursor)]
    return f'<{url}?{urlencode(params)}>; rel="next"'
