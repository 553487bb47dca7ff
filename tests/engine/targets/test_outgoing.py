"""A local file on its way: a wrong one never leaves whole."""

from pathlib import Path

import pytest

from custom_components.media_pipeline.engine.errors import (
    FileVanished,
    SourceFileChanged,
    TargetUnreachable,
)
from custom_components.media_pipeline.engine.targets.outgoing import Outgoing

from .place import make_sample


@pytest.mark.parametrize("size", [0, 1, 1 << 20, 2_500_000])
async def test_all_of_it_and_its_hashes(tmp_path: Path, size: int) -> None:
    sample, moved = make_sample(tmp_path, size), list[int]()
    outgoing = Outgoing(sample.path, size, sample.sha256, also="md5", on_bytes=moved.append)

    data = b"".join([piece async for piece in outgoing.pieces()])

    assert data == sample.data
    assert sum(moved) == size
    assert outgoing.digests["sha256"] == sample.sha256
    assert len(outgoing.digests["md5"]) == 32


@pytest.mark.parametrize(("more", "sha256"), [(1, None), (-1, None), (0, "0" * 64)])
async def test_a_wrong_file_is_never_sent_whole(
    tmp_path: Path, more: int, sha256: str | None
) -> None:
    """The server was told the length; it might answer before the mistake is noticed."""
    sample, sent = make_sample(tmp_path, 2_500_000), list[int]()
    outgoing = Outgoing(sample.path, sample.size + more, sha256 or sample.sha256)

    async def read() -> None:
        async for piece in outgoing.pieces():
            sent.append(len(piece))

    with pytest.raises(SourceFileChanged):
        await read()

    assert sum(sent) < sample.size + more
    assert outgoing.digests == {}
    with pytest.raises(SourceFileChanged), outgoing.explained():
        raise TargetUnreachable("what an HTTP library makes of it")


async def test_it_is_gone(tmp_path: Path) -> None:
    with pytest.raises(FileVanished):
        await Outgoing(tmp_path / "never", 1, None).check()
