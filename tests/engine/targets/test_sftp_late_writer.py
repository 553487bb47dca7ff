"""What a session that was cut still writes, late: it neither harms the next try nor the file."""

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from custom_components.media_pipeline.engine.errors import TargetUnreachable
from custom_components.media_pipeline.engine.targets import sftp_channels, sftp_parts, sftp_resume
from custom_components.media_pipeline.engine.targets.base import (
    Delivery,
    ProofRequest,
    TargetIdentity,
)
from custom_components.media_pipeline.engine.targets.sftp import SftpTarget
from tests.support.sshd import RealSshd

from .place import Sample, make_sample, send

PATH = "2024/05/IMG_0001.MOV"
SIZE = 40_000_000
STOPPED_AFTER = 20_000_000


@pytest.fixture(autouse=True)
def smaller_big_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sftp_parts, "RESUMABLE", 10_000_000)
    monkeypatch.setattr(sftp_resume, "_UNSURE", 2 << 20)
    monkeypatch.setattr(sftp_resume, "_STILL_SECONDS", 0.3)
    # a busy machine answers late, as on a line with latency, where another way is taken
    monkeypatch.setattr(sftp_channels, "FAR", 60.0)


def new_target(server: RealSshd, identity: TargetIdentity = TargetIdentity()) -> SftpTarget:  # noqa: B008
    """So slow that a delivery can be caught in the middle."""
    return SftpTarget(server.access.target_config("t", bandwidth=SIZE // 2), identity)


def part_size(server: RealSshd) -> int:
    return sum(path.stat().st_size for path in server.root.rglob("*.mp-part"))


class LateWriter:
    """The process that writes at the server, stopped in mid-file; its input is full by then."""

    def __init__(self, server: RealSshd) -> None:
        self._server = server
        self._pid = 0

    def stop_in_time(self) -> bool:
        """Stop it, if it has written enough."""
        if not self._pid and part_size(self._server) > STOPPED_AFTER:
            [self._pid] = self._server.running("cat")
            os.kill(self._pid, signal.SIGSTOP)
        return bool(self._pid)

    def go_on(self) -> None:
        if self._pid:
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGCONT)

    @property
    def alive(self) -> bool:
        with suppress(OSError):
            return "Z" not in Path(f"/proc/{self._pid}/stat").read_text().rpartition(")")[2]
        return False

    async def write_the_rest(self) -> None:
        """Let it write what it was sent, and end."""
        self.go_on()
        for _ in range(500):
            if not self.alive:
                return
            await asyncio.sleep(0.01)
        raise AssertionError("the late writer does not end")


async def stopped(
    server: RealSshd,
    target: SftpTarget,
    sample: Sample,
    on_bytes: Callable[[int], None] | None = None,
) -> tuple[LateWriter, asyncio.Task[Delivery]]:
    """Begin a delivery; its writer at the server is stopped in the middle."""
    late = LateWriter(server)
    task = asyncio.create_task(send(target, sample, PATH, on_bytes=on_bytes))
    while not late.stop_in_time():
        assert not task.done()
        await asyncio.sleep(0.001)
    return late, task


async def left_behind(server: RealSshd, target: SftpTarget, sample: Sample) -> LateWriter:
    """Cancel a delivery whose writer at the server is stopped, with bytes still to be written."""
    late, task = await stopped(server, target, sample)
    before = -1  # until the server takes no more
    while before != (before := server_takes(target)):
        await asyncio.sleep(0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert late.alive
    return late


def server_takes(target: SftpTarget) -> int:
    """Bytes that went to the server so far."""
    session = target._link._session
    assert session is not None
    return int(session.conn._rekey_bytes_sent)


@pytest.mark.parametrize("moment", ["before", "first bytes", "published"])
async def test_late_bytes_of_a_cancelled_delivery(
    server: RealSshd, tmp_path: Path, moment: str
) -> None:
    target = new_target(server)
    sample = make_sample(tmp_path, SIZE)
    await target.open()
    late = await left_behind(server, target, sample)
    counts: list[int] = []

    def count(size: int) -> None:
        if not counts and moment == "first bytes":
            late.go_on()
        counts.append(size)

    try:
        if moment == "before":
            late.go_on()
        delivery = await send(target, sample, PATH, on_bytes=count)
        await late.write_the_rest()
        [proof] = await target.prove([ProofRequest(PATH, SIZE)])

        assert delivery.path == PATH
        assert sum(counts) < SIZE - 10_000_000, "it was sent whole again"
        assert proof.sha256 == sample.sha256
        assert (server.root / "t" / PATH).read_bytes() == sample.data
        assert target.takes_many, "the shell was given up"
    finally:
        late.go_on()
        await target.close()


async def test_late_bytes_are_waited_for_after_a_restart(server: RealSshd, tmp_path: Path) -> None:
    """A part that still grows when we come back is not taken for somebody else's."""
    sample = make_sample(tmp_path, SIZE)
    target = new_target(server)
    info = await target.open()
    late = await left_behind(server, target, sample)
    await target.close()
    again = new_target(server, info.identity)
    await again.open()
    counts: list[int] = []

    async def soon() -> None:
        await asyncio.sleep(0.15)  # while it is looked whether the part is still
        await late.write_the_rest()

    writer = asyncio.create_task(soon())
    try:
        await send(again, sample, PATH, on_bytes=counts.append)
        await writer

        assert sum(counts) < SIZE - 10_000_000, "it was sent whole again"
        assert (server.root / "t" / PATH).read_bytes() == sample.data
    finally:
        late.go_on()
        await again.close()


async def test_lost_line_with_a_late_writer(server: RealSshd, tmp_path: Path) -> None:
    """The line is gone for us only: the server ends the session, its writer takes its time."""
    target = new_target(server)
    sample = make_sample(tmp_path, SIZE)
    await target.open()
    late, task = await stopped(server, target, sample)
    session = target._link._session
    assert session is not None
    session.conn.abort()
    with pytest.raises(TargetUnreachable):
        await task
    counts: list[int] = []

    def count(size: int) -> None:
        late.go_on()
        counts.append(size)

    try:
        await send(target, sample, PATH, on_bytes=count)

        assert sum(counts) < SIZE - 10_000_000, "it was sent whole again"
        assert (server.root / "t" / PATH).read_bytes() == sample.data
        assert target.takes_many, "the shell was given up"
    finally:
        late.go_on()
        await target.close()


async def test_no_more_is_read_than_the_server_takes(server: RealSshd, tmp_path: Path) -> None:
    """Where the server stands still, the file does not pile up in memory here."""
    target = new_target(server)
    sample = make_sample(tmp_path, SIZE)
    await target.open()
    counts = [0]
    late, task = await stopped(server, target, sample, counts.append)
    try:
        before = 0
        while before != (before := sum(counts)):
            await asyncio.sleep(0.5)

        assert before < part_size(server) + (12 << 20) < SIZE
        late.go_on()
        await task
        assert (server.root / "t" / PATH).read_bytes() == sample.data
    finally:
        late.go_on()
        await target.close()
