"""The generated settings of pulpcore, and the environment its processes run in."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

from .datadir import DataDir
from .options import OPTIONS, Options

# What children must not inherit: secrets that travel otherwise, and the addresses that a user of
# the cache exports for the Hub's client library, which the server must not follow itself.
_NOT_INHERITED = {
    *(option.env for option in OPTIONS),
    "HUGGING_FACE_HUB_TOKEN",
    "HF_ENDPOINT",
    "HF_HUB_OFFLINE",
    "PULP_SETTINGS",
    "GUNICORN_CMD_ARGS",
    "LISTEN_FDS",
    "LISTEN_PID",
}
_HEADER = '''"""
Settings of Pulp, written by `pulp-hf up` at every start: changes here are lost.

Use environment variables instead: PULP_<SETTING>=value (pulpcore: configuration). To run
pulpcore-manager by hand: PULP_SETTINGS=<this file> pulpcore-manager ...
"""
'''


@dataclass(frozen=True)
class Database:
    """Where the database is, in Django's words."""

    host: str
    name: str
    user: str
    port: str = ""
    password: str = field(default="", repr=False)
    options: tuple[tuple[str, str], ...] = ()

    @classmethod
    def from_url(cls, url: str) -> "Database":
        """Read a DATABASE_URL; options of libpq (sslmode, …) may follow as a query."""
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query))
        return cls(
            host=options.pop("host", "") or unquote(parts.hostname or ""),
            name=unquote(parts.path.lstrip("/")),
            user=unquote(parts.username or ""),
            port=str(parts.port or options.pop("port", "")),
            password=unquote(parts.password or ""),
            options=tuple(sorted(options.items())),
        )

    @property
    def shown(self) -> str:
        """Return the place as it may be printed."""
        port = f":{self.port}" if self.port and not self.host.startswith("/") else ""
        return f"{self.host or 'localhost'}{port}/{self.name}"

    def django(self) -> dict[str, object]:
        """Return an entry of DATABASES."""
        entry: dict[str, object] = {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": self.host,
            "PORT": self.port,
            "NAME": self.name,
            "USER": self.user,
            "PASSWORD": self.password,
            "CONN_MAX_AGE": 0,
        }
        if self.options:
            entry["OPTIONS"] = dict(self.options)
        return entry

    def connection(self, name: str | None = None) -> dict[str, str]:
        """Return the arguments of psycopg.connect, of another database if named."""
        arguments = {
            "host": self.host,
            "port": self.port,
            "user": self.user,
            "password": self.password,
            "dbname": name or self.name,
            **dict(self.options),
        }
        return {key: value for key, value in arguments.items() if value}


def render(data: DataDir, database: Database, origin: str | None, options: Options) -> str:
    """Return the text of settings.py."""
    level = options.log_level.upper()
    values: dict[str, object] = {
        "SECRET_KEY": data.secret_key.read_text().strip(),
        "DB_ENCRYPTION_KEY": str(data.database_key),
        "DATABASES": {"default": database.django()},
        "CONTENT_ORIGIN": origin,
        "HUGGING_FACE_TRUSTED_PROXIES": list(options.trusted_proxies),
        "HUGGING_FACE_ROOT_DISTRIBUTION": options.root_distribution or None,
        "DEPLOY_ROOT": str(data.root),
        "MEDIA_ROOT": str(data.media),
        "STATIC_ROOT": str(data.assets),
        "WORKING_DIRECTORY": str(data.tmp),
        "FILE_UPLOAD_TEMP_DIR": str(data.tmp),
        # One digest: four of them cost two thirds of the speed of a download.
        "ALLOWED_CONTENT_CHECKSUMS": ["sha256"],
        "CACHE_ENABLED": False,
        # uvloop has no sendfile.
        "UVLOOP_ENABLED": False,
        "ANALYTICS": False,
        # Stopping aborts a running task at once; it can be started again.
        "TASK_GRACE_INTERVAL": 0,
        "LOGGING": {
            "dynaconf_merge": True,
            "handlers": {"console": {"level": level}},
            "loggers": {"pulp_hugging_face": {"level": level}},
        },
    }
    lines = [f"{name} = {value!r}" for name, value in values.items()]
    return "\n".join([_HEADER, *lines]) + "\n"


def environment(data: DataDir, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of Pulp's processes."""
    kept = {key: value for key, value in environ.items() if key not in _NOT_INHERITED}
    return {
        **kept,
        "PATH": kept.get("PATH", os.defpath),
        "PULP_SETTINGS": str(data.settings),
        "DJANGO_SETTINGS_MODULE": "pulpcore.app.settings",
        "PYTHONUNBUFFERED": "1",
    }
