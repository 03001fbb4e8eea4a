"""
JSON with long arrays, read and written in parts.

The json module lets no other thread run during a call: tens of megabytes in one, even in a thread
of their own, would keep the event loop waiting for a second.
"""

import json
import re
from typing import Any

_PART = 100
_SPACE = re.compile(r"[ \t\n\r]*")


def loads(body: bytes) -> Any:
    """Return what `json.loads` does. Raises ValueError and RecursionError, as that."""
    text = body.decode(json.detect_encoding(body), "surrogatepass")
    start = _skip(text, 0)
    return _array(text, start + 1) if text.startswith("[", start) else json.loads(text)


def _array(text: str, at: int) -> list[Any]:
    read = json.JSONDecoder().raw_decode
    items: list[Any] = []
    at = _skip(text, at)
    mark = "]" if text.startswith("]", at) else ","
    at += mark == "]"
    while mark == ",":
        item, at = read(text, _skip(text, at))
        items.append(item)
        at = _skip(text, at)
        mark, at = text[at : at + 1], at + 1
    if mark != "]":
        raise json.JSONDecodeError("Expecting ',' delimiter", text, at - 1)
    if _skip(text, at) != len(text):
        raise json.JSONDecodeError("Extra data", text, at)
    return items


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def dumps(data: Any, **options: Any) -> str:
    """Return what `json.dumps` does, for data whose keys are texts."""
    return _written(json.JSONEncoder(**options), data)


def _written(encoder: json.JSONEncoder, data: Any) -> str:
    if _is_long(data):
        parts = (data[at : at + _PART] for at in range(0, len(data), _PART))
        return f"[{encoder.item_separator.join(encoder.encode(part)[1:-1] for part in parts)}]"
    if isinstance(data, dict) and any(map(_is_long, data.values())):
        members = (
            f"{encoder.encode(key)}{encoder.key_separator}{_written(encoder, value)}"
            for key, value in data.items()
        )
        return f"{{{encoder.item_separator.join(members)}}}"
    return encoder.encode(data)


def _is_long(data: Any) -> bool:
    return isinstance(data, list) and len(data) > _PART
