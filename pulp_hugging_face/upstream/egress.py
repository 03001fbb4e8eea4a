"""The one door out: sessions, credentials, redirects, timeouts, and what failures mean."""

import asyncio
import base64
import logging
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from yarl import URL

from pulp_hugging_face.hub.errors import (
    HubError,
    LoopDetected,
    RangeNotSatisfiable,
    RedirectRefused,
    UpstreamBusy,
    UpstreamInvalid,
    UpstreamTimeout,
    UpstreamUnavailable,
    refusal_from_code,
)
from pulp_hugging_face.hub.loops import CDN_LOOP

from .behalf import passage
from .budget import Budget, Meter
from .config import (
    BODY_PATIENCE,
    DEFAULT_CONNECT_TIMEOUT,
    DEFAULT_READ_TIMEOUT,
    METADATA_TIMEOUT,
    QUESTION_PATIENCE,
    RemoteConfig,
)

log = logging.getLogger("pulp_hugging_face.upstream")

USER_AGENT = "pulp_hugging_face (pull-through cache)"
REDIRECTS = (301, 302, 303, 307, 308)
# aiohttp's default line limits are below what signed CDN addresses and Link headers need.
_MAX_FIELD = 32 * 1024
_READ_BUFFER = 1024 * 1024
_SECONDS = re.compile(r"[0-9]{1,9}")
_TOTAL = re.compile(r"bytes \*/([0-9]{1,19})")


@dataclass(frozen=True)
class Request:
    """
    One question to the upstream.

    `target` is a path below the remote's URL, already percent-encoded, or an absolute URL.
    `token` None sends no credentials; `long` lifts the limit on the whole duration (bodies).
    `follow` False returns the first answer whatever it is below 400; `refusals` False returns also
    what the remote's own host refuses (4xx but 429), instead of raising it. `ranged` takes 416 for
    an answer about the range, whoever gives it. `read_timeout` is how many seconds may pass without
    a byte where the remote's `sock_read_timeout` does not say.
    """

    method: str
    target: str
    token: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] | None = None
    json: Any = None
    long: bool = False
    follow: bool = True
    refusals: bool = True
    ranged: bool = False
    read_timeout: float = DEFAULT_READ_TIMEOUT


class Egress:
    """
    A remote's connection to the outside. One per process and configuration.

    Raises, from `open`: DefiniteRefusal subclasses for what the remote's own host refused in the
    Hub's words, Trouble subclasses for everything else that is not an answer.
    """

    def __init__(self, config: RemoteConfig, budget: Budget | None = None) -> None:
        self.config = config
        self._budget = budget or budget_of(config)
        self._session: aiohttp.ClientSession | None = None

    def _get_session(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            connector = aiohttp.TCPConnector(limit=0, ssl=self.config.ssl_context())
            self._session = aiohttp.ClientSession(
                connector=connector,
                headers={"User-Agent": USER_AGENT},
                max_field_size=_MAX_FIELD,
                max_line_size=_MAX_FIELD,
                cookie_jar=aiohttp.DummyCookieJar(),
                requote_redirect_url=False,
                read_bufsize=_READ_BUFFER,
            )
        return self._session

    @property
    def room(self) -> float:
        """Return how many more bodies may be fetched; below zero, how many wait for that."""
        return self._budget.room

    async def is_reachable(self, timeout: float) -> bool:
        """Tell whether the upstream (or the proxy to it) takes connections."""
        url = URL(self.config.proxy_url) if self.config.proxy_url else self.config.base
        try:
            async with asyncio.timeout(timeout):
                _, writer = await asyncio.open_connection(url.host, url.port)
        except (OSError, TimeoutError):
            return False
        writer.close()
        return True

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    @asynccontextmanager
    async def open(self, request: Request) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a request, follow permitted redirects and yield an answer below 400."""
        async with self._budget.transfer() if request.long else nullcontext():
            try:
                response = await self._follow(request)
            except TimeoutError as error:
                raise UpstreamTimeout(
                    "The upstream did not answer in time.", retry_after=5
                ) from error
            except (aiohttp.ClientError, OSError) as error:
                raise _unreachable(error) from error
            async with response:
                _raise_for_status(self.config, response, request)
                yield response

    async def _follow(self, request: Request) -> aiohttp.ClientResponse:
        url = self._absolute(request.target)
        for _ in range(self.config.max_redirects + 1):
            response = await self._send(request, url)
            location = response.headers.get("Location")
            if not (request.follow and response.status in REDIRECTS and location):
                return response
            response.release()
            url = self._redirect_target(url, location)
        raise RedirectRefused("The upstream redirects more often than max_redirects.")

    def _absolute(self, target: str) -> URL:
        url = URL(target, encoded=True)
        if not url.scheme:
            return URL(f"{self.config.base}/{target}", encoded=True)
        if not self.config.is_own(url):
            raise UpstreamInvalid("The upstream named an address outside of its own host.")
        return url

    def _redirect_target(self, url: URL, location: str) -> URL:
        try:
            target = url.join(URL(location, encoded=True))
            permitted = self.config.may_redirect_to(target)
        except ValueError as error:  # yarl looks at ports and hosts when they are asked for
            raise UpstreamInvalid("The upstream redirects to an invalid address.") from error
        if not permitted:
            log.warning("Redirect to %s refused: host not in redirect_hosts", target.host)
            raise RedirectRefused(
                "The upstream redirects to a host that is not among the remote's redirect_hosts."
            )
        if not self.config.is_own(target):
            log.debug("Following a redirect to %s", target.host)
        return target

    async def _send(self, request: Request, url: URL) -> aiohttp.ClientResponse:
        """Send a request within the budget: that is the Hub's, storage hosts have none."""
        if not self.config.is_own(url):
            return await self._transmit(request, url)
        patience = BODY_PATIENCE if request.long else QUESTION_PATIENCE
        permit = await self._budget.admit(self._below_base(url), request.token, patience)
        try:
            response = await self._transmit(request, url)
        except BaseException:
            permit.lost()
            raise
        busy = permit.answered(response.status, response.headers)
        if busy is not None:
            response.release()
            raise busy
        return response

    def _below_base(self, url: URL) -> str:
        """Return the raw path below the remote's URL, which may be a distribution of a Pulp."""
        return url.raw_path.removeprefix(self.config.base.raw_path.rstrip("/"))

    async def _transmit(self, request: Request, url: URL) -> aiohttp.ClientResponse:
        return await self._get_session().request(
            request.method,
            url,
            headers={**self._own_headers(request, url), **(request.headers or {})},
            json=request.json,
            allow_redirects=False,
            timeout=self._timeout(request),
            proxy=self.config.proxy_url,
            proxy_auth=self._proxy_auth(),
        )

    def _own_headers(self, request: Request, url: URL) -> dict[str, str]:
        """Return credentials and the remote's own headers: for its own origin only."""
        if not self.config.is_own(url):
            return {}
        return {**self._credentials(request), **_loop_mark()}

    def _credentials(self, request: Request) -> dict[str, str]:
        basic = _basic(self.config.username, self.config.password)
        authorization = f"Bearer {request.token}" if request.token else basic
        if not authorization:
            return dict(self.config.headers)
        others = {
            name: value for name, value in self.config.headers if name.lower() != "authorization"
        }
        return {**others, "Authorization": authorization}

    def _proxy_auth(self) -> aiohttp.BasicAuth | None:
        # `proxy_headers`, which is to replace it, goes only into CONNECT (aiohttp 3.14), so that
        # a proxy would not know us when the Hub is asked over plain http.
        if not self.config.proxy_username:
            return None
        return aiohttp.BasicAuth(self.config.proxy_username, self.config.proxy_password or "")

    def _timeout(self, request: Request) -> aiohttp.ClientTimeout:
        config = self.config
        total = config.total_timeout or None
        return aiohttp.ClientTimeout(
            total=total if request.long else (total or METADATA_TIMEOUT),
            connect=config.connect_timeout or None,
            sock_connect=config.sock_connect_timeout or DEFAULT_CONNECT_TIMEOUT,
            sock_read=config.sock_read_timeout or request.read_timeout,
        )


def _loop_mark() -> dict[str, str]:
    """Return what tells caches that this request came through them (RFC 8586)."""
    onward = passage().onward
    return {CDN_LOOP: onward} if onward else {}


def _basic(username: str | None, password: str | None) -> str | None:
    """Return the value of an Authorization header (RFC 7617)."""
    if not username:
        return None
    return "Basic " + base64.b64encode(f"{username}:{password or ''}".encode()).decode()


def _unreachable(error: Exception) -> UpstreamUnavailable:
    """Return the failure without addresses: they may be signed, and no business of clients."""
    return UpstreamUnavailable(
        f"The upstream cannot be reached ({type(error).__name__}).", retry_after=5
    )


def _raise_for_status(
    config: RemoteConfig, response: aiohttp.ClientResponse, request: Request
) -> None:
    if response.status == 416 and request.ranged:
        raise RangeNotSatisfiable(_total(response.headers))
    if response.status >= 400:
        own = config.is_own(response.url.with_fragment(None))
        if own and not request.refusals and response.status < 500 and response.status != 429:
            return
        raise _failure(config, response.status, response.headers, own=own)
    if request.follow and response.status not in (200, 206):
        raise UpstreamInvalid(f"The upstream answered {response.status} to a question.")


def _failure(
    config: RemoteConfig, status: int, headers: Mapping[str, str], *, own: bool
) -> HubError:
    """Return what an answer of 400 or above means. Only the remote's own host can refuse."""
    retry_after = _seconds(headers.get("Retry-After"))
    if status == 429:
        return UpstreamBusy("The upstream limits the rate of requests.", retry_after=retry_after)
    if status == LoopDetected.status and own:
        return LoopDetected()
    if status >= 500 or not own:
        wait = retry_after if retry_after is not None else 5
        return UpstreamUnavailable(f"The upstream answered {status}.", retry_after=wait)
    message = config.rewriter.sentence(headers.get("X-Error-Message", ""))
    refusal = refusal_from_code(headers.get("X-Error-Code", ""), status, message)
    if refusal is not None:
        return refusal
    return UpstreamInvalid(f"The upstream answered {status} without a reason.")


def _total(headers: Mapping[str, str]) -> int | None:
    """Return the size of the file that a range was not in, if told (RFC 9110, 14.4)."""
    match = _TOTAL.fullmatch(headers.get("Content-Range", ""))
    return int(match.group(1)) if match else None


def _seconds(text: str | None) -> int | None:
    """Return Retry-After in seconds; its date form is not used by the Hub (§2.1)."""
    return int(text) if text is not None and _SECONDS.fullmatch(text) else None


def budget_of(config: RemoteConfig, meter: Meter | None = None) -> Budget:
    """Return a fresh budget with a remote's own limits."""
    return Budget(config.id, config.rate_limit, config.download_concurrency, meter)


class EgressPool:
    """
    The egress of every remote in use; a changed configuration replaces the old session.

    `meter` counts what is asked.
    """

    def __init__(self, meter: Meter | None = None) -> None:
        self._meter = meter
        self._by_remote: dict[str, Egress] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def get(self, config: RemoteConfig) -> Egress:
        """Return the egress for a configuration."""
        current = self._by_remote.get(config.id)
        if current is None or current.config != config:
            if current is not None:
                self._close_later(current)
            current = Egress(config, budget_of(config, self._meter))
            self._by_remote[config.id] = current
        return current

    def _close_later(self, egress: Egress) -> None:
        """Close a replaced session once what it is transferring may have ended."""

        async def close() -> None:
            try:
                await asyncio.sleep(3600)
            finally:
                await egress.close()

        task = asyncio.get_running_loop().create_task(close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """Close all sessions."""
        closing = list(self._closing)
        for task in closing:
            task.cancel()
        await asyncio.gather(*closing, return_exceptions=True)
        for egress in self._by_remote.values():
            await egress.close()
        self._by_remote.clear()
