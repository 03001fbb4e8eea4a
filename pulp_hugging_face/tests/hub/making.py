"""Small real files for the catalogues: safetensors with valid headers, cards, attributes."""

import json
import struct
from collections.abc import Mapping, Sequence

from .content import Generated, Literal

MIB = 1024 * 1024
ATTRIBUTES = "".join(
    f"{pattern} filter=lfs diff=lfs merge=lfs -text\n"
    for pattern in ("*.bin", "*.gguf", "*.parquet", "*.safetensors")
)
WIDTHS = {"F32": 4, "F16": 2, "BF16": 2, "I64": 8, "U8": 1}


def safetensors(elements: int, seed: int) -> Literal:
    """A real safetensors file with one F32 tensor."""
    return tensors({"weight": ("F32", [elements])}, seed)


def tensors(named: Mapping[str, tuple[str, Sequence[int]]], seed: int) -> Literal:
    """A real safetensors file with these tensors: name to dtype and shape."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, (dtype, shape) in named.items():
        start, end = end, end + WIDTHS[dtype] * _product(shape)
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return Literal(struct.pack("<Q", len(text)) + text + Generated(end, seed).read(0, end))


def _product(shape: Sequence[int]) -> int:
    product = 1
    for length in shape:
        product *= length
    return product


def readme(heading: str, /, **card: object) -> str:
    """A model card with YAML front matter."""
    lines = [f"{key}: {json.dumps(value)}" for key, value in card.items()]
    return "\n".join(["---", *lines, "---", f"# {heading}", "", "A fixture.", ""])
