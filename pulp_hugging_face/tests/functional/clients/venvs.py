"""
Virtual environments of the clients, built once and cached outside of the tree.

`$XDG_CACHE_HOME/pulp_hugging_face/clients/<name>-<hash of requirements and interpreter>`. A lock
file keeps two test runs from building the same one; a marker, written last, tells a whole one from
one whose building was interrupted, which is then built anew.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

MARKER = ".complete"
BUILD_SECONDS = 900


@dataclass(frozen=True)
class ClientKind:
    """A client to install: `name` is how tests call it."""

    name: str
    requirements: tuple[str, ...]

    @property
    def key(self) -> str:
        """Return the name of its folder: another list or interpreter makes another one."""
        text = "\n".join([*self.requirements, sys.version, sys.base_prefix])
        return f"{self.name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


HUB_036 = ClientKind("hub-0.36", ("huggingface_hub>=0.36,<0.37",))
HUB_133 = ClientKind("hub-1.33", ("huggingface_hub>=1.33,<1.34",))
HUB_24 = ClientKind("hub-2.4", ("huggingface_hub>=2.4,<2.5",))
TRANSFORMERS = ClientKind("transformers", ("transformers>=5,<6", "tokenizers"))

HUBS: Mapping[str, ClientKind] = {kind.name: kind for kind in (HUB_036, HUB_133, HUB_24)}
# 0.36 has it only as an extra on some platforms; the later ones install it by themselves.
EVERYWHERE = ("hf_xet",)


def cache_folder() -> Path:
    """Return where venvs are kept between test runs."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "pulp_hugging_face" / "clients"


def ensure(kind: ClientKind) -> Path:
    """Return the folder of the client's venv, built now if need be."""
    folder = cache_folder() / kind.key
    if (folder / MARKER).exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder.with_suffix(".lock")):
        if not (folder / MARKER).exists():
            _build(kind, folder)
    return folder


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(kind: ClientKind, folder: Path) -> None:
    """Build in place, since venvs cannot be moved; the marker is what makes it count."""
    shutil.rmtree(folder, ignore_errors=True)
    python = folder / "bin" / "python"
    _run([sys.executable, "-m", "venv", "--without-pip", str(folder)])
    wanted = [*kind.requirements, *EVERYWHERE]
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--quiet", "install"]
    _run([*pip, "--no-input", *wanted])
    (folder / MARKER).write_text("\n".join(wanted) + "\n")


def _run(command: list[str]) -> None:
    result = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_SECONDS)
    if result.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{result.stdout}\n{result.stderr}")
