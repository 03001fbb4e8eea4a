"""How one remote is to be talked to."""

import ssl
import tempfile
from dataclasses import dataclass, field

from yarl import URL

from pulp_hugging_face.hub.hosts import host_matches
from pulp_hugging_face.hub.rewrite import Rewriter

DEFAULT_CONNECT_TIMEOUT = 10.0
DEFAULT_READ_TIMEOUT = 30.0
# For the bytes of a file: a connection that is silent so long is replaced by another one before
# clients, which bear ten seconds (§2.2), break theirs.
BLOB_READ_TIMEOUT = 6.0
# For a whole question: clients give up after 10 s, and must not wait for one that hangs.
METADATA_TIMEOUT = 10.0
# Seconds a request waits for its turn near the upstream's limit before it is refused: clients wait
# ten seconds for an answer, and for the first byte of a file.
QUESTION_PATIENCE = 3.0
BODY_PATIENCE = 7.0
DEFAULT_RETRIES = 3


@dataclass(frozen=True)
class RemoteConfig:
    """
    A remote's address, credentials and limits; hashable, so that a change makes a new session.

    Secrets do not appear in the repr. Timeouts are seconds, None for the default.
    """

    id: str
    url: str
    token: str | None = field(default=None, repr=False)
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    max_redirects: int = 5
    redirect_hosts: tuple[str, ...] = ()
    total_timeout: float | None = None
    connect_timeout: float | None = None
    sock_connect_timeout: float | None = None
    sock_read_timeout: float | None = None
    max_retries: int | None = None
    download_concurrency: int | None = None
    rate_limit: int | None = None
    proxy_url: str | None = field(default=None, repr=False)
    proxy_username: str | None = field(default=None, repr=False)
    proxy_password: str | None = field(default=None, repr=False)
    tls_validation: bool = True
    ca_cert: str | None = field(default=None, repr=False)
    client_cert: str | None = field(default=None, repr=False)
    client_key: str | None = field(default=None, repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @property
    def base(self) -> URL:
        """Return the remote's URL, without a trailing slash."""
        return URL(self.url.rstrip("/"), encoded=True)

    @property
    def rewriter(self) -> Rewriter:
        """Return what takes this remote's addresses out of texts for clients."""
        return Rewriter(self.url.rstrip("/"), "", self.redirect_hosts)

    @property
    def retries(self) -> int:
        """Return how often a broken transfer is taken up again."""
        return DEFAULT_RETRIES if self.max_retries is None else self.max_retries

    def is_own(self, url: URL) -> bool:
        """Tell whether a URL is of the remote's own origin (scheme, host and port)."""
        try:
            return url.origin() == self.base.origin()
        except ValueError:  # it has no host, or an impossible port
            return False

    def may_redirect_to(self, url: URL) -> bool:
        """
        Tell whether a redirect may lead there: http(s), no step down from TLS, a known host.

        The remote's own host counts only on its own port, or on https where it was http: another
        port of the same host is another service, and must be named in `redirect_hosts`.
        """
        base = self.base
        if url.scheme not in ("http", "https") or not url.host or url.user is not None:
            return False
        if base.scheme == "https" and url.scheme != "https":
            return False
        upgraded = url.host == base.host and url.scheme == "https" and url.port == 443
        if self.is_own(url) or upgraded:
            return True
        return any(host_matches(url.host, pattern) for pattern in self.redirect_hosts)

    def ssl_context(self) -> ssl.SSLContext:
        """Return the TLS settings: system CAs, the remote's own CA and client certificate."""
        context = ssl.create_default_context()
        if self.ca_cert:
            context.load_verify_locations(cadata=self.ca_cert)
        if not self.tls_validation:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.client_cert:
            # The ssl module reads certificate chains from files only.
            with tempfile.NamedTemporaryFile("w", suffix=".pem") as chain:
                chain.write(self.client_cert + "\n" + (self.client_key or ""))
                chain.flush()
                context.load_cert_chain(chain.name)
        return context
