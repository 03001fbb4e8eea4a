"""
Was it right? Each answer is compared with what was true at the time.

An answer about a branch must be one that the branch had, and no older than what the same cache had
shown before; everything in it must be of that commit. A refusal must be true as well, and trouble
must be called by its name.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable

from pulp_hugging_face.tests.functional import wire
from pulp_hugging_face.tests.functional.clients.machine import ClientError
from pulp_hugging_face.tests.hub import OWNER_TOKEN

from .ledger import REVISIONS, Ledger, Subject
from .reads import ABSENT, Read, Seen

FILES = {"head", "get", "range", "raw", "download", "snapshot", "metadata", "block", "auth-check",
         "exists"}  # fmt: skip
TROUBLE = {"UpstreamUnavailable", "UpstreamInvalid", "UpstreamTimeout", "UpstreamBusy",
           "RedirectRefused"}  # fmt: skip
# Another worker may look a second later whether this one has heard of something new.
APART = 1.5


class Wrong(Exception):
    """An answer that is neither right nor an honest error."""


def expect(condition: object, *words: object) -> None:
    """Raise Wrong unless the condition is true."""
    if not condition:
        raise Wrong(" ".join(str(word)[:1500] for word in words))


class Court:
    """Judges answers in the order in which they ended."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.outcomes: Counter[str] = Counter()
        self._shown: dict[tuple[str, str, str], list[tuple[float, int]]] = defaultdict(list)

    def judge(self, answers: Iterable[Seen]) -> list[str]:
        """Return what is wrong with them."""
        complaints = []
        for seen in sorted(answers, key=lambda seen: seen.ended):
            try:
                self._judge(seen)
            except Wrong as wrong:
                self.outcomes["wrong"] += 1
                complaints.append(f"{wrong}\n    {seen}")
        return complaints

    def _judge(self, seen: Seen) -> None:
        from .of_clients import judge_client
        from .of_raw import judge_raw

        if isinstance(seen.outcome, wire.Reply):
            self.outcomes[judge_raw(self, seen, seen.outcome)] += 1
        elif isinstance(seen.outcome, Exception) and not isinstance(seen.outcome, ClientError):
            raise Wrong(f"no answer: {seen.outcome!r}")
        else:
            self.outcomes[judge_client(self, seen)] += 1

    # What both kinds of readers share.

    def check_commit(self, seen: Seen, sha: str | None) -> None:
        """
        Check the commit that a revision was said to be (None: that there is no such revision).

        Raises Wrong for one that it never was, or was before what had been shown.
        """
        read = seen.read
        if read.revision not in REVISIONS:
            expect(sha == read.revision, "another commit than asked for:", sha)
            return
        ref = REVISIONS[read.revision]
        oldest, moments = self._oldest(seen, ref), read.subject.moments
        times = [n for n, moment in enumerate(moments)
                 if moment.refs.get(ref) == sha and moment.before <= seen.ended]  # fmt: skip
        expect(times, f"{ref} never was {sha}")
        later = [n for n in times if n >= oldest]
        expect(later, f"{ref} was {sha} in {times}, but {oldest} had been shown")
        if len(self._names(seen)) == 1:
            self._shown[read.cache, seen.final_id, ref].append((seen.ended, later[0]))

    def _names(self, seen: Seen) -> list[str]:
        """Return by which names it may have been answered; clients follow redirects silently."""
        return [seen.final_id] if seen.by == "raw" else list(seen.read.subject.ids)

    def _oldest(self, seen: Seen, ref: str) -> int:
        """Return the oldest moment that may still be shown."""
        return min(
            max((n for ended, n in self._shown[seen.read.cache, name, ref]
                 if ended + APART < seen.began), default=0)
            for name in self._names(seen)
        )  # fmt: skip

    def possible(self, seen: Seen) -> set[str]:
        """Return the commits that a revision may have been said to be."""
        read = seen.read
        if read.revision not in REVISIONS:
            assert read.revision is not None
            return {read.revision}
        ref = REVISIONS[read.revision]
        moments = read.subject.moments[self._oldest(seen, ref) :]
        return {m.refs[ref] for m in moments if ref in m.refs and m.before <= seen.ended}

    def check_revision_is_absent(self, seen: Seen) -> None:
        """Check that a revision was gone."""
        expect(seen.read.revision in REVISIONS, "a commit is said not to exist")
        self.check_commit(seen, None)

    def lacks(self, subject: Subject, sha: str, path: str) -> bool:
        """Tell whether a commit has no such file."""
        return path == ABSENT or path not in self.ledger.files(subject, sha)


def is_entitled(read: Read) -> bool:
    """Tell whether the caller may have everything."""
    return not read.subject.closed or read.cache == "entitled" or read.token == OWNER_TOKEN


def is_closed(read: Read) -> bool:
    """Tell whether the caller must be refused: all of private, the files of gated repositories."""
    if is_entitled(read) or read.kind in ("list", "listed", "whoami"):
        return False
    return read.subject.closed == "private" or read.kind in FILES


def refusal_of(read: Read) -> str:
    """Return the code of the refusal of what is closed to the caller."""
    return "RepoNotFound" if read.subject.closed == "private" else "GatedRepo"
