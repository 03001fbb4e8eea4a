"""
Every option of `pulp-hf`, with flag, environment variable, default, unit and a sentence.

This is the one place: the parser, the help text and the check of the documentation read it. A flag
wins over the environment, the environment over `.env` in the current folder, that over the default.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import values
from .cores import usable_cores
from .errors import BadOption

REDACTED = "***"
DEFAULT_UPSTREAM = "https://huggingface.co"


def default_data(environ: Mapping[str, str]) -> Path:
    """Return the data folder of a user who did not choose one (XDG base directories)."""
    base = environ.get("XDG_DATA_HOME") or os.path.join(
        environ.get("HOME") or os.path.expanduser("~"), ".local", "share"
    )
    return Path(base) / "pulp_hugging_face"


@dataclass(frozen=True)
class Option:
    """
    One option.

    `default` None means "decided elsewhere", `default_text` says how. `commands` are the commands
    that take the flag. A `remote` option is a field of the default remote: given explicitly it is
    written at every start, left out it stays as the administrator left it.
    """

    name: str
    flag: str
    env: str
    parse: Callable[[str], Any]
    help: str
    default: Any = None
    default_text: str = ""
    unit: str = ""
    metavar: str = "VALUE"
    commands: tuple[str, ...] = ("up",)
    repeatable: bool = False
    secret: bool = False
    remote: bool = False

    @property
    def has_flag(self) -> bool:
        """Tell whether it can be given on the command line (secrets mostly cannot)."""
        return bool(self.flag)


OPTIONS: tuple[Option, ...] = (
    Option(
        "data",
        "--data",
        "HF_ROOT_FOLDER",
        values.folder,
        "Folder of everything that is kept: database, files, logs.",
        default_text="$XDG_DATA_HOME/pulp_hugging_face or ~/.local/share/pulp_hugging_face",
        metavar="FOLDER",
        commands=("up", "status", "down"),
    ),
    Option(
        "port",
        "--port",
        "PULP_HF_PORT",
        values.port,
        "Port clients download from (HF_ENDPOINT); 0 takes a free one.",
        default=24816,
        metavar="PORT",
    ),
    Option(
        "api_port",
        "--api-port",
        "PULP_HF_API_PORT",
        values.port,
        "Port of Pulp's REST API; 0 takes a free one.",
        default=24817,
        metavar="PORT",
    ),
    Option(
        "bind",
        "--bind",
        "PULP_HF_BIND",
        values.address,
        "Address both ports listen on; 0.0.0.0 or :: for every interface.",
        default="127.0.0.1",
        metavar="ADDRESS",
    ),
    Option(
        "content_origin",
        "--content-origin",
        "PULP_HF_CONTENT_ORIGIN",
        values.origin,
        "Address clients see, when it is not http://BIND:PORT (proxy, TLS, other machines).",
        default_text="http://BIND:PORT",
        metavar="URL",
    ),
    Option(
        "trusted_proxies",
        "--trusted-proxy",
        "PULP_HF_TRUSTED_PROXIES",
        values.trusted_proxy,
        "Reverse proxy that may tell the address clients see: an IP address or network; may be "
        "repeated, separated by commas in the variable.",
        default_text="none",
        metavar="ADDRESS",
        repeatable=True,
    ),
    Option(
        "root_distribution",
        "--root-distribution",
        "PULP_HF_ROOT_DISTRIBUTION",
        values.root_distribution,
        "Distribution that also answers without the path of HF_ENDPOINT; none for nobody.",
        default="huggingface",
        metavar="NAME",
    ),
    Option(
        "workers",
        "--workers",
        "PULP_HF_WORKERS",
        values.positive,
        "Processes that serve downloads.",
        default_text="one for each core",
        metavar="N",
    ),
    Option(
        "upstream",
        "--upstream",
        "PULP_HF_UPSTREAM",
        values.upstream,
        "Hub to fetch from.",
        default_text=DEFAULT_UPSTREAM,
        metavar="URL",
        remote=True,
    ),
    Option(
        "hf_token",
        "",
        "HF_TOKEN",
        values.token,
        "Access token sent to the upstream's own host, never elsewhere; stored encrypted.",
        default_text="none",
        secret=True,
        remote=True,
    ),
    Option(
        "policy",
        "--policy",
        "PULP_HF_POLICY",
        values.policy,
        "on_demand keeps what was asked for, immediate fetches the rest of the commit too, "
        "streamed keeps nothing.",
        default_text="on_demand",
        metavar="POLICY",
        remote=True,
    ),
    Option(
        "metadata_ttl",
        "--metadata-ttl",
        "PULP_HF_METADATA_TTL",
        values.seconds,
        "How long an answer about a branch or tag counts as fresh; 0 always asks the upstream.",
        default_text="60",
        unit="seconds",
        metavar="SECONDS",
        remote=True,
    ),
    Option(
        "redirect_hosts",
        "--redirect-host",
        "PULP_HF_REDIRECT_HOSTS",
        values.host_pattern,
        "Host (or *.domain) the upstream may redirect to, besides its own; may be repeated, "
        "separated by commas in the variable.",
        default_text="*.huggingface.co, *.hf.co",
        metavar="PATTERN",
        repeatable=True,
        remote=True,
    ),
    Option(
        "token_mode",
        "--token-mode",
        "PULP_HF_TOKEN_MODE",
        values.token_mode,
        "shared: HF_TOKEN serves everybody; client: each caller's own token decides.",
        default_text="shared with a token, else client",
        metavar="MODE",
        remote=True,
    ),
    Option(
        "admin_password",
        "--admin-password",
        "PULP_HF_ADMIN_PASSWORD",
        values.password,
        "Password of the REST user admin; prefer the variable, other users can read arguments.",
        default_text="generated at the first start",
        metavar="PASSWORD",
        secret=True,
    ),
    Option(
        "database_url",
        "",
        "DATABASE_URL",
        values.database_url,
        "An existing PostgreSQL (postgresql://user:password@host:port/name); none is started then.",
        default_text="a PostgreSQL of its own in the data folder",
        secret=True,
    ),
    Option(
        "log_level",
        "--log-level",
        "PULP_HF_LOG_LEVEL",
        values.log_level,
        "debug, info, warning or error; debug also shows all logs on the screen.",
        default="info",
        metavar="LEVEL",
    ),
)

BY_NAME: Mapping[str, Option] = {option.name: option for option in OPTIONS}


@dataclass(frozen=True)
class Options:
    """What was asked for, parsed. `explicit` names the options that were given by somebody."""

    data: Path
    port: int = 24816
    api_port: int = 24817
    bind: str = "127.0.0.1"
    content_origin: str | None = None
    trusted_proxies: tuple[str, ...] = ()
    root_distribution: str = "huggingface"
    workers: int = field(default_factory=usable_cores)
    upstream: str | None = None
    hf_token: str | None = field(default=None, repr=False)
    policy: str | None = None
    metadata_ttl: int | None = None
    redirect_hosts: tuple[str, ...] | None = None
    token_mode: str | None = None
    admin_password: str | None = field(default=None, repr=False)
    database_url: str | None = field(default=None, repr=False)
    log_level: str = "info"
    explicit: frozenset[str] = frozenset()

    def remote_fields(self) -> dict[str, Any]:
        """Return the fields of the default remote that were given explicitly."""
        names = [o.name for o in OPTIONS if o.remote and o.name in self.explicit]
        return {("url" if name == "upstream" else name): getattr(self, name) for name in names}

    def shown(self) -> dict[str, str]:
        """Return all values as they may be printed: secrets are replaced."""
        return {o.name: shown(o, getattr(self, o.name)) for o in OPTIONS}


def shown(option: Option, value: Any) -> str:
    """Return a value as it may be printed."""
    if value is None:
        return ""
    if option.secret:
        return REDACTED
    return ",".join(value) if option.repeatable else str(value)


def resolve(
    flags: Mapping[str, str | Sequence[str] | None],
    environ: Mapping[str, str],
    dotenv: Mapping[str, str | None],
) -> Options:
    """Combine flags, environment and `.env` into options; raises BadOption."""
    found: dict[str, Any] = {"data": default_data(environ)}
    explicit = set()
    for option in OPTIONS:
        given = _given(option, flags, environ, dotenv)
        if given is not None:
            source, raw = given
            found[option.name] = _parse(option, source, raw)
            explicit.add(option.name)
        elif option.default is not None:
            found[option.name] = option.default
    return Options(**found, explicit=frozenset(explicit))


def _given(
    option: Option,
    flags: Mapping[str, str | Sequence[str] | None],
    environ: Mapping[str, str],
    dotenv: Mapping[str, str | None],
) -> tuple[str, str | Sequence[str]] | None:
    """Return where an option was given and its raw value; empty variables count as not given."""
    flag = flags.get(option.name)
    if flag is not None:
        return option.flag, flag
    if environ.get(option.env):
        return option.env, environ[option.env]
    if option.env not in environ and dotenv.get(option.env):
        return f"{option.env} in .env", str(dotenv[option.env])
    return None


def _parse(option: Option, source: str, raw: str | Sequence[str]) -> Any:
    if option.repeatable:
        items = raw.replace(",", " ").split() if isinstance(raw, str) else raw
        return tuple(_parse_one(option, source, item) for item in items)
    return _parse_one(option, source, str(raw))


def _parse_one(option: Option, source: str, raw: str) -> Any:
    try:
        return option.parse(raw)
    except values.Unfit as reason:
        raise BadOption(source, REDACTED if option.secret else raw, reason.expected) from None
