"""
Which paths at the root of the content host are the Hub's (HUGGING_FACE_ROOT_DISTRIBUTION).

Some clients keep only the host of HF_ENDPOINT and ask for `/api/…` and `/org/name/resolve/…`
(hub-protocol §6). They are answered without taking anything from pulpcore and other plugins: only
what has the shape of a Hub path, and what no route of the content app matches.
"""

from aiohttp import web
from django.conf import settings

from pulp_hugging_face.hub import routes
from pulp_hugging_face.hub.names import InvalidName, decode_segment

# Addresses that Pulp's parts have on a host they share, also where the content app is asked for
# them by mistake. A namespace of the Hub with such a name is to be had below the endpoint.
_PULPS_OWN = frozenset({"pulp", "v2", "token", ".well-known"})


def is_for_root(request: web.Request) -> bool:
    """Tell whether a request that no distribution's path leads to may be one of a Hub client."""
    nobodys = isinstance(request.match_info.http_exception, web.HTTPNotFound)
    return nobodys and has_hub_shape(request.rel_url.raw_path)


def has_hub_shape(raw_path: str) -> bool:
    """Tell whether a raw path can be one of the Hub's, and is none of Pulp's own."""
    segments = [segment for segment in raw_path.split("/") if segment]
    if not segments or segments[0] == "api":
        return True
    try:
        return decode_segment(segments[0]) not in _reserved() and not isinstance(
            routes.parse(raw_path), routes.Unknown
        )
    except InvalidName:  # the shape is the Hub's, the name nobody's
        return True


def _reserved() -> frozenset[str]:
    prefixes = (settings.CONTENT_PATH_PREFIX, settings.API_ROOT)
    return _PULPS_OWN | {prefix.strip("/").partition("/")[0] for prefix in prefixes}
