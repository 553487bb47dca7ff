"""A big file over SSH is compared with what the server stored, before it gets its name."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from custom_components.media_pipeline.engine.config import TargetRules
from custom_components.media_pipeline.engine.errors import SourceFileChanged
from custom_components.media_pipeline.engine.model import ProofMethod
from custom_components.media_pipeline.engine.targets import sftp_channels, sftp_parts
from custom_components.media_pipeline.engine.targets.base import ProofRequest, TargetIdentity
from custom_components.media_pipeline.engine.targets.sftp import SftpTarget
from tests.support.sshd import RealSshd

from .place import make_sample, send

PATH = "2024/05/IMG_0001.MOV"
SIZE = 24_000_000


@pytest.fixture(autouse=True)
def smaller_big_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sftp_parts, "RESUMABLE", 10_000_000)
    # a busy machine answers late, as on a line with latency, where another way is taken
    monkeypatch.setattr(sftp_channels, "FAR", 60.0)


@pytest.fixture
async def target(server: RealSshd) -> AsyncIterator[SftpTarget]:
    made = SftpTarget(server.access.target_config("t"), TargetIdentity())
    await made.open()
    yield made
    await made.close()


def files(server: RealSshd) -> list[Path]:
    """Published files and parts."""
    return [path for path in server.root.rglob("*IMG_0001*") if path.is_file()]


def spoil(path: Path, at: int) -> None:
    """Change one byte of a file, in place."""
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))


class SpoiledThere:
    """Spoils the part at the server once, when its first bytes have been written."""

    def __init__(self, server: RealSshd) -> None:
        self._server = server
        self.done = False

    def __call__(self, _: int) -> None:
        for part in [] if self.done else self._server.root.rglob("*.mp-part"):
            if part.stat().st_size > 1 << 20:
                spoil(part, 5)
                self.done = True


async def test_it_arrives_proven(server: RealSshd, target: SftpTarget, tmp_path: Path) -> None:
    sample = make_sample(tmp_path, SIZE)

    delivery = await send(target, sample, PATH)

    assert delivery.proof is ProofMethod.REMOTE_HASH
    [there] = files(server)
    assert there.read_bytes() == sample.data
    # what is there already says nothing of itself
    assert (await send(target, sample, PATH)).proof is None
    # and so does what lies under another name, beside foreign data
    there.write_bytes(b"x" * SIZE)
    beside = await send(target, sample, PATH)
    assert beside.path != delivery.path
    assert beside.proof is ProofMethod.REMOTE_HASH
    [proof] = await target.prove([ProofRequest(beside.path, SIZE)])
    assert proof.sha256 == sample.sha256


async def test_where_all_is_read_back_it_is_not_proven_yet(
    server: RealSshd, tmp_path: Path
) -> None:
    config = replace(server.access.target_config("t"), rules=TargetRules(read_back=True))
    target = SftpTarget(config, TargetIdentity())
    await target.open()
    sample = make_sample(tmp_path, SIZE)
    try:
        assert (await send(target, sample, PATH)).proof is None
    finally:
        await target.close()
    assert [path.read_bytes() for path in files(server)] == [sample.data]


async def test_other_bytes_there_never_get_the_name(
    server: RealSshd, target: SftpTarget, tmp_path: Path
) -> None:
    sample, spoiled = make_sample(tmp_path, SIZE), SpoiledThere(server)

    delivery = await send(target, sample, PATH, on_bytes=spoiled)

    assert spoiled.done
    assert delivery.proof is None  # sent again, and proven as any other
    assert [path.read_bytes() for path in files(server)] == [sample.data]


async def test_a_source_that_rotted_is_told_and_nothing_stays(
    server: RealSshd, target: SftpTarget, tmp_path: Path
) -> None:
    sample = make_sample(tmp_path, SIZE)
    spoil(sample.path, SIZE // 2)

    with pytest.raises(SourceFileChanged):
        await send(target, sample, PATH)

    assert files(server) == []


@pytest.mark.parametrize("change", [-1, 1])
async def test_a_source_of_another_size(
    server: RealSshd, target: SftpTarget, tmp_path: Path, change: int
) -> None:
    sample = make_sample(tmp_path, SIZE)
    with pytest.raises(SourceFileChanged):
        await send(target, sample, PATH, size=SIZE + change)
    assert files(server) == []
