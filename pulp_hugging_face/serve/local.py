"""Answers that need no repository and no upstream."""

from aiohttp import web

from pulp_hugging_face.hub import routes
from pulp_hugging_face.hub.errors import EntryNotFound, HubError, NotSupported, ReadOnly
from pulp_hugging_face.hub.headers import CORS

from .base import base_of
from .replies import json_reply, refusal

READS = ("GET", "HEAD")
_WRITES = ("POST", "PUT", "PATCH", "DELETE")
_API = (
    routes.PassThrough,
    routes.Info,
    routes.TreeListing,
    routes.PathsInfo,
    routes.BucketPaths,
    routes.Refs,
    routes.Commits,
    routes.AuthCheck,
    routes.Credentials,
    routes.ListRepos,
    routes.WhoAmI,
    routes.ValidateYaml,
    routes.AgentHarnesses,
    routes.Git,
)


def accepted(route: routes.Route) -> web.Response | None:
    """Return the answer to a POST that changes nothing anywhere, or None for others."""
    match route:
        case routes.Telemetry():
            return web.Response(status=200, headers=CORS)
        case routes.ValidateYaml():
            # Asked before an upload, which will be refused in clear words.
            return json_reply({"errors": [], "warnings": []})
        case _:
            return None


def not_a_read(method: str, route: routes.Route) -> web.Response:
    """Return the refusal of whatever would write: 403 below /api, 405 elsewhere."""
    if method in _WRITES and isinstance(route, _API):
        return refusal(ReadOnly())
    answer = refusal(NotSupported(f"{method} is not offered here.", status=405))
    answer.headers["Allow"] = "GET, HEAD, OPTIONS"
    return answer


async def plain(request: web.Request, route: routes.Route) -> web.Response:
    """Answer what needs no repository. Raises NotSupported and EntryNotFound."""
    match route:
        case routes.Home():
            return json_reply({"HF_ENDPOINT": base_of(request).url()})
        case routes.AgentHarnesses():
            return json_reply({"standardEnvVars": [], "harnesses": {}})
        case routes.Telemetry():
            return web.Response(status=200, headers=CORS)
        case _:
            raise _refusal(route)


def _refusal(route: routes.Route) -> HubError:
    match route:
        case routes.Credentials(verb="jwt"):
            return NotSupported("Tokens of the Hub are not handed on.")
        case routes.Credentials():
            return NotSupported("Xet is not offered here: files are served over HTTP.")
        case routes.ValidateYaml() | routes.PathsInfo() | routes.BucketPaths():
            return NotSupported("GET is not offered here.", status=405)
        case routes.Git():
            return NotSupported(
                "git is not offered here: use the Hub's client libraries, e.g. hf download.",
                status=403,
            )
        case _:
            return EntryNotFound("There is nothing at this address.")
