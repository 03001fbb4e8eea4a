"""What the fixture Hub was asked, without what other tests' caches still ask in the background."""

from pulp_hugging_face.tests.hub import FixtureHub, LogEntry

# Batches of pulled-through commits ask for these some seconds after a request, see pullthrough.py.
BACKGROUND = {"api_refs", "api_commits"}


def asked(hub: FixtureHub) -> list[LogEntry]:
    """Return the requests that clients of this test caused."""
    return [entry for entry in hub.log() if entry.kind not in BACKGROUND]


def tokens_seen(hub: FixtureHub, repo_id: str) -> dict[str, set[str | None]]:
    """Return the tokens that came with requests about a repository, and with all to the CDN."""
    entries = hub.log()
    about = [entry for entry in entries if entry.origin == "cdn" or repo_id in entry.path]
    return {
        origin: {_token(entry) for entry in about if entry.origin == origin}
        for origin in ("hub", "cdn")
    }


def _token(entry: LogEntry) -> str | None:
    header = entry.authorization
    return header.removeprefix("Bearer ") if header else None
