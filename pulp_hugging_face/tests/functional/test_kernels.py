"""Kernels, a type of repository that clients know since 2.0."""


def test_a_kernel_is_read_by_the_client(hub, common, new_client):
    name, path = "kernels-org/activation", "README.md"
    found = new_client(common).do("kernel", name=name, path=path)
    files = hub.manifest(name, type="kernel")
    head, first = (hub.sha(name, revision, type="kernel") for revision in ("main", "v1"))
    folders = {file[:at] for file in files for at, char in enumerate(file) if char == "/"}
    assert found == {
        "info": [name, first],
        "file": files[path].oid,
        "snapshot": sorted(files),
        "refs": {"refs/heads/main": head, "refs/tags/v1": first},
        "tree": sorted({*files, *folders}),
    }
