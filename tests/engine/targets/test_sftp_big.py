"""Big files: the part outlives a cut, and the next try goes on after what is proven."""

import asyncio
import shutil
from pathlib import Path

import pytest

from custom_components.media_pipeline.engine.errors import SourceFileChanged, TargetUnreachable
from custom_components.media_pipeline.engine.targets import sftp_channels, sftp_parts, sftp_resume
from custom_components.media_pipeline.engine.targets.base import ProofRequest, TargetIdentity
from custom_components.media_pipeline.engine.targets.paths import part_path
from custom_components.media_pipeline.engine.targets.sftp import SftpTarget
from tests.support.asyncssh_server import AsyncsshServer, Shell
from tests.support.sshd import RealSshd

from .conftest import need_sshd
from .place import Place, Sample, make_sample, send
from .test_sftp_many import shipments

PATH = "2024/05/IMG_0001.MOV"
SIZE = 40_000_000


@pytest.fixture(autouse=True)
def smaller_big_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sftp_parts, "RESUMABLE", 10_000_000)
    monkeypatch.setattr(sftp_resume, "_UNSURE", 2 << 20)
    monkeypatch.setattr(sftp_resume, "_STILL_SECONDS", 0.3)


def kept_part(sample: Sample) -> str:
    return part_path(PATH, sample.sha256[:12])


async def cut(place: Place, target: SftpTarget, sample: Sample, after: int = 25_000_000) -> None:
    assert place.server is not None
    server, sent = place.server, 0
    killed = False

    def count(size: int) -> None:
        nonlocal sent, killed
        sent += size
        if sent > after and not killed:
            killed = True
            assert server.kill_sessions()

    with pytest.raises(TargetUnreachable):
        await send(target, sample, PATH, on_bytes=count)
    assert killed


async def test_several_channels_on_a_line_with_latency(
    remote: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One channel carries 2 MiB per round trip; a big file uses three, and a cut is mended too."""
    monkeypatch.setattr(sftp_channels, "FAR", 0.0)
    target, sample = remote.target(), make_sample(tmp_path, SIZE)
    await target.open()
    assert isinstance(target, SftpTarget)

    await cut(remote, target, sample)
    await send(target, sample, PATH)

    session = await target._link.session()
    assert session.more is not None
    assert len(session.more) == 2
    assert (remote.root / PATH).read_bytes() == sample.data
    assert remote.files() == {PATH}


@pytest.mark.parametrize("restarted", [False, True])
async def test_goes_on_after_a_cut(remote: Place, tmp_path: Path, restarted: bool) -> None:
    target, sample = remote.target(), make_sample(tmp_path, SIZE)
    info = await target.open()
    assert isinstance(target, SftpTarget)
    await cut(remote, target, sample)
    assert remote.files() == {kept_part(sample)}
    if restarted:
        await target.close()
        target = remote.target(info.identity)
        await target.open()
    counts: list[int] = []

    delivery = await send(target, sample, PATH, on_bytes=counts.append)
    [proof] = await target.prove([ProofRequest(PATH, SIZE)])

    assert delivery.path == PATH
    assert proof.sha256 == sample.sha256
    assert 0 < sum(counts) < SIZE - 10_000_000
    assert remote.files() == {PATH}


async def test_rotten_start_is_not_gone_on_with(remote: Place, tmp_path: Path) -> None:
    target, sample = remote.target(), make_sample(tmp_path, SIZE)
    await target.open()
    assert isinstance(target, SftpTarget)
    await cut(remote, target, sample)
    part = remote.root / kept_part(sample)
    with part.open("r+b") as file:
        file.seek(1000)
        file.write(b"rot")
    counts: list[int] = []

    await send(target, sample, PATH, on_bytes=counts.append)

    assert sum(counts) == SIZE
    assert (remote.root / PATH).read_bytes() == sample.data
    assert remote.files() == {PATH}


async def test_longer_part_than_the_file(remote: Place, tmp_path: Path) -> None:
    target, sample = remote.target(), make_sample(tmp_path, SIZE)
    await target.open()
    part = remote.root / kept_part(sample)
    part.parent.mkdir(parents=True)
    shutil.copy(sample.path, part)
    with part.open("ab") as file:
        file.write(b"x" * 5_000_000)

    await send(target, sample, PATH)

    assert (remote.root / PATH).read_bytes() == sample.data
    assert remote.files() == {PATH}


async def test_a_part_that_somebody_else_writes(remote: Place, tmp_path: Path) -> None:
    """Another Home Assistant sends the same file: each has a part of its own."""
    target, sample = remote.target(), make_sample(tmp_path, SIZE)
    await target.open()
    part = remote.root / kept_part(sample)
    part.parent.mkdir(parents=True)
    part.write_bytes(sample.data[:30_000_000])

    async def grow() -> None:
        while True:
            with part.open("ab") as file:
                file.write(b"theirs")
            await asyncio.sleep(0.05)

    other = asyncio.create_task(grow())
    await send(target, sample, PATH)
    other.cancel()

    assert (remote.root / PATH).read_bytes() == sample.data
    assert remote.files() == {PATH, kept_part(sample)}
    assert part.read_bytes().endswith(b"theirs")


async def test_cancelled_big_file_goes_on_later(remote: Place, tmp_path: Path) -> None:
    target, sample = remote.target(), make_sample(tmp_path, SIZE)
    await target.open()
    sent = 0
    enough = asyncio.Event()

    def count(size: int) -> None:
        nonlocal sent
        sent += size
        if sent > 25_000_000:
            enough.set()

    task = asyncio.create_task(send(target, sample, PATH, on_bytes=count))
    await enough.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert remote.files() == {kept_part(sample)}
    counts: list[int] = []

    delivery = await send(target, sample, PATH, on_bytes=counts.append)

    assert delivery.proof is not None  # what was there before was compared, too
    assert (remote.root / PATH).read_bytes() == sample.data
    assert sum(counts) < SIZE
    assert remote.files() == {PATH}


async def test_changed_source_leaves_nothing(remote: Place, tmp_path: Path) -> None:
    target, sample = remote.target(), make_sample(tmp_path, SIZE)
    await target.open()
    assert isinstance(target, SftpTarget)
    await cut(remote, target, sample)
    data = bytearray(sample.data)
    data[-1] ^= 1
    sample.path.write_bytes(data)

    with pytest.raises(SourceFileChanged):
        await send(target, sample, PATH)

    assert remote.files() == set()


async def test_the_same_file_for_two_callers(remote: Place, tmp_path: Path) -> None:
    target, sample = remote.target(), make_sample(tmp_path, SIZE)
    await target.open()

    first, second = await asyncio.gather(send(target, sample, PATH), send(target, sample, PATH))

    assert (remote.root / PATH).read_bytes() == sample.data
    assert remote.files() == {first.path, second.path} == {PATH}
    assert first.already_there != second.already_there


async def test_shell_that_takes_no_files(tmp_path: Path) -> None:
    """Where ``cat`` does not do it, SFTP requests do."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("sh", "xargs", "sha256sum", "test"):
        (tools / name).symlink_to(shutil.which(name) or "/missing")
    served = tmp_path / "served"
    served.mkdir()
    server = await AsyncsshServer(served, shell=Shell(served, path=str(tools))).start()
    target, sample = (
        SftpTarget(server.access.target_config("t"), TargetIdentity()),
        make_sample(tmp_path, SIZE),
    )
    assert (await target.open()).remote_hash
    assert target.takes_many

    await send(target, sample, PATH)

    assert not target.takes_many
    assert (served / "t" / PATH).read_bytes() == sample.data
    await target.close()
    await server.close()


@pytest.mark.parametrize("size", [1_500_000, 6_000_000])
async def test_bandwidth(remote: Place, tmp_path: Path, size: int) -> None:
    target = remote.target(bandwidth=size // 2)
    sample = make_sample(tmp_path, size)
    await target.open()
    began = asyncio.get_running_loop().time()

    await send(target, sample, PATH)

    assert 1.5 < asyncio.get_running_loop().time() - began < 6


async def test_bandwidth_of_one_stream_for_many(tmp_path: Path) -> None:
    need_sshd()
    (tmp_path / "served").mkdir()
    server = await RealSshd(tmp_path / "served").start()
    items = shipments(tmp_path, 24, 60_000)
    total = sum(item.size for item in items)
    config = server.access.target_config("t", bandwidth=total // 2)
    target = SftpTarget(config, TargetIdentity())
    try:
        await target.open()
        began = asyncio.get_running_loop().time()
        results = await target.deliver_many(items)
        took = asyncio.get_running_loop().time() - began
    finally:
        await target.close()
        await server.close()

    assert all(results)
    assert took > 1.5
