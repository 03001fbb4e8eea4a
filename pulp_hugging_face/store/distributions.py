"""Which distribution a request path belongs to, from a map kept in memory."""

import asyncio
import logging
import re
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import quote, unquote
from uuid import UUID

import psycopg
from django.conf import settings

from pulp_hugging_face.app.models import HuggingFaceDistribution, HuggingFaceRemote
from pulp_hugging_face.app.models.changes import CHANNEL, COMMITS, KNOWN
from pulp_hugging_face.hub.names import InvalidName, decode_segment
from pulp_hugging_face.upstream.config import RemoteConfig

from .db import DATABASE_ERRORS, Database, connection_parameters
from .views import Found, RemoteView, View

log = logging.getLogger("pulp_hugging_face.store")

# A path no distribution is known for makes us look again, but not more often than this (seconds).
_MISS_INTERVAL = 0.2
_RECONNECT = 5
# What need not be encoded in a path, so what most clients do not encode.
_SAFE = "/:@!$&'()*+,;=~"
_SEGMENT = re.compile(r"/+([^/]+)")


class Distributions:
    """
    The Hugging Face distributions by URL path.

    Changes arrive by LISTEN/NOTIFY; where that is not to be had (a pooler in transaction mode),
    the map is reloaded after HUGGING_FACE_DISTRIBUTION_TTL seconds.
    """

    def __init__(
        self, database: Database, changed: Callable[[], None], moved: Callable[[], None]
    ) -> None:
        """`changed` is called when anything may be another, `moved` when only what is known is."""
        self._database = database
        self._changed = changed
        self._moved = moved
        self._views: dict[str, View] = {}
        self._loaded_at = float("-inf")
        self._lock = asyncio.Lock()
        self._listener: asyncio.Task[None] | None = None

    async def find(self, raw_path: str) -> Found | None:
        """Return the distribution of a raw URL path, or None."""
        if not _below_prefix(raw_path):
            return None
        return await self._look(lambda: self._match(raw_path))

    async def at_root(self) -> Found | None:
        """Return the distribution that HUGGING_FACE_ROOT_DISTRIBUTION names, if there is one."""
        name = str(settings.HUGGING_FACE_ROOT_DISTRIBUTION or "").strip("/")
        if not name:
            return None
        return await self._look(lambda: self._named(name))

    async def _look(self, match: Callable[[], Found | None]) -> Found | None:
        """Look into the map, which is reloaded when it is old or may lack what is asked for."""
        if self._age() > settings.HUGGING_FACE_DISTRIBUTION_TTL:
            await self._reload(settings.HUGGING_FACE_DISTRIBUTION_TTL)
        found = match()
        if found is None and self._age() > _MISS_INTERVAL:
            await self._reload(_MISS_INTERVAL)
            found = match()
        return found

    async def all(self) -> list[View]:
        """Return all distributions."""
        if self._age() > settings.HUGGING_FACE_DISTRIBUTION_TTL:
            await self._reload(settings.HUGGING_FACE_DISTRIBUTION_TTL)
        return list(self._views.values())

    def _age(self) -> float:
        return time.monotonic() - self._loaded_at

    def _match(self, raw_path: str) -> Found | None:
        """Base paths never overlap, so that at most one parent of the path is one."""
        candidate = raw_path.rstrip("/")
        while candidate:
            if candidate in self._views:
                return Found(self._views[candidate], candidate, candidate)
            candidate = candidate.rpartition("/")[0]
        if "%" in raw_path or "//" in raw_path:
            return self._match_in_other_words(raw_path)
        return None

    def _match_in_other_words(self, raw_path: str) -> Found | None:
        """Find a distribution whose path is written with needless encodings or double slashes."""
        path = ""
        for segment in _SEGMENT.finditer(raw_path):
            try:
                path += "/" + quote(decode_segment(segment[1]), safe=_SAFE.removeprefix("/"))
            except InvalidName:
                return None
            if path in self._views:
                return Found(self._views[path], path, raw_path[: segment.end()])
        return None

    def _named(self, name: str) -> Found | None:
        view = self._views.get(quote(settings.CONTENT_PATH_PREFIX + name, safe=_SAFE))
        return Found(view, "", "") if view else None

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
        if payload == KNOWN:
            self._moved()
            return
        self._changed()
        if payload != COMMITS:
            self._loaded_at = float("-inf")

    async def close(self) -> None:
        """Stop listening."""
        if self._listener is not None:
            self._listener.cancel()
            with suppress(asyncio.CancelledError):
                await self._listener


def _below_prefix(raw_path: str) -> bool:
    """Tell whether a path is below CONTENT_PATH_PREFIX, in whatever notation."""
    prefix: str = settings.CONTENT_PATH_PREFIX
    if raw_path.startswith(prefix) or not ("%" in raw_path or "//" in raw_path):
        return raw_path.startswith(prefix)
    return re.sub("/+", "/", unquote(raw_path)).startswith(prefix)


def load_views() -> dict[str, View]:
    """Return all Hugging Face distributions by raw URL path. Blocking."""
    distributions = list(HuggingFaceDistribution.objects.select_related("pulp_domain"))
    remote_pks = {item.remote_id for item in distributions if item.remote_id}
    remotes = {remote.pk: remote for remote in HuggingFaceRemote.objects.filter(pk__in=remote_pks)}
    views = (_view(item, remotes.get(item.remote_id)) for item in distributions)
    return {quote(view.path, safe=_SAFE): view for view in views}


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
        redirects=distribution.pulp_domain.redirect_to_object_storage,
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
    "rate_limit",
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
