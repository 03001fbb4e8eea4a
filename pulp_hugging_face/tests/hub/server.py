"""The fixture Hub: two public origins and a control origin over one world."""

import dataclasses
import time
from collections.abc import Callable

from aiohttp import web
from multidict import CIMultiDict

from . import faults as fault_rules
from .control import Control
from .errors import HubError
from .faults import Armed, Faults
from .journal import Journal, LogEntry
from .origin import Handler, Origin
from .ratelimit import RateLimits, too_many
from .routes import Route, cdn_route, hub_route
from .wire import Answer, Ask, compressed, etag_matches, json_answer, not_modified, text_answer
from .world import World
from .writer import ClientGone, Throttle, hang_up, pause, send

Router = Callable[[Ask], Route]
UNAUTHENTICATED = (
    "unauthenticated; Warning: You are sending unauthenticated requests to the HF Hub. Please set "
    "a HF_TOKEN to enable higher rate limits and faster downloads."
)


class Fixture:
    """Everything in one process."""

    def __init__(
        self, world: World, host: str, cdn_host: str, port: int, cdn_port: int, control_port: int
    ) -> None:
        self.world = world
        self.journal = Journal()
        self.faults = Faults()
        self.limits = RateLimits()
        self.throttles: dict[str, tuple[int, bool]] = {}
        self._shared: dict[str, Throttle] = {}
        self.hub = Origin("hub", host, port, self._handler("hub", hub_route))
        self.cdn = Origin("cdn", cdn_host, cdn_port, self._handler("cdn", cdn_route))
        self.control = Origin("control", host, control_port, Control(self).handle)
        world.hub_url, world.cdn_url = self.hub.url, self.cdn.url

    @property
    def origins(self) -> tuple[Origin, Origin]:
        return self.hub, self.cdn

    async def start(self) -> None:
        for origin in (*self.origins, self.control):
            await origin.open()

    async def stop(self) -> None:
        self.faults.clear()
        for origin in (*self.origins, self.control):
            await origin.close()

    def set_throttle(self, origin: str, rate: int, shared: bool) -> None:
        """0 lifts it."""
        self.throttles.pop(origin, None)
        if rate:
            self.throttles[origin] = (rate, shared)
            self._shared[origin] = Throttle(rate)

    def _throttle(self, origin: str) -> Throttle | None:
        if origin not in self.throttles:
            return None
        rate, shared = self.throttles[origin]
        return self._shared[origin] if shared else Throttle(rate)

    def _handler(self, origin: str, router: Router) -> Handler:
        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            ask = await _ask(origin, request)
            route = router(ask)
            entry = self.journal.open(ask, route.kind)
            try:
                return await self._exchange(request, ask, route, entry)
            except (ClientGone, ConnectionResetError):
                return web.Response(status=499)
            except Exception:
                entry.status = 500
                raise
            finally:
                entry.seconds = max(time.time() - entry.started, 1e-6)

        return handle

    async def _exchange(
        self, request: web.BaseRequest, ask: Ask, route: Route, entry: LogEntry
    ) -> web.StreamResponse:
        before = self._faults(ask, route, entry, fault_rules.BEFORE)
        replaced: Answer | None = None
        for armed in before:
            await _delay(request, armed)
            own_url = f"{_base(self.world, ask)}{ask.target}"
            replaced = replaced or fault_rules.replacement(ask, own_url, armed.fault)
            if armed.fault.mode == "ignore_range":
                ask = _without_range(ask)
        if replaced is not None:
            return await send(request, replaced, entry)
        answer = self._answer(ask, route)
        for armed in self._faults(ask, route, entry, _changes_for(answer)):
            answer = fault_rules.changed(answer, armed.fault)
        body = self._faults(ask, route, entry, _body_modes_for(ask, answer))
        throttle = self._throttle(ask.origin) if answer.blob else None
        return await send(request, answer, entry, body, throttle)

    def _faults(
        self, ask: Ask, route: Route, entry: LogEntry, modes: tuple[str, ...]
    ) -> list[Armed]:
        found = self.faults.matching(ask, route.kind, modes)
        entry.faults += [armed.fault.mode for armed in found]
        return found

    def _answer(self, ask: Ask, route: Route) -> Answer:
        headers, exhausted = self.limits.headers(ask, route.kind, self.world.users)
        try:
            if exhausted:
                raise too_many(ask, headers)
            answer = route.call(self.world, ask)
        except HubError as error:
            answer = _refusal(error, route)
        answer.headers.update(headers)
        if ask.origin == "hub":
            answer.headers.update(self._moon_headers(ask, route))
        answer = _conditional(ask, answer)
        return compressed(ask, answer) if self.world.settings.compress else answer

    def _moon_headers(self, ask: Ask, route: Route) -> dict[str, str]:
        """What is on every answer of the Hub and must not be kept by a cache."""
        request_id = f"Root=1-{self.journal.last:08x}-{0:024x}"
        headers = {"X-Powered-By": "huggingface-moon", "X-Request-Id": request_id}
        if ask.authorization is None and route.kind.startswith("resolve_"):
            headers["X-HF-Warning"] = UNAUTHENTICATED
        return headers


async def _ask(origin: str, request: web.BaseRequest) -> Ask:
    raw_path, _, raw_query = request.raw_path.partition("?")
    body = await request.read() if request.can_read_body else b""
    peer = request.remote or ""
    return Ask(origin, request.method, raw_path, raw_query, request.headers, body, peer)


async def _delay(request: web.BaseRequest, armed: Armed) -> None:
    if armed.fault.mode == "offline":
        await hang_up(request, rst=True)
    elif armed.fault.mode == "slow_first_byte":
        await pause(request, armed.fault.seconds)
    elif armed.fault.mode == "hold":
        await pause(request, armed.fault.seconds, armed.cleared)


def _base(world: World, ask: Ask) -> str:
    return world.hub_url if ask.origin == "hub" else world.cdn_url


def _without_range(ask: Ask) -> Ask:
    kept = CIMultiDict(ask.headers)
    kept.popall("Range", None)
    return dataclasses.replace(ask, headers=kept)


def _changes_for(answer: Answer) -> tuple[str, ...]:
    """Headers may be wrong on any answer, a body only where there is one to speak of."""
    return fault_rules.CHANGES if answer.status in (200, 206) else ("headers", "bad_etag")


def _body_modes_for(ask: Ask, answer: Answer) -> tuple[str, ...]:
    return fault_rules.BODY if answer.status in (200, 206) and ask.method != "HEAD" else ()


def _refusal(error: HubError, route: Route) -> Answer:
    """X-Error-Code, X-Error-Message, and the message as text or JSON (§2.1)."""
    headers = {**error.headers, "X-Error-Message": error.message}
    if error.code:
        headers["X-Error-Code"] = error.code
    if route.plain:
        return text_answer(error.message, headers, error.status)
    return json_answer({"error": error.message}, headers, error.status)


def _conditional(ask: Ask, answer: Answer) -> Answer:
    """Generated answers have a weak ETag and honour `If-None-Match`."""
    etag = answer.headers.get("ETag", "")
    if answer.status == 200 and etag.startswith("W/") and etag_matches(ask, etag):
        return not_modified(answer.headers)
    return answer
