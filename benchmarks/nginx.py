"""nginx beside us: as a plain file server the limit, with proxy_cache a peer."""

import os
from pathlib import Path

from pulp_hugging_face.tests.hub.content import Content, pieces

from .servers import HOST, Program, installed
from .upstream import Upstream

MAIN = """\
daemon off;
worker_processes {workers};
{user}pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/temp;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{http}
}}
"""

STATIC = """\
    server {{
        listen {address} backlog=1024;
        root {folder}/files;
        default_type application/octet-stream;
    }}
"""

# Like the Hub it answers a file with a redirect, which clients follow: to another address of the
# same host for a small file, to the CDN for a large one, for which it stands in too.
PROXY = """\
    proxy_cache_path {folder}/cache levels=1:2 keys_zone=hub:64m use_temp_path=off inactive=1d;
    proxy_cache hub;
    proxy_cache_lock on;
    proxy_cache_lock_timeout 1h;
    proxy_cache_lock_age 1h;
    proxy_ignore_headers Cache-Control Expires Vary;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    upstream hub {{ server {hub}; keepalive 32; }}
    upstream cdn {{ server {cdn}; keepalive 32; }}
    server {{
        listen {address} backlog=1024;
        absolute_redirect off;
        location / {{
            proxy_pass http://hub;
            proxy_set_header Host {hub};
            proxy_cache_key $request_uri;
            proxy_cache_valid 200 302 307 10m;
            proxy_redirect http://{cdn}/ http://{address}/cdn/;
        }}
        location /cdn/ {{
            proxy_pass http://cdn/;
            proxy_set_header Host {cdn};
            proxy_cache_key $uri;
            proxy_cache_valid 200 1d;
        }}
    }}
"""


class Nginx(Program):
    """What both have in common."""

    def __init__(self, folder: Path, workers: int) -> None:
        super().__init__(folder)
        self.workers = workers

    def http(self) -> str:
        raise NotImplementedError

    def command(self) -> list[str]:
        program = installed("nginx", "nginx-light")
        config = self.folder / "nginx.conf"
        # Run by root, its workers would change to a user who may not read our folder.
        user = "user root;\n" if os.geteuid() == 0 else ""
        text = MAIN.format(workers=self.workers, user=user, folder=self.folder, http=self.http())
        config.write_text(text)
        return [program, "-p", str(self.folder), "-c", str(config)]


class NginxStatic(Nginx):
    """Files on the disk under the paths that clients ask for."""

    name, title = "nginx-static", "nginx, files"
    static = True

    def http(self) -> str:
        (self.folder / "files").mkdir(exist_ok=True)
        return STATIC.format(address=f"{HOST}:{self.port}", folder=self.folder)

    def put(self, repo_id: str, path: str, content: Content) -> None:
        """Place a file."""
        target = self.folder / "files" / repo_id / "resolve" / "main" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as file:
            file.writelines(pieces(content))


class NginxCache(Nginx):
    """proxy_cache in front of the fixture Hub."""

    name, title = "nginx-cache", "nginx, proxy_cache"

    def __init__(self, folder: Path, workers: int, upstream: Upstream) -> None:
        super().__init__(folder, workers)
        self._hub, self._cdn = (
            url.removeprefix("http://") for url in (upstream.url, upstream.cdn_url)
        )

    def http(self) -> str:
        address = f"{HOST}:{self.port}"
        return PROXY.format(address=address, folder=self.folder, hub=self._hub, cdn=self._cdn)
