"""The lease of a blob over hosts that share the database (blobs.Leases)."""

import hashlib
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from pulp_hugging_face.hub.digests import BlobId

from .db import DATABASE_ERRORS, Database

log = logging.getLogger("pulp_hugging_face.store")


class DatabaseLeases:
    """Advisory locks: a host that dies, or loses its connection, gives them back."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def attempt(self, place: str, blob: BlobId) -> AsyncIterator[bool]:
        """Yield whether the lease is ours. Without a database it is: a file may come twice."""
        digest = hashlib.sha256(f"hugging_face fill {place} {blob.key}".encode()).digest()
        async with AsyncExitStack() as stack:
            try:
                lock = self._database.advisory_lock(int.from_bytes(digest[:8], "big"))
                mine = await stack.enter_async_context(lock)
            except DATABASE_ERRORS as error:
                log.warning("No lease of %s: %s", blob.key, type(error).__name__)
                mine = True
            yield mine
