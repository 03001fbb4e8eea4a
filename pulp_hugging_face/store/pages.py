"""
Pages of directory listings: read from the database, the most recently used remembered.

They never change, so that nothing here is ever invalidated. What is remembered is bounded by
entries and not by pages: a page of a large directory holds thousands.
"""

import asyncio
from bisect import bisect_right
from collections.abc import AsyncIterator, Sequence
from uuid import UUID

from django.conf import settings

from pulp_hugging_face.app.models import Tree
from pulp_hugging_face.hub.manifest import Entry, TreePage, unpack

from .db import Database
from .lru import Lru

_TREE = Tree._meta.db_table
# The first page comes along: nearly all directories have no other.
_INDEX = f"""
    SELECT first, CASE WHEN page = 0 THEN entries END AS entries FROM {_TREE}
    WHERE pulp_domain_id = %s AND key = %s ORDER BY page
"""
_PAGE = f"SELECT entries FROM {_TREE} WHERE pulp_domain_id = %s AND key = %s AND page = %s"
_INDEXES = 50_000
# Packed pages above this many bytes are unpacked in a thread.
_LARGE = 32 * 1024

# The names at which a directory's pages begin, in byte order; the first is "".
Index = Sequence[bytes]


class PageGone(Exception):
    """A clean-up removed the directory while it was read."""


class Pages:
    """The directories of all commits, by domain and tree key."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._indexes: Lru[tuple[UUID, str], Index] = Lru(_INDEXES, len)
        self._pages: Lru[tuple[UUID, str, int], TreePage] = Lru(
            settings.HUGGING_FACE_TREE_CACHE_ENTRIES, lambda page: len(page.entries) + 1
        )

    async def around(self, domain: UUID, key: str, name: str) -> TreePage | None:
        """Return the page in which a name would stand, or None: the directory is not held."""
        index = await self._index(domain, key)
        if index is None:
            return None
        return await self._page(domain, key, _number(index, name.encode()))

    async def entries(
        self, domain: UUID, key: str, start: bytes = b""
    ) -> AsyncIterator[Entry] | None:
        """
        Return the entries of a directory (bare names) in byte order; None if it is not held.

        Pages that end before the name `start` are left out; what is yielded may begin before it.
        The iterator raises PageGone.
        """
        index = await self._index(domain, key)
        if index is None:
            return None
        return self._entries(domain, key, range(_number(index, start), len(index)))

    async def _entries(self, domain: UUID, key: str, numbers: range) -> AsyncIterator[Entry]:
        for number in numbers:
            page = await self._page(domain, key, number)
            if page is None:
                raise PageGone
            for entry in page.entries:
                yield entry

    async def _index(self, domain: UUID, key: str) -> Index | None:
        index = self._indexes.get((domain, key))
        if index is None:
            rows = await self._database.fetch(_INDEX, (domain, key))
            if not rows:
                return None
            index = tuple(row["first"].encode() for row in rows)
            self._indexes.put((domain, key), index)
            self._pages.put((domain, key, 0), await _unpacked(bytes(rows[0]["entries"])))
        return index

    async def _page(self, domain: UUID, key: str, number: int) -> TreePage | None:
        page = self._pages.get((domain, key, number))
        if page is None:
            row = await self._database.fetch_one(_PAGE, (domain, key, number))
            if row is None:  # removed since the index was read
                self._indexes.pop((domain, key))
                return None
            page = await _unpacked(bytes(row["entries"]))
            self._pages.put((domain, key, number), page)
        return page


def _number(index: Index, name: bytes) -> int:
    return max(bisect_right(index, name) - 1, 0)


async def _unpacked(packed: bytes) -> TreePage:
    if len(packed) < _LARGE:
        return unpack(packed)
    return await asyncio.get_running_loop().run_in_executor(None, unpack, packed)
