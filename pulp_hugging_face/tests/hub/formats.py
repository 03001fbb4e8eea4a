"""What the Hub reads out of model files: safetensors headers and GGUF metadata."""

import json
import struct
from collections import Counter
from typing import Any

from .content import Content
from .gitmodel import Commit

GGUF_WORD, GGUF_TEXT = 4, 8  # types of metadata values: uint32 and string


def safetensors_header(content: Content) -> dict[str, Any] | None:
    """The JSON header, or None for what is no safetensors file."""
    prefix = content.read(0, 8)
    size = struct.unpack("<Q", prefix)[0] if len(prefix) == 8 else 0
    if not 0 < size <= content.size - 8:
        return None
    try:
        header = json.loads(content.read(8, size))
    except ValueError:
        return None
    return header if isinstance(header, dict) else None


def safetensors_summary(commit: Commit | None) -> dict[str, Any] | None:
    """`safetensors` of a model's info: parameters by dtype, and in total."""
    counts: Counter[str] = Counter()
    for path, blob in commit.files.items() if commit else ():
        header = safetensors_header(blob.content) if path.endswith(".safetensors") else None
        for name, tensor in (header or {}).items():
            if name != "__metadata__":
                counts[tensor["dtype"]] += _product(tensor["shape"])
    return {"parameters": dict(counts), "total": counts.total()} if counts else None


def _product(shape: list[int]) -> int:
    product = 1
    for length in shape:
        product *= length
    return product


def gguf_summary(commit: Commit | None) -> dict[str, Any] | None:
    """`gguf` of a model's info, from the first GGUF file of the repository."""
    files = [(p, b) for p, b in commit.files.items() if p.endswith(".gguf")] if commit else []
    if not files:
        return None
    metadata = gguf_metadata(files[0][1].content)
    architecture = metadata.get("general.architecture")
    found = {
        "total": metadata.get("general.parameter_count", 0),
        "architecture": architecture,
        "context_length": metadata.get(f"{architecture}.context_length"),
        "chat_template": metadata.get("tokenizer.chat_template"),
        "totalFileSize": sum(blob.size for _, blob in files),
    }
    return {key: value for key, value in found.items() if value is not None}


def gguf(metadata: dict[str, int | str]) -> bytes:
    """A GGUF header without tensors."""
    parts = [b"GGUF" + struct.pack("<IQQ", 3, 0, len(metadata))]
    for key, value in metadata.items():
        parts.append(_text(key))
        if isinstance(value, int):
            parts.append(struct.pack("<II", GGUF_WORD, value))
        else:
            parts.append(struct.pack("<I", GGUF_TEXT) + _text(value))
    return b"".join(parts)


def _text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def gguf_metadata(content: Content) -> dict[str, int | str]:
    """The key-value pairs of a GGUF header, as far as their types are the two written here."""
    data = content.read(0, 1 << 16)
    if data[:4] != b"GGUF":
        return {}
    found: dict[str, int | str] = {}
    count, at = struct.unpack_from("<Q", data, 16)[0], 24
    for _ in range(count):
        key, at = _read_text(data, at)
        kind, at = struct.unpack_from("<I", data, at)[0], at + 4
        if kind == GGUF_WORD:
            found[key], at = struct.unpack_from("<I", data, at)[0], at + 4
        elif kind == GGUF_TEXT:
            found[key], at = _read_text(data, at)
        else:
            break
    return found


def _read_text(data: bytes, at: int) -> tuple[str, int]:
    size = struct.unpack_from("<Q", data, at)[0]
    return data[at + 8 : at + 8 + size].decode(), at + 8 + size
