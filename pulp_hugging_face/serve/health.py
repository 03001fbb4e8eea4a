"""`GET /health`: whether this server can do its work, from real checks."""

import asyncio
import os
import tempfile
from typing import Any

from aiohttp import web
from django.conf import settings

from pulp_hugging_face.store.db import DATABASE_ERRORS
from pulp_hugging_face.store.service import Store

STORE_KEY = web.AppKey("hugging_face_store", Store)

_TIMEOUT = 3.0
_WORKERS = """
    SELECT count(*) AS alive FROM core_appstatus
    WHERE app_type = 'worker' AND last_heartbeat > now() - ttl
"""


async def health(request: web.Request) -> web.Response:
    """
    Answer 200 or 503 with the outcome of each check.

    The database, the storage and the task worker decide; the upstream is information, because what
    is held is served without it.
    """
    store = request.config_dict[STORE_KEY]
    checks = {
        "database": await _database(store),
        "storage": await asyncio.get_running_loop().run_in_executor(None, _storage),
        "worker": await _worker(store),
    }
    healthy = all(outcome == "ok" for outcome in checks.values())
    body: dict[str, Any] = {
        "status": "ok" if healthy else "unhealthy",
        **checks,
        "upstream": await _upstream(store) if healthy else {},
    }
    return web.json_response(body, status=200 if healthy else 503)


async def _database(store: Store) -> str:
    try:
        await asyncio.wait_for(store.database.fetch("SELECT 1 AS one"), _TIMEOUT)
    except (*DATABASE_ERRORS, TimeoutError) as error:
        return f"failed: {type(error).__name__}"
    return "ok"


async def _worker(store: Store) -> str:
    try:
        row = await asyncio.wait_for(store.database.fetch_one(_WORKERS), _TIMEOUT)
    except (*DATABASE_ERRORS, TimeoutError) as error:
        return f"unknown: {type(error).__name__}"
    return "ok" if row and row["alive"] else "no task worker is alive"


def _storage() -> str:
    """Write to the folders where downloads arrive and, if it is local, where they are kept."""
    folders = [settings.WORKING_DIRECTORY]
    if os.path.isdir(settings.MEDIA_ROOT or ""):
        folders.append(settings.MEDIA_ROOT)
    try:
        for folder in folders:
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(b"healthy?")
    except OSError as error:
        return f"not writable: {error.strerror}"
    return "ok"


async def _upstream(store: Store) -> dict[str, str]:
    found = await store.reachability(_TIMEOUT)
    return {url: "reachable" if ok else "unreachable" for url, ok in found.items()}
