"""Pages of a listing: cursors and the Link header (hub-protocol §2.5)."""

import base64
import binascii
import json
import re
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
    """Return the path a cursor continues behind. Raises BadRequest for one that is not ours."""
    if not cursor:
        return None
    try:
        after = json.loads(base64.urlsafe_b64decode(cursor))["after"]
        if not isinstance(after, str):
            raise TypeError("not a path")
        check_path(after)
    except (binascii.Error, ValueError, KeyError, TypeError, RecursionError) as error:
        raise BadRequest("Invalid cursor") from error
    return after


def page_size(limit: str | None, *, expanded: bool) -> int:
    """Return the number of entries of a page. Raises BadRequest for a limit that is no number."""
    largest = EXPANDED_PAGE_SIZE if expanded else PAGE_SIZE
    if not limit:
        return largest
    if not _NUMBER.fullmatch(limit):
        raise BadRequest(f"Invalid limit: {limit}")
    # Longer numbers are larger than any page, and int() refuses thousands of digits.
    return min(int(limit), largest) if len(limit) < 10 else largest


def next_link(url: str, query: list[tuple[str, str]], cursor: str) -> str:
    """
    Return the Link value for the next page.

    `url` is absolute and on the client-visible base: relative links raise in Python clients and
    end the listing silently in the JS client.
    """
    params = [(key, value) for key, value in query if key != "cursor"] + [("cursor", cursor)]
    return f'<{url}?{urlencode(params)}>; rel="next"'
