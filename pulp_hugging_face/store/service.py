"""The store as the handlers use it: one object per content process that holds all the parts."""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.crypto import salted_hmac

from pulp_hugging_face.blobs.fill import Fill
from pulp_hugging_face.blobs.manager import FillManager
from pulp_hugging_face.blobs.room import Limits
from pulp_hugging_face.blobs.source import HubFile
from pulp_hugging_face.hub.digests import Digester
from pulp_hugging_face.hub.errors import EntryNotFound, LoopDetected, UpstreamInvalid
from pulp_hugging_face.hub.loops import MOST_PASSAGES, Passage
from pulp_hugging_face.hub.manifest import Entry
from pulp_hugging_face.hub.names import DEFAULT_BRANCH, RepoId, RepoType, file_relative_path
from pulp_hugging_face.hub.payloads import refs_from_names
from pulp_hugging_face.upstream.behalf import because_of, passage
from pulp_hugging_face.upstream.client import HubClient
from pulp_hugging_face.upstream.egress import EgressPool

from .access import Access
from .answers import Answers
from .commits import Commits, CommitTold
from .contents import Contents
from .db import Database
from .distributions import Distributions
from .grants import Grants
from .holdings import Claim, Held, Holdings
from .inquiries import Inquiries, Inquiry
from .known import KnownStore
from .leases import DatabaseLeases
from .moves import Moves
from .objects import Objects
from .prefetch import Prefetcher
from .pullthrough import PullThrough
from .questions import Questions
from .remembered import Remembered
from .resolver import Resolution, Resolver
from .tally import Tallies
from .trees import NotListed, Trees
from .views import Caller, View


@dataclass(frozen=True)
class Wanted:
    """A file somebody wants, and whose right to it was checked."""

    view: View
    caller: Caller
    resolution: Resolution
    entry: Entry

    @property
    def claim(self) -> Claim:
        """Return on whose behalf the file's blob is kept."""
        commit = self.resolution.commit
        return Claim(
            domain=self.view.domain,
            commit=commit.pk,
            relative_path=file_relative_path(commit.repo, commit.sha, self.entry.path),
            remote=self.view.remote.pk if self.view.remote else None,
        )


class Store:
    """Everything a content process knows and holds."""

    def __init__(self) -> None:
        self.database = Database()
        self._commits = Commits(self.database)
        self._known = KnownStore(self.database)
        self.distributions = Distributions(self.database, self._changed, self._known.clear)
        self.tallies = Tallies(self.database)
        self._egress = EgressPool(self.tallies)
        self._contents = Contents(self.database)
        self._trees = Trees(self.database)
        self._inquiries = Inquiries()
        self._moves = Moves(self._commits, self._known, self._trees, self._inquiries)
        self._pull_through = PullThrough(self.database, self._known, self._egress)
        self._access = Access(
            self._egress, Grants(self.database), self._inquiries, self._pull_through
        )
        self._holdings = Holdings(self.database)
        self._fills = FillManager(
            Path(settings.WORKING_DIRECTORY),
            self._holdings,
            limits=Limits(
                settings.HUGGING_FACE_FILL_QUOTA_BYTES, settings.HUGGING_FACE_FILL_MAX_AGE
            ),
            leases=DatabaseLeases(self.database),
            target_of=self._holdings.folder_of,
        )
        self._resolver = Resolver(
            self._commits,
            self._known,
            self._contents,
            self._access,
            self._egress,
            self._pull_through,
            self._inquiries,
            self._moves,
        )
        self._prefetcher = Prefetcher(self)
        self.remembered = Remembered()
        self.objects = Objects()
        self._answers = Answers(self.database, self._inquiries)
        self.questions = Questions(self._answers, self._access, self._known, self._egress)

    def _changed(self) -> None:
        """Forget what is remembered for a moment: an administrator or a clean-up changed it."""
        for part in (self._commits, self._known, self._holdings):
            part.clear()

    async def open(self) -> None:
        """Start the background work of the process."""
        await self.database.open()
        await self._fills.open()
        self.distributions.listen()
        self._holdings.start()
        self.tallies.start()

    async def close(self) -> None:
        """Stop it, in the order in which one part uses another."""
        await self._prefetcher.close()
        await self._fills.close()
        for part in (self._inquiries, self._moves, self._trees):
            await part.close()
        await self._pull_through.close()
        await self._holdings.close()
        await self.objects.close()
        await self.distributions.close()
        await self._egress.close()
        await self.tallies.close()
        await self.database.close()

    async def reachability(self, timeout: float) -> dict[str, bool]:
        """Tell of each upstream address whether it takes connections."""
        remotes = {view.remote for view in await self.distributions.all() if view.remote}
        urls = [remote.config.url for remote in remotes]
        checks = [self._egress.get(remote.config).is_reachable(timeout) for remote in remotes]
        return dict(zip(urls, await asyncio.gather(*checks), strict=True))

    # Commits and their entries.

    async def resolve(
        self, view: View, caller: Caller, repo: RepoId, revision: str | None
    ) -> Resolution:
        """Return the commit of a revision (None: the default branch). See Resolver.resolve."""
        return await self._resolver.resolve(view, caller, repo, revision or DEFAULT_BRANCH)

    async def entry(self, view: View, caller: Caller, resolution: Resolution, path: str) -> Entry:
        """Return the entry of a path ("" is the root). Raises EntryNotFound and HubError."""
        return await self._trees.find(
            view.domain_pk, resolution.commit, path, self._client(view, caller, resolution), caller
        )

    async def entries(
        self,
        view: View,
        caller: Caller,
        resolution: Resolution,
        path: str = "",
        *,
        recursive: bool,
        after: str | None = None,
        limit: int,
    ) -> list[Entry]:
        """
        Return up to `limit` entries below a directory behind the path `after`, in order.

        Directories that are not held are listed from the upstream on the way. Raises EntryNotFound
        when the path is no directory.
        """
        client = self._client(view, caller, resolution)
        found: list[Entry] = []
        while len(found) < limit:
            try:
                # Again after each listing: it may have been the root that was missing.
                top = await self._trees.entry(view.domain_pk, resolution.commit, path)
                self._require_directory(resolution, top)
                last = found[-1].path if found else after
                async for entry in self._trees.walk(
                    view.domain_pk, top, recursive=recursive, after=last
                ):
                    found.append(entry)
                    if len(found) == limit:
                        break
                break
            except NotListed as missing:
                await self._trees.list_missing(view.domain_pk, resolution.commit, missing, client)
        return found

    def _require_directory(self, resolution: Resolution, entry: Entry) -> None:
        if not entry.is_dir:
            sha = resolution.commit.sha
            raise EntryNotFound(f'"{entry.path}" is not a directory on "{sha}"', commit=sha)

    def _client(self, view: View, caller: Caller, resolution: Resolution) -> HubClient | None:
        return self._access.client(view, caller, resolution.known)

    async def info(
        self, view: View, resolution: Resolution, revision: str | None
    ) -> dict[str, Any]:
        """Return the info object of a resolved revision as last told, without siblings."""
        commit = resolution.commit
        if view.remote is not None and resolution.known is not None:
            told = await self._known.info(
                view.remote.pk, commit.repo, revision or DEFAULT_BRANCH, commit.sha
            )
            if told is not None:
                return told
        return commit.info

    async def told(self, resolution: Resolution) -> CommitTold:
        """Return title, author and date of a commit."""
        return await self._commits.told(resolution.commit)

    async def infos(self, view: View, kind: RepoType) -> list[dict[str, Any]]:
        """Return the info objects of a distribution's repository, for lists without an upstream."""
        version = await self._contents.version(view)
        return await self._contents.infos(version, kind) if version else []

    async def refs(
        self, view: View, caller: Caller, repo: RepoId
    ) -> tuple[dict[str, list[dict[str, Any]]], bool]:
        """Return the lists of refs of the Hub's answer, and whether they may be out of date."""
        resolution = await self.resolve(view, caller, repo, None)
        if view.remote is None or resolution.known is None:
            version = await self._contents.version(view)
            names = await self._contents.refs(version, repo) if version else {}
            return refs_from_names(names.items()), resolution.stale
        refs, age = await self._known.refs(view.remote.pk, repo)
        if refs is not None and age < view.remote.metadata_ttl:
            return refs, resolution.stale
        client = self._client(view, caller, resolution)
        assert client is not None
        remote = view.remote
        inquiry = Inquiry(
            remote.config,
            repo,
            (remote.config, repo, "refs"),
            lambda: self._list_refs(client, remote.pk, repo),
            caller,
        )
        reply = await self._inquiries.ask(inquiry, older=refs is not None)
        return reply.answer or refs or {}, resolution.stale or reply.stale

    async def _list_refs(
        self, client: HubClient, remote: Any, repo: RepoId
    ) -> dict[str, list[dict[str, Any]]]:
        refs = await client.refs(repo)
        await self._known.record_refs(remote, repo, refs)
        return refs

    # Files.

    async def file(self, view: View, caller: Caller, resolution: Resolution, path: str) -> Wanted:
        """
        Return a file the caller may have.

        Raises GatedRepo and other refusals, EntryNotFound (with the commit), and Trouble.
        """
        await self.check_access(view, caller, resolution, path)
        entry = await self.entry(view, caller, resolution, path)
        if entry.is_dir:
            sha = resolution.commit.sha
            raise EntryNotFound(f'"{path}" does not exist on "{sha}"', commit=sha)
        return Wanted(view, caller, resolution, entry)

    async def check_access(
        self, view: View, caller: Caller, resolution: Resolution, path: str
    ) -> None:
        """Raise the upstream's refusal unless the caller may have the repository's files."""
        await self._access.require_content(
            view, caller, resolution.known, resolution.commit.sha, path
        )

    async def pointer(self, wanted: Wanted) -> bytes:
        """
        Return what git holds in place of an LFS file.

        Most are written as git-lfs writes them and need no question; the git oid tells.
        """
        entry = wanted.entry
        digester = Digester(entry.as_pointer().blob)
        digester.update(entry.pointer)
        if digester.matches():
            return entry.pointer
        client = self._client(wanted.view, wanted.caller, wanted.resolution)
        if client is None:
            raise UpstreamInvalid("The pointer is not held and there is no upstream.", status=404)
        commit = wanted.resolution.commit
        return await client.pointer(commit.repo, commit.sha, entry.path, digester.blob)

    async def held(self, wanted: Wanted) -> Held | None:
        """Return a file's bytes if they are held, and note that they are used."""
        held = await self._holdings.find(wanted.view.domain_pk, wanted.entry.blob, wanted.claim)
        if held is not None:
            remote = wanted.view.remote
            keeps = remote is None or remote.keeps
            self._holdings.note_use(held, wanted.claim if keeps else None)
        return held

    async def drop(self, held: Held) -> None:
        """Forget bytes that are missing from the storage."""
        await self._holdings.drop(held)

    async def was_bad(self, wanted: Wanted) -> bool:
        """Tell whether clients may have bytes of a file that did not match its digest."""
        blob = wanted.entry.blob
        return await self._fills.was_bad(wanted.view.domain_pk, blob, passage().times)

    def fill(
        self, wanted: Wanted, part: tuple[int, int] | None = None, *, resumes: bool = False
    ) -> Fill:
        """
        Return the fill of a file's blob, begun now unless it is under way.

        `part` are the bytes that are about to be read, None for all; `resumes` tells that the
        client has what is before them. The fill ends with AlreadyHeld when the blob is found to be
        held: then `held` has it.
        """
        remote = wanted.view.remote
        if remote is None:
            raise UpstreamInvalid("The file is not held and there is no upstream.", status=404)
        return self._fills.start(
            wanted.view.domain_pk,
            wanted.entry.blob,
            self._source(wanted),
            claim=wanted.claim if remote.keeps else None,
            retries=remote.config.retries,
            part=part,
            resumes=resumes,
            lane=passage().times,
        )

    def _source(self, wanted: Wanted) -> HubFile:
        commit = wanted.resolution.commit
        client = self._client(wanted.view, wanted.caller, wanted.resolution)
        if client is None:
            raise UpstreamInvalid("The file is not held and there is no upstream.", status=404)
        return HubFile(client, commit.repo, commit.sha, wanted.entry.path, wanted.entry.size)

    @contextmanager
    def passing(self, values: Iterable[str]) -> Iterator[None]:
        """
        Let what is asked inside tell where its request came from; `values` are those of its
        CDN-Loop. Raises LoopDetected when it was here too often.
        """
        came = Passage.of(_own_name(), values)
        if came.times >= MOST_PASSAGES:
            raise LoopDetected
        with because_of(came):
            yield

    def touched(self, view: View, caller: Caller, resolution: Resolution) -> None:
        """Begin to fetch the rest of a commit if the remote's policy is "immediate"."""
        if view.remote is not None and view.remote.prefetches:
            self._prefetcher.start(view, caller, resolution)


@cache
def _own_name() -> str:
    """Return the name of this server in CDN-Loop: of all its processes, and nobody else's."""
    return "pulp-hf-" + salted_hmac("hugging_face.loop", "", algorithm="sha256").hexdigest()[:16]
