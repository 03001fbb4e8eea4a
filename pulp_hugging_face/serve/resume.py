"""Clients that go on with what they have, which may be bad."""

from aiohttp import hdrs, web

from pulp_hugging_face.hub.errors import ResumeRefused
from pulp_hugging_face.hub.ranges import ByteRange
from pulp_hugging_face.store.service import Store, Wanted

# huggingface_hub (0.23 to 2.4) writes whole chunks, and goes on behind the last of them.
_HUB_CHUNK = 10 * 1024 * 1024


async def begins_anew(store: Store, request: web.Request, wanted: Wanted, asked: ByteRange) -> bool:
    """
    Tell whether a range is to be answered with the whole file: bytes that did not match their
    digest were sent of late, and who goes on behind them would have a bad file in the end.

    Raises ResumeRefused when the client would not begin anew.
    """
    if not asked.resumes or not await store.was_bad(wanted):
        return False
    if not _takes_the_whole(request, asked):
        raise ResumeRefused(wanted.entry.blob.key)
    return True


def _takes_the_whole(request: web.Request, asked: ByteRange) -> bool:
    """
    Tell whether a client that is answered 200 drops what it has.

    Who sends If-Range has to (browsers). `http_get` of huggingface_hub does since 0.36.2 and 1.5;
    before, the file gets too long, so that its check of the size fails, then and later. Others do
    not: HfFileSystem's streams take the first bytes for those asked for, wget 1.21 skips what it
    has, and both report success.
    """
    if hdrs.IF_RANGE in request.headers:
        return True
    is_hub = "hf_hub/" in request.headers.get(hdrs.USER_AGENT, "")
    return is_hub and asked.start % _HUB_CHUNK == 0
