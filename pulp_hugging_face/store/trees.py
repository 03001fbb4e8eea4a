"""
Directories of commits: looked up in the store, listed from the upstream when they are missing.

Whatever is listed is kept under the directory's git oid for all commits of the domain. A commit is
listed recursively at first; one that turns out to be large is listed directory by directory, as
wanted, so that a commit which changes three directories costs three listings.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine, Iterable
from typing import Any
from uuid import UUID

from django.db import transaction

from pulp_hugging_face.app.models import Commit, Tree
from pulp_hugging_face.hub.errors import EntryNotFound, Trouble, UpstreamBusy, UpstreamInvalid
from pulp_hugging_face.hub.manifest import (
    Entry,
    InvalidManifest,
    Manifest,
    manifest_from_listing,
    pack,
    paginate,
    root_key,
)
from pulp_hugging_face.upstream.client import HubClient

from .commits import HeldCommit
from .db import Database
from .flights import Flights
from .lru import Lru
from .pages import PageGone, Pages
from .views import NOBODY, Caller

log = logging.getLogger("pulp_hugging_face.store")

# A recursive listing longer than this many pages is given up for one directory by directory.
RECURSIVE_PAGES = 20
# Seconds a request for one file waits for a listing before it asks for that file alone.
LISTING_PATIENCE = 3.0
# Seconds it waits for that.
SINGLE_PATIENCE = 6.0

_COMMIT = Commit._meta.db_table
_ROOTS = 10_000
_ROOT = f"SELECT root_tree FROM {_COMMIT} WHERE content_ptr_id = %s"
_IS_LARGE = f"""
    SELECT 1 FROM {_COMMIT}
    WHERE _pulp_domain_id = %s AND repo_type = %s AND repo_id = %s
      AND root_tree <> '' AND file_count IS NULL LIMIT 1
"""


class NotListed(Exception):
    """A directory of the commit is not held. `path` is the directory, "" the root."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


class Trees:
    """The directory listings of all commits."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._pages = Pages(database)
        self._roots: Lru[UUID, str] = Lru(_ROOTS)
        self._single: Lru[tuple[UUID, str], Entry] = Lru(4096)
        self._flights = Flights()

    async def close(self) -> None:
        """Stop listings under way."""
        await self._flights.close()

    # Lookups. They raise NotListed for a directory that is not held.

    async def entry(self, domain: UUID, commit: HeldCommit, path: str) -> Entry:
        """Return the entry of a path ("" is the root). Raises EntryNotFound, NotListed."""
        key = await self._root(commit)
        found = Entry("", key, is_dir=True)
        walked = ""
        for name in path.split("/") if path else []:
            if not found.is_dir:
                raise _no_entry(commit, path)
            page = await self._pages.around(domain, found.oid, name)
            if page is None:
                raise NotListed(walked)
            child = page.find(name)
            if child is None:
                raise _no_entry(commit, path)
            found, walked = child, f"{walked}/{name}" if walked else name
        return found if not path else Entry(path, found.oid, found.size, found.lfs, found.is_dir)

    async def walk(
        self, domain: UUID, top: Entry, *, recursive: bool, after: str | None = None
    ) -> AsyncIterator[Entry]:
        """
        Yield what is below a directory, depth first in byte order, behind the path `after`.
        """
        skip = after[len(top.path) :].strip("/").split("/") if after else []
        async for entry in self._walk(domain, top, recursive, skip):
            yield entry

    async def _walk(
        self, domain: UUID, top: Entry, recursive: bool, skip: list[str]
    ) -> AsyncIterator[Entry]:
        border = skip[0].encode() if skip else b""
        children = await self._pages.entries(domain, top.oid, border)
        if children is None:
            raise NotListed(top.path)
        async for child in _or_not_listed(children, top.path):
            name = child.path.encode()
            if name < border:
                continue
            entry = child.under(top.path)
            if name > border or not skip:
                yield entry
            if entry.is_dir and recursive:
                inner = skip[1:] if name == border else []
                async for grandchild in self._walk(domain, entry, recursive, inner):
                    yield grandchild

    async def _root(self, commit: HeldCommit) -> str:
        key = commit.root_tree or self._roots.get(commit.pk)
        if not key:
            row = await self._database.fetch_one(_ROOT, (commit.pk,))
            key = row["root_tree"] if row else ""
            if not key:
                raise NotListed("")
            self._roots.put(commit.pk, key)
        return key

    # Listing from the upstream.

    async def find(
        self,
        domain: UUID,
        commit: HeldCommit,
        path: str,
        client: HubClient | None,
        caller: Caller = NOBODY,
    ) -> Entry:
        """
        Return the entry of a path, listing what is missing through `client`.

        A listing that takes longer than a client waits goes on behind; meanwhile the upstream is
        asked about this one path. Raises EntryNotFound, and the upstream's HubError.
        """
        for _ in range(path.count("/") + 3):  # each round lists one more directory of the path
            try:
                return await self.entry(domain, commit, path)
            except NotListed as missing:
                known = self._single.get((commit.pk, path))
                if known is not None:
                    return known
                listing = self.list_missing(domain, commit, missing, client)
            alone = await self._list_or_ask(listing, commit, path, client, caller)
            if alone is not None:
                return alone
        raise UpstreamInvalid("The upstream's listings lead nowhere.")

    async def _list_or_ask(
        self,
        listing: Coroutine[Any, Any, None],
        commit: HeldCommit,
        path: str,
        client: HubClient | None,
        caller: Caller,
    ) -> Entry | None:
        """
        Wait for a listing, or after a while also for an answer about the one path; whichever comes.

        Both go on behind. Raises HubError when neither comes.
        """
        listed = asyncio.ensure_future(listing)
        done, _ = await _first(listed, seconds=caller.patience(LISTING_PATIENCE))
        if done and not isinstance(listed.exception(), Trouble):
            return listed.result()
        if done and isinstance(listed.exception(), UpstreamBusy):
            listed.result()  # another question would make it worse
        asked = asyncio.ensure_future(self._ask_single(commit, path, client, caller))
        try:
            if not done:
                await _first(listed, asked)
                if asked.done() and isinstance(asked.exception(), Trouble):
                    await _first(listed, seconds=caller.patience(SINGLE_PATIENCE))
                if listed.done() and not listed.exception():
                    return None
            return await asked
        finally:
            listed.cancel()
            asked.cancel()

    async def _ask_single(
        self, commit: HeldCommit, path: str, client: HubClient | None, caller: Caller
    ) -> Entry:
        if client is None:
            raise _no_source(commit)
        entries = await self._flights.wait(
            (commit.pk, path, "single"),
            lambda: client.paths_info(commit.repo, commit.sha, [path]),
            caller.patience(SINGLE_PATIENCE),
        )
        found = next((entry for entry in entries if entry.path == path), None)
        if found is None:
            raise _no_entry(commit, path)
        self._single.put((commit.pk, path), found)
        return found

    async def list_root(self, domain: UUID, commit: HeldCommit, client: HubClient) -> None:
        """List the root of a commit, once for all who want it. Raises the upstream's HubError."""
        await self.list_missing(domain, commit, NotListed(""), client)

    async def list_missing(
        self, domain: UUID, commit: HeldCommit, missing: NotListed, client: HubClient | None
    ) -> None:
        """List a directory that was missing, once for all who wait for it."""
        if client is None:
            raise _no_source(commit)
        key = (domain, commit.pk, missing.path)
        await self._flights.join(key, lambda: self._list(domain, commit, missing.path, client))

    async def _list(self, domain: UUID, commit: HeldCommit, path: str, client: HubClient) -> None:
        if path:
            await self._list_directory(domain, commit, path, client)
        elif await self._is_large(domain, commit) or not await self._list_all(
            domain, commit, client
        ):
            log.info("%s is large: listing it directory by directory", commit.repo)
            await self._list_directory(domain, commit, "", client)

    async def _is_large(self, domain: UUID, commit: HeldCommit) -> bool:
        """Tell whether an earlier commit of the repository had to be listed piecemeal."""
        parameters = (domain, commit.repo.type.value, commit.repo.id)
        return await self._database.fetch_one(_IS_LARGE, parameters) is not None

    async def _list_all(self, domain: UUID, commit: HeldCommit, client: HubClient) -> bool:
        """List the commit recursively. Returns False if that would take too many pages."""
        listing: list[Entry] = []
        pages = 0
        async for entries in client.tree(commit.repo, commit.sha, recursive=True):
            pages += 1
            if pages > RECURSIVE_PAGES:
                return False
            listing += entries
        try:
            manifest = manifest_from_listing(listing)
        except InvalidManifest as error:
            raise UpstreamInvalid(f"The upstream's listing is inconsistent: {error}") from error
        await self._database.call(save_manifest, domain, commit.pk, manifest)
        return True

    async def _list_directory(
        self, domain: UUID, commit: HeldCommit, path: str, client: HubClient
    ) -> None:
        listed: list[Entry] = []
        async for entries in client.tree(commit.repo, commit.sha, path, recursive=False):
            listed += entries
        children = [_child(entry, path) for entry in listed]
        if path:
            key = (await self.entry(domain, commit, path)).oid
            await self._database.call(save_directories, domain, {key: children})
        else:
            await self._database.call(save_root, domain, commit.pk, children)


async def _first(
    *tasks: "asyncio.Future[Any]", seconds: float | None = None
) -> tuple[set["asyncio.Future[Any]"], set["asyncio.Future[Any]"]]:
    """Wait until one of them is done; all are given up by who is given up himself."""
    try:
        return await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        for task in tasks:
            task.cancel()
        raise


async def _or_not_listed(entries: AsyncIterator[Entry], path: str) -> AsyncIterator[Entry]:
    """Yield a directory's entries. Raises NotListed when it is removed meanwhile."""
    try:
        async for entry in entries:
            yield entry
    except PageGone:
        raise NotListed(path) from None


def _child(entry: Entry, directory: str) -> Entry:
    """Return a listed entry by its bare name. Raises UpstreamInvalid if it is elsewhere."""
    parent, _, name = entry.path.rpartition("/")
    if parent != directory:
        raise UpstreamInvalid("The upstream listed an entry of another directory.")
    return Entry(name, entry.oid, entry.size, entry.lfs, entry.is_dir)


def _no_entry(commit: HeldCommit, path: str) -> EntryNotFound:
    return EntryNotFound(f'"{path}" does not exist on "{commit.sha}"', commit=commit.sha)


def _no_source(commit: HeldCommit) -> EntryNotFound:
    return EntryNotFound(
        f"The files of {commit.sha} are not held and there is no upstream to ask.",
        commit=commit.sha,
    )


def save_manifest(domain: UUID, commit: UUID, manifest: Manifest) -> None:
    """Store all directories of a commit. Blocking."""
    with transaction.atomic():
        save_directories(domain, manifest.directories)
        Commit.objects.filter(pk=commit).update(
            root_tree=manifest.root,
            file_count=manifest.file_count,
            total_size=manifest.total_size,
        )


def save_root(domain: UUID, commit: UUID, children: list[Entry]) -> None:
    """Store the root directory of a commit that is listed directory by directory. Blocking."""
    key = root_key(children)
    with transaction.atomic():
        save_directories(domain, {key: children})
        Commit.objects.filter(pk=commit).update(root_tree=key)


def save_directories(domain: UUID, directories: dict[str, list[Entry]]) -> None:
    """Store directories by tree key; those already held stay as they are. Blocking."""
    rows = [
        row for key, entries in sorted(directories.items()) for row in _rows(domain, key, entries)
    ]
    Tree.objects.bulk_create(
        rows,
        batch_size=500,
        update_conflicts=True,
        unique_fields=["pulp_domain", "key", "page"],
        update_fields=["pulp_last_updated"],  # used again: not to be removed now
    )


def _rows(domain: UUID, key: str, entries: Iterable[Entry]) -> Iterable[Tree]:
    for number, page in enumerate(paginate(entries)):
        first = page.entries[0].path if number else ""
        yield Tree(pulp_domain_id=domain, key=key, page=number, first=first, entries=pack(page))
