"""The mount in the content app: who answers which path, and in whose name."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from django.core.files.storage import InMemoryStorage
from django.db import OperationalError
from yarl import URL

from pulp_hugging_face.app import content
from pulp_hugging_face.app.checks import check_trusted_proxies
from pulp_hugging_face.hub.errors import RepoMoved
from pulp_hugging_face.store.distributions import Distributions
from pulp_hugging_face.store.service import Store
from pulp_hugging_face.store.tally import Tallies
from pulp_hugging_face.store.views import View

PREFIX = "/pulp/content/"
GUARD = uuid4()
FILE = "/old/name/resolve/main/x"


def view_of(path: str, guard: UUID | None = None) -> View:
    base = path.removeprefix(PREFIX)
    return View(
        pk=uuid4(), domain_pk=uuid4(), domain="default", base_path=base, path=path, guard=guard,
        repository=None, version=None, remote=None, storage=InMemoryStorage(),
    )  # fmt: skip


class Pulp:
    """What the mount asks of the database: distributions, and whether a guard permits."""

    def __init__(self) -> None:
        self.views: dict[str, View] = {}
        self.permits = False
        self.broken = False
        self.loads = 0

    async def call(self, function: Callable[..., Any], *_: Any, **__: Any) -> Any:
        if function.__name__ == "load_views":
            self.loads += 1
            return dict(self.views)
        if self.broken:
            raise OperationalError("no connection")
        return None if self.permits else "Not you."


class Moving:
    """A store in which every repository has moved: its answers show the base they are given."""

    def __init__(self, pulp: Pulp) -> None:
        self.database = pulp
        self.distributions = Distributions(pulp, lambda: None, lambda: None)  # type: ignore[arg-type]
        self.tallies = Tallies(pulp)  # type: ignore[arg-type]

    passing = Store.passing

    async def resolve(self, *_: Any) -> Any:
        raise RepoMoved("new/name")


@web.middleware
async def authenticate(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Stand for pulpcore's: it may refuse before the plugin is asked."""
    if request.headers.get("Authorization") == "Basic wrong":
        raise web.HTTPUnauthorized(headers={"WWW-Authenticate": "Basic"})
    return await handler(request)


async def pulpcores(request: web.Request) -> web.Response:
    return web.Response(text="pulpcore")


@pytest.fixture
def pulp() -> Pulp:
    made = Pulp()
    for path, guard in (("hf", None), ("deep/er", None), ("my hub", None), ("guarded", GUARD)):
        made.views[PREFIX + path.replace(" ", "%20")] = view_of(PREFIX + path, guard)
    return made


Ask = Callable[..., Awaitable[tuple[int, Any, str]]]


@pytest_asyncio.fixture
async def ask(pulp: Pulp, settings: Any) -> AsyncIterator[Ask]:
    settings.CONTENT_ORIGIN = None
    application = web.Application(
        middlewares=[content.front, authenticate, content.behind_authentication]
    )
    application[content.STORE_KEY] = Moving(pulp)  # type: ignore[assignment]
    application.on_response_prepare.append(content.finish)
    application.add_routes(
        [
            web.get("/health", pulpcores),
            web.get(PREFIX, pulpcores),
            web.get(PREFIX + "{path:.+}", pulpcores),
            web.get("/plugin/name/resolve/{path:.+}", pulpcores),
        ]
    )
    client = TestClient(TestServer(application))
    await client.start_server()

    async def send(target: str, method: str = "GET", **headers: str) -> tuple[int, Any, str]:
        url = URL(str(client.make_url("/"))[:-1] + target, encoded=True)
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        async with client.session.request(
            method, url, headers=names, allow_redirects=False
        ) as answer:
            return answer.status, answer.headers, await answer.text()

    yield send
    await client.close()


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("endpoint", "path"),
    [
        ("/pulp/content/hf", "/pulp/content/hf"),
        ("/pulp/content/hf/", "/pulp/content/hf"),
        ("/pulp/content/hf//", "/pulp/content/hf"),
        ("//pulp//content/hf", "/pulp/content/hf"),
        ("/pulp/content/%68f", "/pulp/content/hf"),
        ("/pulp/content/%48%46", None),  # letters have a case
        ("/pulp/content/deep/er", "/pulp/content/deep/er"),
        ("/pulp/content/deep//er/", "/pulp/content/deep/er"),
        ("/pulp/content/deep%2Fer", None),
        ("/pulp/content/my%20hub", "/pulp/content/my%20hub"),
        ("/pulp/content/m%79%20hub", "/pulp/content/my%20hub"),
        ("/pulp/content/../content/hf", None),
        ("/pulp/content/%2e%2e/content/hf", None),
        ("/pulp/content/hf%00", None),
        ("/pulp/content/%ff/hf", None),
        ("/elsewhere/hf", None),
    ],
)
async def test_an_endpoint_in_any_notation_redirects_to_its_one_path(
    ask: Ask, endpoint: str, path: str | None
) -> None:
    status, headers, _ = await ask(endpoint + FILE + "?a=%2F")
    if path is None:
        assert status == (200 if endpoint.startswith("/pulp/content/") else 404)
        assert "Access-Control-Allow-Origin" not in headers
    else:
        assert status == 307
        assert headers["Location"] == f"{path}/new/name/resolve/main/x?a=%2F"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("target", "location"),
    [
        (FILE, "/new/name/resolve/main/x"),
        ("/" + FILE, "/new/name/resolve/main/x"),
        ("/api/models/old/name", "/api/models/new/name"),
        ("//api//models/old/name", "/api/models/new/name"),
        ("/datasets/old/name/resolve/refs%2Fpr%2f1/a%20b",
         "/datasets/new/name/resolve/refs%2Fpr%2f1/a%20b"),
        ("/old%2Fname/resolve/main/x", "/new/name/resolve/main/x"),
    ],
)  # fmt: skip
async def test_the_distribution_of_the_root_answers_in_the_name_of_the_root(
    ask: Ask, settings: Any, target: str, location: str
) -> None:
    settings.HUGGING_FACE_ROOT_DISTRIBUTION = "hf"
    for method in ("GET", "HEAD"):
        status, headers, _ = await ask(target, method)
        assert (status, headers["Location"]) == (307, location)
    status, headers, _ = await ask("/pulp/content/hf" + FILE)
    assert headers["Location"] == "/pulp/content/hf/new/name/resolve/main/x"


@pytest.mark.asyncio
async def test_the_root_itself_tells_the_endpoint(ask: Ask, settings: Any) -> None:
    settings.HUGGING_FACE_ROOT_DISTRIBUTION = "hf"
    status, _, text = await ask("/", Host="called.test")
    assert status == 200 and '"http://called.test"' in text
    assert (await ask("/", "HEAD"))[0] == 200


@pytest.mark.asyncio
@pytest.mark.parametrize("name", [None, "", "gone", "default/hf", "hf/x", "/", "..", "%68f"])
async def test_without_such_a_distribution_there_is_nothing_at_the_root(
    ask: Ask, settings: Any, name: str | None
) -> None:
    settings.HUGGING_FACE_ROOT_DISTRIBUTION = name
    for target in ("/", FILE, "/api/models/old/name"):
        status, headers, _ = await ask(target)
        assert status == 404 and "X-Error-Code" not in headers


@pytest.mark.asyncio
async def test_the_domain_belongs_to_the_name(ask: Ask, pulp: Pulp, settings: Any) -> None:
    pulp.views[PREFIX + "team/hf"] = view_of(PREFIX + "team/hf")
    settings.HUGGING_FACE_ROOT_DISTRIBUTION = "team/hf"
    assert (await ask(FILE))[0] == 307


@pytest.mark.asyncio
async def test_routes_of_the_content_app_come_before_the_root(ask: Ask, settings: Any) -> None:
    settings.HUGGING_FACE_ROOT_DISTRIBUTION = "hf"
    for target in ("/health", PREFIX, PREFIX + "other/x/resolve/main/y", "/plugin/name/resolve/x"):
        assert (await ask(target))[2] == "pulpcore"
    # What a route offers by another method is its own, too.
    assert (await ask("/plugin/name/resolve/main/x", "POST"))[0] == 405
    assert (await ask("/health", "OPTIONS"))[0] == 405
    for target in ("/v2/x/resolve/main/y", "/token", "/.well-known/x", "/pulp/api/v3/status/"):
        assert (await ask(target))[0] == 404


@pytest.mark.asyncio
async def test_a_deleted_distribution_leaves_the_root(ask: Ask, pulp: Pulp, settings: Any) -> None:
    settings.HUGGING_FACE_DISTRIBUTION_TTL = 0
    settings.HUGGING_FACE_ROOT_DISTRIBUTION = "hf"
    assert (await ask(FILE))[0] == 307
    del pulp.views[PREFIX + "hf"]
    assert (await ask(FILE))[0] == 404


@pytest.mark.asyncio
async def test_paths_of_others_ask_nothing_of_the_database(ask: Ask, pulp: Pulp) -> None:
    for target in ("/health", "/a%20b", "//x/y", FILE, "/"):
        await ask(target)
    assert pulp.loads == 0


# Guards, and browsers.


@pytest.mark.asyncio
@pytest.mark.parametrize("endpoint", ["/pulp/content/guarded", "//pulp/content/%67uarded", ""])
async def test_a_guard_guards_every_way_in(
    ask: Ask, pulp: Pulp, settings: Any, endpoint: str
) -> None:
    settings.HUGGING_FACE_ROOT_DISTRIBUTION = "guarded"
    for target in (FILE, "/api/models/old/name", "/"):
        status, headers, _ = await ask(endpoint + target)
        assert (status, headers["X-Error-Message"]) == (403, "Not you.")
        assert headers["X-Error-Code"] == "Forbidden"
        assert headers["Access-Control-Allow-Origin"] == "*"
    pulp.permits = True
    assert (await ask(endpoint + FILE))[0] == 307


@pytest.mark.asyncio
async def test_a_guard_that_cannot_be_asked_lets_nobody_in(ask: Ask, pulp: Pulp) -> None:
    pulp.permits = pulp.broken = True
    status, headers, _ = await ask(f"{PREFIX}guarded{FILE}")
    assert (status, headers["X-Error-Code"]) == (503, "DatabaseUnavailable")
    assert headers["Retry-After"] == "5"


@pytest.mark.asyncio
async def test_a_preflight_passes_a_guard_and_tells_nothing(ask: Ask, settings: Any) -> None:
    settings.HUGGING_FACE_ROOT_DISTRIBUTION = "guarded"
    asked = {
        "Origin": "https://page.test",
        "Access_Control_Request_Method": "GET",
        "Access_Control_Request_Headers": "authorization,range,x-custom",
    }
    answers = []
    for target in (FILE, "/api/models/nobody/nothing", "/"):
        for endpoint in ("/pulp/content/guarded", "/pulp/content/hf", ""):
            status, headers, text = await ask(endpoint + target, "OPTIONS", **asked)
            answers.append(
                (status, text, sorted((k, v) for k, v in headers.items() if k != "Date"))
            )
    assert all(answer == answers[0] for answer in answers)
    status, text, headers = answers[0]
    values = dict(headers)
    assert status == 204 and text == ""
    assert values["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in values
    allowed = values["Access-Control-Allow-Headers"].lower().split(", ")
    # "*" means every header but Authorization, which must be named (Fetch standard).
    assert {"*", "authorization", "content-type", "range", "if-none-match"} <= set(allowed)
    assert {"GET", "HEAD", "POST"} <= set(values["Access-Control-Allow-Methods"].split(", "))


@pytest.mark.asyncio
async def test_pages_may_read_every_answer_also_pulpcores_refusal(ask: Ask) -> None:
    for target, status, headers in (
        ("/pulp/content/hf" + FILE, 307, {}),
        ("/pulp/content/hf/", 200, {}),
        ("/pulp/content/hf/nothing", 404, {}),
        ("/pulp/content/hf/api/telemetry/x", 200, {}),
        ("/pulp/content/guarded" + FILE, 403, {}),
        ("/pulp/content/guarded" + FILE, 401, {"Authorization": "Basic wrong"}),
    ):
        got, answered, _ = await ask(target, **headers)
        assert got == status, target
        assert answered["Access-Control-Allow-Origin"] == "*"
        assert "X-Repo-Commit" in answered["Access-Control-Expose-Headers"]
        assert "Access-Control-Allow-Credentials" not in answered


@pytest.mark.asyncio
@pytest.mark.parametrize("endpoint", ["/pulp/content/hf", "/pulp/content/guarded"])
async def test_every_answer_has_a_number_of_its_own_and_names_no_program(
    ask: Ask, pulp: Pulp, endpoint: str
) -> None:
    pulp.permits = True
    answers = [(await ask(endpoint + target))[1] for target in (FILE, "/", "/nothing", FILE)]
    numbers = [headers["X-Request-Id"] for headers in answers]
    assert len(set(numbers)) == len(numbers) and all(numbers)
    for headers in answers:
        assert headers["Vary"] == "Authorization"
        assert headers["Server"] == "pulp_hugging_face"


def test_the_check_tells_of_proxies_that_are_none(settings: Any) -> None:
    settings.HUGGING_FACE_TRUSTED_PROXIES = ["10.0.0.0/8"]
    assert check_trusted_proxies(None) == []
    settings.HUGGING_FACE_TRUSTED_PROXIES = ["proxy.example"]
    (error,) = check_trusted_proxies(None)
    assert error.id == "hugging_face.E001" and "proxy.example" in error.msg
