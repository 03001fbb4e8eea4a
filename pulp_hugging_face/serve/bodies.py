"""Bodies of requests: bounded, and said in the Hub's form what is wrong with them."""

import json
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from pulp_hugging_face.hub.errors import BadRequest, TooLarge

from .replies import off_loop

# 2,000 paths, however long they are and even when every byte of them is percent-encoded.
_LARGEST = 16 * 1024 * 1024
# Others are no text, or cost the square of their length (punycode).
_CHARSETS = {"utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "latin-1"}
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


async def json_of(request: web.Request) -> Any:
    """Return a JSON body. Raises BadRequest and TooLarge."""
    body, charset = await _read(request), _charset(request)
    try:
        return await off_loop(len(body), lambda: json.loads(body.decode(charset)))
    except (ValueError, RecursionError) as error:
        raise BadRequest("The body must be JSON with a list of paths.") from error


async def form_of(request: web.Request, most: int) -> list[tuple[str, str]]:
    """Return the pairs of a form of at most `most` fields. Raises BadRequest and TooLarge."""
    body, charset = await _read(request), _charset(request)

    def pairs() -> list[tuple[str, str]]:
        text = body.decode(charset).strip()
        return parse_qsl(text, keep_blank_values=True, encoding=charset, max_num_fields=most)

    try:
        return await off_loop(len(body), pairs)
    except ValueError as error:
        raise BadRequest(f"The body must be a form with at most {most} fields.") from error


async def _read(request: web.Request) -> bytes:
    """Return the body. aiohttp's own limit is too low here, and no error of the Hub's form."""
    pieces, size = [], request.content_length or 0
    if size <= _LARGEST:
        size = 0
        async for piece in request.content.iter_any():
            pieces.append(piece)
            size += len(piece)
            if size > _LARGEST:
                break
    if size > _LARGEST:
        raise TooLarge(f"The body may have at most {_LARGEST} bytes.")
    return b"".join(pieces)


def _charset(request: web.Request) -> str:
    charset = (request.charset or "utf-8").lower()
    if charset not in _CHARSETS:
        raise BadRequest("The body must be in UTF-8.")
    return charset
