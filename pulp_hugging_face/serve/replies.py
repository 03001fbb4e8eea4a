"""Answers that are no files: JSON, refusals, redirects."""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from aiohttp import web

from pulp_hugging_face.hub import longjson
from pulp_hugging_face.hub.errors import HubError, PassedRefusal
from pulp_hugging_face.hub.headers import CORS, STALE, error_headers
from pulp_hugging_face.hub.names import DEFAULT_ENDPOINT, RepoId, RepoType, decode_segment
from pulp_hugging_face.hub.payloads import error_body
from pulp_hugging_face.hub.rewrite import Rewriter
from pulp_hugging_face.store.answers import Answered
from pulp_hugging_face.store.remembered import Page
from pulp_hugging_face.store.views import View

from .base import base_of, below

# What Python, JS and transformers.js clients send, by name for browsers that do not know "*".
_ASKED_WITH = (
    "Authorization, Content-Type, Range, If-None-Match, If-Range, Accept, User-Agent, "
    "X-HF-Bill-To, X-HF-Download-Counter, X-Amzn-Trace-Id, X-Requested-With, *"
)

T = TypeVar("T")

# Larger answers are read and written in a thread.
_QUICK = 256 * 1024
_SAFE_TYPE = re.compile(r"[a-z]+/[a-zA-Z0-9.+-]+(; ?charset=[a-zA-Z0-9-]+)?")
_ERROR_CODE = re.compile(r"[A-Za-z]{1,64}")
# What others wrote must not run as a page of this host.
_HARMLESS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
}


def json_reply(
    data: Any, headers: dict[str, str] | None = None, *, stale: bool = False
) -> web.Response:
    """Return a JSON answer readable by browser clients too; `stale` warns (§1.3)."""
    warning = STALE if stale else {}
    return web.json_response(data, headers={**CORS, **warning, **(headers or {})})


def page_reply(page: Page, commit: str, *, stale: bool = False) -> web.Response:
    """Return a JSON answer about a commit whose body is remembered."""
    headers = {"X-Repo-Commit": commit, **CORS, **(STALE if stale else {})}
    if page.link is not None:
        headers["Link"] = page.link
    return web.Response(
        body=page.body, headers=headers, content_type="application/json", charset="utf-8"
    )


def json_bytes(data: Any) -> bytes:
    """Return data as the body of an answer."""
    return longjson.dumps(data).encode()


async def off_loop(size: int, work: Callable[[], T]) -> T:
    """Do work on so many bytes: much of it in a thread, so that the others need not wait."""
    return work() if size <= _QUICK else await asyncio.to_thread(work)


def rewriter_of(request: web.Request, view: View) -> Rewriter:
    """Return what replaces the upstream's addresses by those the client knows."""
    endpoint = base_of(request).url()
    if view.remote is None:  # what is held came from a Hub all the same
        return Rewriter(DEFAULT_ENDPOINT, endpoint)
    config = view.remote.config
    return Rewriter(config.url.rstrip("/"), endpoint, config.redirect_hosts)


async def passed(
    request: web.Request,
    view: View,
    answered: Answered,
    *,
    stale: bool = False,
    null_xet: bool = False,
) -> web.Response:
    """Return an answer of the upstream as a client may see it. Raises PassedRefusal."""
    answer = answered.answer
    rewriter = replace(rewriter_of(request, view), null_xet=null_xet)
    if answer.status >= 400:
        raise _passed_refusal(answer.status, answer.headers, rewriter)
    headers = {**CORS, **_HARMLESS, **(STALE if stale or answered.stale else {})}
    below_upstream = rewriter.below(answer.headers.get("Location", ""))
    if below_upstream is not None:
        headers["Location"] = base_of(request).location(below_upstream)
        return web.Response(status=answer.status, headers=headers)
    kind = answer.headers.get("Content-Type", "")
    safe = _SAFE_TYPE.fullmatch(kind) is not None
    headers["Content-Type"] = kind if safe else "application/octet-stream"
    if link := rewriter.link(answer.headers.get("Link", "")):
        headers["Link"] = link
    total = answer.headers.get("X-Total-Count", "")
    if total.isdigit():
        headers["X-Total-Count"] = total
    body = await off_loop(len(answer.body), lambda: _rewrite(rewriter, kind, answer.body))
    return web.Response(status=answer.status, headers=headers, body=body)


def _passed_refusal(status: int, headers: Mapping[str, str], rewriter: Rewriter) -> PassedRefusal:
    code = headers.get("X-Error-Code", "")
    message = rewriter.sentence(headers.get("X-Error-Message", "")) or f"Answered {status}."
    return PassedRefusal(message, status=status, code=code if _ERROR_CODE.fullmatch(code) else "")


def _rewrite(rewriter: Rewriter, kind: str, body: bytes) -> bytes:
    if "json" in kind:
        data = rewriter.data(longjson.loads(body))
        return longjson.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
    if kind.startswith("text/"):
        return rewriter.text(body.decode("utf-8", "surrogateescape")).encode(
            "utf-8", "surrogateescape"
        )
    return body


def refusal(error: HubError) -> web.Response:
    """Return the answer by which every client knows the reason of a refusal (§2.1)."""
    return web.json_response(error_body(error), status=error.status, headers=error_headers(error))


def preflight() -> web.Response:
    """
    Answer a browser's question whether it may ask (CORS).

    The same for everything and everybody: a preflight carries no credentials, so that it can
    neither be held against a guard nor be told anything. Credentials of the browser itself
    (cookies) are never allowed; a page may send a token that it has, and `*` covers all headers
    but that.
    """
    return web.Response(
        status=204,
        headers={
            **CORS,
            "Access-Control-Allow-Methods": "GET, HEAD, POST, OPTIONS",
            "Access-Control-Allow-Headers": _ASKED_WITH,
            "Access-Control-Max-Age": "86400",
        },
    )


def moved(request: web.Request, old: RepoId, new_id: str) -> web.Response:
    """
    Return the 307 for a renamed or legacy repository.

    `Location` is a path with the prefix clients see and the original query: a host breaks clients
    up to 1.29, a lost query makes a listing silently incomplete (rule 4).
    """
    segments = [part for part in below(request).split("/") if part]
    start = _id_start(old, segments)
    # An id takes one segment when its slash is encoded, or for legacy ids, else two.
    size = 2 if "/" in old.id and "/" not in decode_segment(segments[start]) else 1
    segments[start : start + size] = [new_id]
    query = request.rel_url.raw_query_string
    location = base_of(request).location("/".join(segments)) + (f"?{query}" if query else "")
    return web.Response(
        status=307, headers={"Location": location, **CORS}, text=f"Moved to {new_id}"
    )


def _id_start(repo: RepoId, segments: list[str]) -> int:
    """Return which segment of a path below the endpoint the id begins with."""
    if segments[0] != "api":
        return 0 if repo.type is RepoType.MODEL else 1
    return 3 if segments[1] == "resolve-cache" else 2
