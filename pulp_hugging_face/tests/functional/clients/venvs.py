"""
The clients' installations, built once and cached outside of the tree.

`$XDG_CACHE_HOME/pulp_hugging_face/clients/<name>-<hash of requirements and interpreter>`. A lock
file keeps two test runs from building the same one; a marker, written last, tells a whole one from
one whose building was interrupted, which is then built anew. Python clients have a venv each, the
JavaScript client a folder with its `node_modules`.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
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


# huggingface_hub has hf_xet only since 0.30; the later ones install it by themselves where it
# exists, 0.36 only on common processors.
HUB_023 = ClientKind("hub-0.23", ("huggingface_hub>=0.23.5,<0.24", "requests"))
HUB_036 = ClientKind("hub-0.36", ("huggingface_hub>=0.36,<0.37", "hf_xet"))
HUB_133 = ClientKind("hub-1.33", ("huggingface_hub>=1.33,<1.34", "hf_xet"))
HUB_24 = ClientKind("hub-2.4", ("huggingface_hub>=2.4,<2.5", "hf_xet"))
TRANSFORMERS = ClientKind("transformers", ("transformers>=5,<6", "tokenizers"))
DATASETS = ClientKind("datasets", ("datasets>=5,<6", "huggingface_hub>=2,<3", "pandas", "pyarrow"))

HUBS: Mapping[str, ClientKind] = {kind.name: kind for kind in (HUB_036, HUB_133, HUB_24)}
# The whole range that §7 asks for; most tests leave the oldest out, for time.
ALL_HUBS: Mapping[str, ClientKind] = {HUB_023.name: HUB_023, **HUBS}

JAVASCRIPT = ClientKind("javascript", ("@huggingface/hub@>=2.17 <3",))

KINDS = (*ALL_HUBS.values(), TRANSFORMERS, DATASETS, JAVASCRIPT)


def cache_folder() -> Path:
    """Return where venvs are kept between test runs."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "pulp_hugging_face" / "clients"


def ensure(kind: ClientKind) -> Path:
    """Return the folder of the client's venv, built now if need be."""
    return _built(cache_folder() / kind.key, lambda folder: _build_venv(kind, folder))


def ensure_javascript() -> Path:
    """Return the folder whose `node_modules` has the JavaScript client; needs npm."""
    return _built(cache_folder() / JAVASCRIPT.key, _build_javascript)


def _built(folder: Path, build: Callable[[Path], None]) -> Path:
    """Return the folder, built by whoever comes first; the marker is what makes it count."""
    if (folder / MARKER).exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder.with_name(f"{folder.name}.lock")):
        if not (folder / MARKER).exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            build(folder)
            (folder / MARKER).touch()
    return folder


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build_venv(kind: ClientKind, folder: Path) -> None:
    """Build in place, since venvs cannot be moved."""
    _run([sys.executable, "-m", "venv", "--without-pip", str(folder)])
    python = str(folder / "bin" / "python")
    pip = [sys.executable, "-m", "pip", "--python", python, "--quiet", "install"]
    _run([*pip, "--no-input", *kind.requirements])


def _build_javascript(folder: Path) -> None:
    (folder / "package.json").write_text('{"private": true, "type": "module"}\n')
    _run(["npm", "install", "--prefix", str(folder), "--no-fund", "--no-audit",
          "--loglevel=error", *JAVASCRIPT.requirements])  # fmt: skip


def _run(command: list[str]) -> None:
    result = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_SECONDS)
    if result.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{result.stdout}\n{result.stderr}")
