"""What happens to the upstream meanwhile: it falls ill, and its repositories move."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from pulp_hugging_face.tests.hub import CommitSpec, FixtureHub
from pulp_hugging_face.tests.hub.declare import files_of
from pulp_hugging_face.tests.hub.faults import MODES

from .ledger import DEV, MAIN, TAG, Ledger, Subject, files_of_step

LOGIN_PAGE = {"Content-Type": "text/html", "X-Repo-Commit": None}
FAULTS: tuple[Mapping[str, Any], ...] = (
    {"mode": "offline"},
    {"mode": "status", "status": 500},
    {"mode": "status", "status": 503, "headers": {"Retry-After": "1"}},
    {"mode": "status", "status": 429, "headers": {"Retry-After": "1"}},
    {"mode": "status", "status": 404},
    {"mode": "status", "status": 403},
    {"mode": "slow_first_byte", "seconds": 0.4},
    {"mode": "slow_first_byte", "seconds": 30.0},
    {"mode": "hold"},
    {"mode": "redirect_to", "location": "{self}"},
    {"mode": "redirect_to", "location": "/login"},
    {"mode": "redirect_to", "location": "http://127.0.0.9:1/elsewhere"},
    {"mode": "ignore_range"},
    {"mode": "headers", "headers": {"X-Repo-Commit": None}},
    {"mode": "headers", "headers": {"ETag": None, "X-Linked-ETag": None}},
    # Of files a bare 401 could be true: it is the Hub's word for a private repository.
    {"mode": "headers", "headers": {"X-Error-Code": None}, "kind": "api_info"},
    {"mode": "bad_etag"},
    {"mode": "short"},
    {"mode": "short", "after": 0},
    {"mode": "wrong_length"},
    {"mode": "corrupt"},
    {"mode": "corrupt", "origin": "cdn", "after": 600_000},
    {"mode": "mislabelled"},
    {"mode": "mislabelled", "headers": LOGIN_PAGE},
    {"mode": "mislabelled", "text": "{}"},
    {"mode": "chunked"},
    {"mode": "stall", "after": 20},
    {"mode": "stall", "after": 300_000, "origin": "cdn"},
    {"mode": "cut", "after": 20},
    {"mode": "cut", "after": 200_000, "origin": "cdn", "rst": True},
    {"mode": "hold_body", "after": 20},
    {"mode": "throttle", "rate": 300_000},
)  # fmt: skip
GOOD_SPELLS = 12
# A spell of weather lasts for its share of the reads, but no longer than this.
LONGEST_SPELL = 2.5


class Life:
    """Changes the weather and moves repositories, in a thread, until it is stopped."""

    def __init__(self, ledger: Ledger, seed: int, reads: int) -> None:
        self._ledger = ledger
        self._hub = ledger.hub
        self._random = random.Random(seed)
        self._spells = self._all_spells()
        self._share = max(reads / len(self._spells), 1.0)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._steps: Counter[str] = Counter()
        self.reads_done: Callable[[], int] = lambda: 0
        self.happened: list[str] = []
        self.failed: list[BaseException] = []

    def __enter__(self) -> "Life":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        good_weather(self._hub)

    def _all_spells(self) -> list[tuple[str, Callable[[], object]]]:
        """Return every kind of weather once, and good days between."""
        assert {fault["mode"] for fault in FAULTS} == set(MODES), "a new fault mode is left out"
        hub = self._hub
        spells: list[tuple[str, Callable[[], object]]] = [
            *((str(dict(fault)), lambda fault=fault: hub.fault(**fault)) for fault in FAULTS),
            *[("good", lambda: None)] * GOOD_SPELLS,
            ("the Hub refuses connections", lambda: hub.stop("hub")),
            ("the storage refuses connections", lambda: hub.stop("cdn")),
            ("all refuse connections", hub.stop),
            ("a rate limit", lambda: hub.rate_limits(api=(4, 2), resolvers=(4, 2))),
            ("a strict rate limit", lambda: hub.rate_limits(api=(0, 1), resolvers=(0, 1))),
            ("slow storage", lambda: hub.throttle(2_000_000)),
        ]
        self._random.shuffle(spells)
        return [("good", lambda: None), *spells]

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                for name, begin in self._spells:
                    self._spell(name, begin)
                    if self._stop.is_set():
                        return
        except BaseException as error:  # told by the test, which would see nothing of it here
            self.failed.append(error)

    def _spell(self, name: str, begin: Callable[[], object]) -> None:
        good_weather(self._hub)
        begin()
        self.happened.append(name)
        self._move()
        if self._random.random() < 0.3:
            self._hub.expire_urls()
        until = self.reads_done() + self._share
        deadline = time.monotonic() + LONGEST_SPELL
        while self.reads_done() < until and time.monotonic() < deadline:
            if self._stop.wait(0.02):
                return

    # Moves.

    def _move(self) -> None:
        moves: list[Callable[[Subject], None]] = [
            *[self._add_commit] * 4, *[self._force_push] * 2, self._tag, self._dev, self._rename,
        ]  # fmt: skip
        self._random.choice(moves)(self._random.choice(self._ledger.subjects))

    def _commit(self, subject: Subject, ref: str) -> str:
        step = 100 + self._steps[subject.key]
        self._steps[subject.key] += 1
        number = self._ledger.subjects.index(subject)
        files = files_of_step(subject.key, number, step)
        spec = CommitSpec(f"Step {step}", files_of(files), delete=("empty.txt",) * (step % 2))
        return self._hub.add_commit(subject.id, spec, ref, subject.type)

    def _add_commit(self, subject: Subject, ref: str = MAIN) -> None:
        with subject.moving() as refs:
            sha = self._commit(subject, ref)
            subject.parents[sha] = refs.get(ref)
            refs[ref] = sha

    def _force_push(self, subject: Subject) -> None:
        parent = subject.parents[subject.refs[MAIN]]
        if parent is None:
            return
        with subject.moving() as refs:
            refs[MAIN] = self._hub.set_ref(subject.id, MAIN, parent, subject.type)
        self._add_commit(subject)

    def _tag(self, subject: Subject) -> None:
        with subject.moving() as refs:
            target = self._random.choice(subject.chain(refs[MAIN]))
            refs[TAG] = self._hub.set_ref(subject.id, TAG, target, subject.type)

    def _dev(self, subject: Subject) -> None:
        """Delete the branch; or make it again."""
        if DEV in subject.refs:
            with subject.moving() as refs:
                self._hub.delete_ref(subject.id, DEV, subject.type)
                del refs[DEV]
        else:
            with subject.moving() as refs:
                refs[DEV] = self._hub.set_ref(subject.id, DEV, "main", subject.type)
            self._add_commit(subject, DEV)

    def _rename(self, subject: Subject) -> None:
        new = f"{subject.ids[0]}-{len(subject.ids)}"
        old, subject.id = subject.id, new
        self._hub.rename_repo(old, new, subject.type)
        subject.ids.append(new)


def good_weather(hub: FixtureHub) -> None:
    """End all trouble."""
    hub.clear_faults()
    hub.rate_limits()
    hub.throttle(0)
    hub.start()
