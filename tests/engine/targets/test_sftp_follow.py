"""The server hashes a big file while it is written: what was stored counts, and lies there."""

import asyncio
import hashlib
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import pytest

from custom_components.media_pipeline.engine.errors import TargetUnreachable
from custom_components.media_pipeline.engine.model import ProofMethod
from custom_components.media_pipeline.engine.targets import sftp_channels, sftp_parts, sftp_resume
from custom_components.media_pipeline.engine.targets.base import TargetIdentity
from custom_components.media_pipeline.engine.targets.remote_hash import RemoteShell
from custom_components.media_pipeline.engine.targets.sftp import SftpTarget
from custom_components.media_pipeline.engine.targets.sftp_follow import _command
from tests.support.dropbear import Dropbear, dropbear_runs
from tests.support.sshd import RealSshd

from .conftest import need_sshd
from .place import Place, Sample, make_sample, send

PATH = "2024/05/a film's name.MOV"
SIZE = 60_000_000
PROGRAMS = ("sh", "bash", "cat", "openssl")


@pytest.fixture(autouse=True)
def smaller_big_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sftp_parts, "RESUMABLE", 10_000_000)
    monkeypatch.setattr(sftp_resume, "_UNSURE", 2 << 20)
    # a busy machine answers late, as on a line with latency, where another way is taken
    monkeypatch.setattr(sftp_channels, "FAR", 60.0)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RealSshd]:
    need_sshd()
    (tmp_path / "served").mkdir()
    made = await RealSshd(tmp_path / "served").start()
    yield made
    await made.close()


@pytest.fixture
async def target(server: RealSshd) -> AsyncIterator[SftpTarget]:
    """So slow that something can be done to a file on its way."""
    made = SftpTarget(server.access.target_config("t", bandwidth=SIZE // 2), TargetIdentity())
    await made.open()
    yield made
    await made.close()


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    return make_sample(tmp_path, SIZE)


def part_of(server: RealSshd) -> Path:
    [part] = server.root.rglob("*.mp-part")
    return part


async def none_left(server: RealSshd) -> None:
    """No command runs at the server any more, after a moment."""
    for _ in range(500):
        if not any(server.running(program) for program in PROGRAMS):
            return
        await asyncio.sleep(0.01)
    raise AssertionError({program: server.running(program) for program in PROGRAMS})


def at(size: int, do: Callable[[], object]) -> Callable[[int], None]:
    """An ``on_bytes`` that does something once so many bytes were read."""
    count, done = 0, False

    def counted(more: int) -> None:
        nonlocal count, done
        count += more
        if count >= size and not done:
            done = True
            do()

    return counted


async def test_proven_when_it_arrives(remote: Place, tmp_path: Path) -> None:
    target, sample = remote.target(), make_sample(tmp_path, SIZE)
    await target.open()

    delivery = await send(target, sample, PATH)

    assert delivery.proof == (ProofMethod.REMOTE_HASH if remote.remote_hash else None)
    assert (remote.root / PATH).read_bytes() == sample.data
    assert remote.files() == {PATH}


async def test_nothing_is_left_running(
    server: RealSshd, target: SftpTarget, sample: Sample
) -> None:
    delivery = await send(target, sample, PATH)
    small = await send(target, sample, "under another name.MOV")

    assert delivery.proof is small.proof is ProofMethod.REMOTE_HASH
    await none_left(server)


@pytest.mark.parametrize("how", ["cancelled", "line lost"])
async def test_nothing_is_left_running_after_a_cut(
    server: RealSshd, target: SftpTarget, sample: Sample, how: str
) -> None:
    task = asyncio.create_task(send(target, sample, PATH))
    while not any(path.stat().st_size > SIZE // 2 for path in server.root.rglob("*.mp-part")):
        assert not task.done()
        await asyncio.sleep(0.01)
    assert server.running("openssl")
    if how == "cancelled":
        task.cancel()
    else:
        session = target._link._session
        assert session is not None
        session.conn.abort()
    with pytest.raises(asyncio.CancelledError if how == "cancelled" else TargetUnreachable):
        await task

    await none_left(server)

    delivery = await send(target, sample, PATH)
    assert delivery.proof is None, "only a file that was followed from its start"
    assert (server.root / "t" / PATH).read_bytes() == sample.data


async def test_stored_bytes_that_differ_are_sent_again(
    server: RealSshd, target: SftpTarget, sample: Sample
) -> None:
    """It is the stored file that is hashed, not what was sent."""
    counts: list[int] = []

    def rot() -> None:
        with part_of(server).open("r+b") as file:
            file.seek(1000)
            file.write(b"rot")

    spoil = at(8 << 20, rot)

    def count(size: int) -> None:
        counts.append(size)
        spoil(size)

    delivery = await send(target, sample, PATH, on_bytes=count)

    assert sum(counts) == 2 * SIZE
    assert delivery.proof is None
    assert (server.root / "t" / PATH).read_bytes() == sample.data


async def test_a_wrong_answer_is_not_believed(
    server: RealSshd, target: SftpTarget, sample: Sample
) -> None:
    """What was hashed on the way was wrong, what lies there is right: it is hashed once more."""
    counts: list[int] = []

    def write(data: bytes) -> None:
        with part_of(server).open("r+b") as file:
            file.seek(1000)
            file.write(data)

    spoil = at(8 << 20, lambda: write(b"rot"))
    mend = at(SIZE - 4_000_000, lambda: write(sample.data[1000:1003]))

    def count(size: int) -> None:
        counts.append(size)
        spoil(size)
        mend(size)

    delivery = await send(target, sample, PATH, on_bytes=count)

    assert sum(counts) == SIZE
    assert delivery.proof is None
    assert (server.root / "t" / PATH).read_bytes() == sample.data


async def test_another_file_in_its_place_is_not_proven(
    server: RealSshd, target: SftpTarget, sample: Sample, tmp_path: Path
) -> None:
    """Somebody puts another file where the part was: what was hashed is not what is published."""

    def exchange() -> None:
        part = part_of(server)
        shutil.copy(part, other := server.root / "t" / "other")
        other.replace(part)

    delivery = await send(target, sample, PATH, on_bytes=at(SIZE - 10_000_000, exchange))

    assert (server.root / "t" / PATH).read_bytes() != sample.data
    assert delivery.proof is None


async def test_follower_that_dies(server: RealSshd, target: SftpTarget, sample: Sample) -> None:
    def kill() -> None:
        for pid in server.running("openssl"):
            with suppress(ProcessLookupError):
                os.kill(pid, 9)

    delivery = await send(target, sample, PATH, on_bytes=at(SIZE // 2, kill))

    assert delivery.proof is None
    assert (server.root / "t" / PATH).read_bytes() == sample.data
    assert target.takes_many


async def test_one_at_a_time(server: RealSshd, target: SftpTarget, sample: Sample) -> None:
    """Channels are few: of two files on their way one is followed."""
    first, second = await asyncio.gather(
        send(target, sample, "a.MOV"), send(target, sample, "b.MOV")
    )

    assert {first.proof, second.proof} == {ProofMethod.REMOTE_HASH, None}
    await none_left(server)


async def test_dropbear(tmp_path: Path, sample: Sample) -> None:
    if not dropbear_runs():
        pytest.skip("dropbear is not installed (scripts/setup --all), or this is not root")
    server = await Dropbear(tmp_path / "served").start()
    target = SftpTarget(server.access.target_config(), TargetIdentity())
    try:
        await target.open()
        delivery = await send(target, sample, PATH)
        assert delivery.proof is ProofMethod.REMOTE_HASH
    finally:
        await target.close()
        await server.close()


def test_busybox(tmp_path: Path) -> None:
    """The command as a small NAS runs it."""
    busybox = shutil.which("busybox")
    if busybox is None:
        pytest.skip("busybox is not installed")
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("sh", "cat", "sha256sum"):
        (tools / name).symlink_to(busybox)
    (tmp_path / "it's a part").write_bytes(data := os.urandom(3_000_000))
    command = _command(RemoteShell(str(tmp_path), "sha256sum"), "it's a part")

    done = subprocess.run(
        [tools / "sh", "-c", command],
        input=b"\n\nend\nit's a part\n",
        env={"PATH": str(tools)},
        capture_output=True,
        check=True,
        timeout=20,
    )

    ready, sha256, same = done.stdout.decode().splitlines()
    assert (ready, same) == ("ready", "same")
    assert sha256.split()[0] == hashlib.sha256(data).hexdigest()
