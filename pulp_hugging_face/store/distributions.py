"""Which distribution a request path belongs to, from a map kept in memory."""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from uuid import UUID

import psycopg
from django.conf import settings

from pulp_hugging_face.app.models import HuggingFaceDistribution, HuggingFaceRemote
from pulp_hugging_face.app.models.changes import CHANNEL, COMMITS
from pulp_hugging_face.upstream.config import RemoteConfig

from .db import DATABASE_ERRORS, Database, connection_parameters
from .views import RemoteView, View

log = logging.getLogger("pulp_hugging_face.store")

# A path no distribution is known for makes us look again, but not more often than this (seconds).
_MISS_INTERVAL = 0.2
_RECONNECT = 5


class Distributions:
    """
    The Hugging Face distributions by URL path.

    Changes arrive by LISTEN/NOTIFY; where that is not to be had (a pooler in transaction mode),
    the map is reloaded after HUGGING_FACE_DISTRIBUTION_TTL seconds.
    """

    def __init__(self, database: Database, commits_deleted: Callable[[], None]) -> None:
        self._database = database
        self._commits_deleted = commits_deleted
        self._views: dict[str, View] = {}
        self._loaded_at = float("-inf")
        self._lock = asyncio.Lock()
        self._listener: asyncio.Task[None] | None = None

    async def find(self, path: str) -> View | None:
        """Return the distribution of a (raw) URL path, or None."""
        if self._age() > settings.HUGGING_FACE_DISTRIBUTION_TTL:
            await self._reload(settings.HUGGING_FACE_DISTRIBUTION_TTL)
        view = self._match(path)
        if view is None and self._age() > _MISS_INTERVAL:
            await self._reload(_MISS_INTERVAL)
            view = self._match(path)
        return view

    async def all(self) -> list[View]:
        """Return all distributions."""
        if self._age() > settings.HUGGING_FACE_DISTRIBUTION_TTL:
            await self._reload(settings.HUGGING_FACE_DISTRIBUTION_TTL)
        return list(self._views.values())

    def _age(self) -> float:
        return time.monotonic() - self._loaded_at

    def _match(self, path: str) -> View | None:
        """Base paths never overlap, so that at most one parent of the path is one."""
        candidate = path.rstrip("/")
        while candidate:
            if candidate in self._views:
                return self._views[candidate]
            candidate = candidate.rpartition("/")[0]
        return None

    async def _reload(self, max_age: float) -> None:
        async with self._lock:
            if self._age() <= max_age:
                return
            started = time.monotonic()
            try:
                self._views = await self._database.call(load_views)
            except DATABASE_ERRORS as error:
                log.warning("Distributions cannot be reloaded: %s", error)
            self._loaded_at = started

    def listen(self) -> None:
        """Start to listen for changes."""
        self._listener = asyncio.create_task(self._listen(), name="hugging_face listen")

    async def _listen(self) -> None:
        while True:
            try:
                await self._listen_once()
            except psycopg.Error as error:
                log.info("Listening for changes broke (%s), again in %d s", error, _RECONNECT)
            await asyncio.sleep(_RECONNECT)

    async def _listen_once(self) -> None:
        parameters = {**connection_parameters(), "autocommit": True}
        async with await psycopg.AsyncConnection.connect(**parameters) as connection:
            await connection.execute(f"LISTEN {CHANNEL}")
            # What was missed while not listening may be anything.
            self._take(COMMITS)
            async for notification in connection.notifies():
                self._take(notification.payload)

    def _take(self, payload: str) -> None:
        if payload == COMMITS:
            self._commits_deleted()
        else:
            self._loaded_at = float("-inf")

    async def close(self) -> None:
        """Stop listening."""
        if self._listener is not None:
            self._listener.cancel()
            with suppress(asyncio.CancelledError):
                await self._listener


def load_views() -> dict[str, View]:
    """Return all Hugging Face distributions by URL path. Blocking."""
    distributions = list(HuggingFaceDistribution.objects.select_related("pulp_domain"))
    remote_pks = {item.remote_id for item in distributions if item.remote_id}
    remotes = {remote.pk: remote for remote in HuggingFaceRemote.objects.filter(pk__in=remote_pks)}
    views = (_view(item, remotes.get(item.remote_id)) for item in distributions)
    return {view.path: view for view in views}


def url_path(domain: str, base_path: str) -> str:
    """Return the URL path of a distribution, without a trailing slash."""
    prefix = settings.CONTENT_PATH_PREFIX
    if settings.DOMAIN_ENABLED:
        prefix += domain + "/"
    return prefix + base_path


def _view(distribution: HuggingFaceDistribution, remote: HuggingFaceRemote | None) -> View:
    version: UUID | None = distribution.repository_version_id
    return View(
        pk=distribution.pk,
        domain_pk=distribution.pulp_domain_id,
        domain=distribution.pulp_domain.name,
        base_path=distribution.base_path,
        path=url_path(distribution.pulp_domain.name, distribution.base_path),
        guard=distribution.content_guard_id,
        repository=distribution.repository_id,
        version=version,
        remote=remote_view(remote) if remote else None,
        storage=distribution.pulp_domain.get_storage(),
    )


def remote_view(remote: HuggingFaceRemote) -> RemoteView:
    """Return a remote as plain values."""
    return RemoteView(
        pk=remote.pk,
        config=remote_config(remote),
        policy=remote.policy,
        token_mode=remote.effective_token_mode,
        metadata_ttl=remote.metadata_ttl,
    )


_COPIED = (
    "url",
    "username",
    "password",
    "max_redirects",
    "total_timeout",
    "connect_timeout",
    "sock_connect_timeout",
    "sock_read_timeout",
    "max_retries",
    "download_concurrency",
    "proxy_url",
    "proxy_username",
    "proxy_password",
    "tls_validation",
    "ca_cert",
    "client_cert",
    "client_key",
)


def remote_config(remote: HuggingFaceRemote) -> RemoteConfig:
    """Return how a remote is to be talked to. Blocking."""
    values: dict[str, Any] = {name: getattr(remote, name) for name in _COPIED}
    headers = [item for entry in remote.headers or [] for item in entry.items()]
    return RemoteConfig(
        id=str(remote.pk),
        token=remote.hf_token,
        redirect_hosts=tuple(remote.redirect_hosts),
        headers=tuple(headers),
        **values,
    )
