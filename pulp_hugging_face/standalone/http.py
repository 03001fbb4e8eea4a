"""Asking our own processes how they are. Loopback only, never through a proxy."""

import http.client
import json
from typing import Any
from urllib.parse import urlsplit


def get(origin: str, path: str, seconds: float = 5.0) -> tuple[int, bytes]:
    """Return status and body of a GET; (0, reason) when there is no answer."""
    parts = urlsplit(origin)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=seconds)
    try:
        connection.request("GET", path, headers={"Accept": "application/json"})
        response = connection.getresponse()
        return response.status, response.read(1024 * 1024)
    except (OSError, http.client.HTTPException) as error:
        return 0, str(error).encode()
    finally:
        connection.close()


def get_json(origin: str, path: str, seconds: float = 5.0) -> tuple[int, dict[str, Any]]:
    """Return status and JSON object of a GET; {} when the body is none."""
    status, body = get(origin, path, seconds)
    try:
        value = json.loads(body)
    except ValueError:
        return status, {}
    return status, value if isinstance(value, dict) else {}
