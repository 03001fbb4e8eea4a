"""Conformance matrix D: a read-only cache refuses uploads at once, in words that tell why."""

import pytest

from pulp_hugging_face.tests.hub import OWNER_TOKEN, FixtureHub

from .caches import Cache
from .clients.machine import JavascriptMachine, Machine, Tour
from .clients.venvs import ALL_HUBS, HUB_023, HUB_24, HUB_133, JAVASCRIPT, ClientKind

MIB = 1024 * 1024
REPO = {"repo_id": "org/repo"}
WORDS = "read-only cache"
# Above what clients send in parts, if they are told to.
LARGE = 24 * MIB
STEPS = {
    "create": ("write", {"what": "create_repo", "repo_id": "org/new", "exist_ok": True}),
    "create a dataset": (
        "write",
        {"what": "create_repo", "repo_id": "org/new", "repo_type": "dataset"},
    ),
    "small": ("write", {"what": "upload_file", **REPO, "path_in_repo": "a.txt", "size": 1}),
    "large": ("write", {"what": "upload_file", **REPO, "path_in_repo": "w.bin", "size": LARGE}),
    "card": (
        "write",
        {
            "what": "upload_file",
            **REPO,
            "path_in_repo": "README.md",
            "path_or_fileobj": "---\nlicense: mit\n---\n# Card\n",
        },
    ),
    "commit": ("write_commit", {**REPO, "commit_message": "No", "create_pr": True}),
    "delete a file": ("write", {"what": "delete_file", **REPO, "path_in_repo": "config.json"}),
    "delete a repository": ("write", {"what": "delete_repo", **REPO, "missing_ok": True}),
    "branch": ("write", {"what": "create_branch", **REPO, "branch": "new", "exist_ok": True}),
    "tag": ("write", {"what": "create_tag", **REPO, "tag": "new"}),
}
# Minutes are what clients lose where Xet is offered and does not answer (§2.2).
SECONDS = 60


def _ways() -> list[tuple[ClientKind, bool]]:
    """Return every version, with Xet, where it knows it, and without."""
    return [(kind, xet) for kind in ALL_HUBS.values() for xet in (True, False)
            if kind is not HUB_023 or not xet]  # fmt: skip


@pytest.fixture(
    scope="module", params=_ways(), ids=lambda way: f"{way[0].name}{'-xet' if way[1] else ''}"
)
def machine(request, common: Cache, tmp_path_factory) -> Machine:
    kind, xet = request.param
    extra = {} if xet else {"HF_HUB_DISABLE_XET": "1"}
    folder = tmp_path_factory.mktemp("uploads")
    return Machine(kind, folder, common.url, OWNER_TOKEN, extra)


@pytest.fixture(scope="module")
def tour(hub_process: FixtureHub, machine: Machine) -> Tour:
    """All of the steps in one process, for each version of the client."""
    hub_process.reset_all()
    return machine.tour(STEPS)


def nothing_was_written(hub: FixtureHub) -> bool:
    """Tell that the upstream was only read."""
    writes = [entry for entry in hub.log() if entry.method not in ("GET", "HEAD")]
    return all("/paths-info/" in entry.path for entry in writes)


@pytest.mark.matrix("D55", "D56", "D57", "D58", "D59", "D61", "D62")
@pytest.mark.parametrize("name", STEPS)
def test_whatever_would_write_is_refused_with_a_reason(tour, hub_process, name):
    error = tour.error(name)
    assert "HfHubHTTPError" in error.bases and error.status == 403
    assert WORDS in str(error)
    assert error.seconds < SECONDS
    assert nothing_was_written(hub_process)


@pytest.mark.matrix("D57", "D58", "D62")
def test_the_bytes_of_a_large_file_are_not_sent(tour):
    sent = [request for request in tour["large"].requests if request.method != "GET"]
    assert [request.path for request in sent] == ["/api/models/org/repo/preupload/main"]
    assert tour.hosts == {"127.0.0.1"}


@pytest.mark.matrix("D55")
def test_what_exists_already_need_not_be_created(machine):
    """Clients look for it when they may not create it; those of 0.x lose their way (rule 11)."""
    (outcome,) = machine.outcomes(("write", {"what": "create_repo", "exist_ok": True, **REPO}))
    if machine.kind in (HUB_133, HUB_24):
        assert "org/repo" in outcome
    else:
        assert outcome.name == "ValueError" and "repo_type" in str(outcome)


@pytest.mark.matrix("D60")
def test_hf_upload_of_a_folder_to_a_branch(hub, new_machine, common):
    machine = new_machine(HUB_24, common, OWNER_TOKEN)
    folder = machine.home / "folder"
    folder.mkdir(parents=True)
    (folder / "a.txt").write_text("x")
    done = machine.command("hf", "upload", "org/repo", str(folder), ".", "--revision", "new")
    assert done.returncode != 0
    assert WORDS in done.stdout + done.stderr
    assert nothing_was_written(hub)


@pytest.mark.matrix("D55", "D56", "D57", "D61", "D62")
def test_the_javascript_client_is_told_why(hub, new_machine, common):
    machine = new_machine(JAVASCRIPT, common, OWNER_TOKEN)
    assert isinstance(machine, JavascriptMachine)
    repo = {"repo": "org/repo"}
    outcomes = machine.outcomes(
        ("createRepo", {"repo": "org/new"}),
        ("uploadFile", {**repo, "path": "a.txt", "size": 1}),
        ("uploadFile", {**repo, "path": "w.bin", "size": LARGE}),
        ("uploadFile", {**repo, "path": "w.bin", "size": LARGE, "useXet": False}),
        ("deleteRepo", repo),
    )
    for error in outcomes:
        assert error.status == 403 and WORDS in str(error)
        assert error.seconds < SECONDS
    assert nothing_was_written(hub)
