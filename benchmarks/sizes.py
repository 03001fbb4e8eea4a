"""How much is measured: in full, or only enough to see that everything works."""

from dataclasses import dataclass

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30


@dataclass(frozen=True)
class Sizes:
    """Bytes, seconds, and counts; rates are bytes a second of the whole CDN."""

    repetitions: int
    request_seconds: float
    large: int
    crowd_clients: int
    crowd: int
    crowd_rate: int
    many_clients: int
    many: int
    many_rate: int
    snapshot_files: int
    # Olah needs half a second for a file of a snapshot.
    snapshot_files_olah: int
    head_files: int
    head: int
    tail: int
    commit_files: int
    tree_files: int
    latency_requests: int
    disk: int


FULL = Sizes(
    repetitions=3,
    request_seconds=5.0,
    large=GIB,
    crowd_clients=16,
    crowd=256 * MIB,
    crowd_rate=100_000_000,
    many_clients=200,
    many=32 * MIB,
    many_rate=2_500_000,
    snapshot_files=3_000,
    snapshot_files_olah=300,
    head_files=12,
    head=64 * MIB,
    tail=MIB,
    commit_files=1_000_000,
    tree_files=100_000,
    latency_requests=200,
    disk=45 * GIB,
)

QUICK = Sizes(
    repetitions=1,
    request_seconds=3.0,
    large=64 * MIB,
    crowd_clients=8,
    crowd=16 * MIB,
    crowd_rate=20_000_000,
    many_clients=50,
    many=4 * MIB,
    many_rate=2_000_000,
    snapshot_files=60,
    snapshot_files_olah=10,
    head_files=4,
    head=4 * MIB,
    tail=MIB,
    commit_files=10_000,
    tree_files=10_000,
    latency_requests=50,
    disk=4 * GIB,
)

MODES = {"full": FULL, "quick": QUICK}
