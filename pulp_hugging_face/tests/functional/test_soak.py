"""
Random reads while the upstream goes through everything that can happen to it.

`SOAK_READS` (200) says how many, `SOAK_SEED` repeats the draws of another time (not their order in
time: readers, weather and moves run side by side). `make soak` runs a longer one.
"""

import os
import random
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from pulp_hugging_face.tests.hub import OWNER_TOKEN

from .caches import Cache, unique
from .soak import aftermath
from .soak.ledger import Ledger
from .soak.life import Life
from .soak.reads import Budget, Chooser, ClientReader, RawReader, live_machines, run
from .soak.verdict import Court
from .workers import Workers

READS = int(os.environ.get("SOAK_READS", "200"))
SEED = int(os.environ.get("SOAK_SEED") or random.SystemRandom().randrange(10**6))
RAW_READERS = 3
# The longest pause between questions to an upstream in trouble, and half of it (`store/weather`).
RECOVERY = 45.0
QUICK = {"sock_read_timeout": 2.0, "max_retries": 1}


@pytest.fixture
def caches(new_cache) -> dict[str, Cache]:
    """One where each caller's token decides, one with a token and a repository for all."""
    return {
        "open": new_cache(metadata_ttl=1, **QUICK),
        "entitled": new_cache(metadata_ttl=0, repository=True, hf_token=OWNER_TOKEN, **QUICK),
    }


@pytest.fixture
def ledger(hub) -> Ledger:
    return Ledger(hub, unique("soak"))


@pytest.fixture
def readers(ledger: Ledger, caches: dict[str, Cache], tmp_path) -> Iterator[list]:
    raw = [RawReader(Chooser(ledger, f"{SEED} raw {n}"), caches) for n in range(RAW_READERS)]
    with ExitStack() as stack:
        clients = []
        for machine, cache in live_machines(tmp_path, caches):
            stack.callback(machine.close)
            machine.do("versions")
            chooser = Chooser(ledger, f"{SEED} {machine.kind.name}")
            clients.append(ClientReader(chooser, machine, cache))
        yield [*raw, *clients]


def test_soak(stack, hub, caches, ledger, readers):
    """Every answer is right or an honest error; afterwards all is right, fresh and clean."""
    print(f"SOAK_SEED={SEED} SOAK_READS={READS}")
    log_before = aftermath.log_of(stack)
    budget, started = Budget(READS), time.monotonic()
    with Life(ledger, SEED, READS) as life:
        life.reads_done = lambda: budget.done
        answers = run(readers, budget)
    print(f"read for {time.monotonic() - started:.0f} s")
    court = Court(ledger)
    complaints = court.judge(answers)
    print(dict(court.outcomes))
    print("\n".join(life.happened))
    assert not life.failed
    assert not complaints, f"SOAK_SEED={SEED}\n" + "\n\n".join(complaints)
    assert court.outcomes["right"] + court.outcomes["client: right"] > READS / 4
    workers = {name: Workers(cache) for name, cache in caches.items()}
    deadline = time.monotonic() + RECOVERY
    while (late := aftermath.outdated(ledger, workers)) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert not late, "\n".join(late)
    print(f"fresh after {time.monotonic() - started:.0f} s")
    assert aftermath.wrong_answers(ledger, caches) == []
    assert aftermath.wrong_files(stack) == []
    assert aftermath.wrong_rows(stack, ledger) == []
    log = aftermath.log_of(stack).removeprefix(log_before)
    assert "Traceback" not in log, log[log.index("Traceback") :][:4000]
    print(f"clean after {time.monotonic() - started:.0f} s")
