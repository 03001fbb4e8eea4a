"""Whatever the transfers and the readers do, the bytes are exact or there is an error."""

import asyncio
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pulp_hugging_face.blobs.manager import FOLDER, FillManager
from pulp_hugging_face.blobs.work import VERIFY_FIRST
from pulp_hugging_face.hub.errors import HubError, UpstreamUnavailable

from .sources import MIB, Attempt, FakeSource, Publisher, lfs, names, pattern, read_all, regular

SIZES = [1, 2, 1000, 65_536, VERIFY_FIRST, VERIFY_FIRST + 1, VERIFY_FIRST + 2 * MIB + 7]
CONTENTS = {size: pattern(size, size) for size in SIZES}


@st.composite
def attempts(draw: st.DrawFn, size: int, *, corrupt: bool = False) -> Attempt:
    position = st.one_of(st.none(), st.integers(0, size - 1))
    return Attempt(
        cut=draw(position),
        end=draw(position),
        whole=draw(st.booleans()),
        corrupt=draw(position) if corrupt else None,
        extra=draw(st.sampled_from([0, 0, 0, 5])),
        refuse=draw(st.sampled_from([None, None, None, UpstreamUnavailable("Down.")])),
        chunk=draw(st.integers(max(1, size // 20), 2 * MIB)),
    )


@st.composite
def spans(draw: st.DrawFn, size: int) -> tuple[int, int]:
    start = draw(st.integers(0, size))
    return start, draw(st.integers(start, size))


async def run(
    content: bytes, tries: list[Attempt], parts: list[tuple[int, int]], lfs_file: bool
) -> tuple[list[bytes | BaseException], Publisher]:
    with tempfile.TemporaryDirectory() as name:
        kept = Path(name) / "kept"
        kept.mkdir()
        publisher = Publisher(kept)
        manager = FillManager(Path(name), publisher)
        await manager.open()
        source = FakeSource.of(content, *tries)
        blob = lfs(content) if lfs_file else regular(content)
        fill = manager.start("domain", blob, source, claim="a", retries=9)
        readers = [asyncio.create_task(read_all(fill, start, stop)) for start, stop in parts]
        results = await asyncio.gather(*readers, return_exceptions=True)
        await fill.ended()
        await manager.close()
        assert not publisher.calls or names(Path(name) / FOLDER) == []
        return results, publisher


relaxed = settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@relaxed
@given(st.data(), st.sampled_from(SIZES), st.booleans())
def test_true_bytes_arrive_exactly(data: st.DataObject, size: int, lfs_file: bool) -> None:
    content = CONTENTS[size]
    tries = [*data.draw(st.lists(attempts(size), max_size=4)), Attempt()]
    parts = data.draw(st.lists(spans(size), max_size=6))
    results, publisher = asyncio.run(run(content, tries, parts, lfs_file))
    assert results == [content[start:stop] for start, stop in parts]
    assert [call[2] for call in publisher.calls] == [content]


@relaxed
@given(st.data(), st.sampled_from(SIZES), st.booleans())
def test_false_bytes_never_look_complete(data: st.DataObject, size: int, lfs_file: bool) -> None:
    content = CONTENTS[size]
    tries = data.draw(st.lists(attempts(size, corrupt=True), min_size=1, max_size=4))
    parts = [*data.draw(st.lists(spans(size), max_size=4)), (0, size)]
    results, publisher = asyncio.run(run(content, tries, parts, lfs_file))
    assert isinstance(results[-1], HubError) or results[-1] == content
    for result in results:
        assert isinstance(result, bytes | HubError)
    assert all(call[2] == content for call in publisher.calls)
    assert len(publisher.calls) <= 1
