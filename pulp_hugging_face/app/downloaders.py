"""Downloads that pulpcore itself starts (repair): through our own way out, never its plain one."""

from typing import Any

import aiohttp
from pulpcore.plugin.download import BaseDownloader, DownloadResult

from pulp_hugging_face.app.models import HuggingFaceRemote
from pulp_hugging_face.store.distributions import remote_config
from pulp_hugging_face.upstream.budget import Budget
from pulp_hugging_face.upstream.config import RemoteConfig
from pulp_hugging_face.upstream.egress import Egress, Request, budget_of

_CHUNK = 1024 * 1024


class HubDownloader(BaseDownloader):
    """
    Download one file with the remote's token, redirect and host policy (see `upstream.egress`).

    Raises HubError for what the upstream refuses, and pulpcore's validation errors.
    """

    def __init__(self, url: str, config: RemoteConfig, budget: Budget, **kwargs: Any) -> None:
        super().__init__(url, **kwargs)
        self._config = config
        self._budget = budget

    async def _run(self, extra_data: dict[str, Any] | None = None) -> DownloadResult:
        egress = Egress(self._config, self._budget)
        headers = {"Accept-Encoding": "identity"}
        request = Request("GET", self.url, self._config.token, headers=headers, long=True)
        try:
            async with egress.open(request) as response:
                await self._take(response)
        finally:
            await egress.close()
        return DownloadResult(
            path=self.path,
            artifact_attributes=self.artifact_attributes,
            url=self.url,
            headers=response.headers,
        )

    async def _take(self, response: aiohttp.ClientResponse) -> None:
        async for chunk in response.content.iter_chunked(_CHUNK):
            await self.handle_data(chunk)
        await self.finalize()


class HubDownloaderFactory:
    """What pulpcore asks for a downloader of a remote."""

    def __init__(self, remote: HuggingFaceRemote) -> None:
        self._config = remote_config(remote)
        self._budget = budget_of(self._config)

    def build(self, url: str, **kwargs: Any) -> HubDownloader:
        """Return a downloader; `expected_digests` and `expected_size` are validated."""
        return HubDownloader(url, self._config, self._budget, **kwargs)


def register() -> None:
    """Make Hugging Face remotes use this factory."""
    HuggingFaceRemote.downloader_factory = HubDownloaderFactory
