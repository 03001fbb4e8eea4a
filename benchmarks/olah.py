"""Olah beside us: the caching proxy for the Hub that is nearest to this project."""

import subprocess
from pathlib import Path

from pulp_hugging_face.tests.functional.clients.venvs import ClientKind, ensure

from .servers import HOST, Program, Unavailable
from .upstream import Upstream

OLAH = ClientKind("olah", ("olah>=0.5.4,<0.6",))

CONFIG = """\
[basic]
host = "{host}"
port = {port}
repos-path = "{folder}/repos"
hf-scheme = "http"
hf-netloc = "{hub}"
hf-lfs-netloc = "{cdn}"
mirror-scheme = "http"
mirror-netloc = "{host}:{port}"
mirror-lfs-netloc = "{host}:{port}"
"""


class Olah(Program):
    """With as many workers as the others have, its other settings as they come."""

    name, title = "olah", "Olah"

    def __init__(self, folder: Path, workers: int, upstream: Upstream) -> None:
        super().__init__(folder)
        self.workers = workers
        self._hub, self._cdn = (
            url.removeprefix("http://") for url in (upstream.url, upstream.cdn_url)
        )

    def command(self) -> list[str]:
        bin_folder = _installed() / "bin"
        config = self.folder / "olah.toml"
        config.write_text(
            CONFIG.format(
                host=HOST, port=self.port, folder=self.folder, hub=self._hub, cdn=self._cdn
            )
        )
        logs = self.folder / "logs"
        return [
            str(bin_folder / "olah-cli"),
            *("--config", str(config), "--workers", str(self.workers), "--log-path", str(logs)),
        ]

    def version(self) -> str:
        python = _installed() / "bin" / "python"
        code = "from importlib.metadata import version; print(version('olah'))"
        said = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
        return said.stdout.strip()


def _installed() -> Path:
    try:
        return ensure(OLAH)
    except (RuntimeError, OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"Olah cannot be installed: {str(error)[-300:]}") from error
