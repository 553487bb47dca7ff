"""Copies that the server makes itself: no bytes over the line, and none that are wrong."""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncssh
import pytest

from custom_components.media_pipeline.engine.config import SftpTargetConfig
from custom_components.media_pipeline.engine.errors import TargetFull
from custom_components.media_pipeline.engine.rules import TargetRules
from custom_components.media_pipeline.engine.targets import sftp_copy
from custom_components.media_pipeline.engine.targets.base import (
    Delivery,
    ProofRequest,
    Shipment,
    TargetIdentity,
)
from custom_components.media_pipeline.engine.targets.sftp import SftpTarget
from tests.support.asyncssh_server import AsyncsshServer, Shell
from tests.support.cutting_relay import CuttingRelay
from tests.support.dropbear import Dropbear, dropbear_runs
from tests.support.sshd import RealSshd

from .conftest import need_sshd
from .place import MTIME, Sample, make_sample, send

OLD, NEW = "2024/05/IMG_0001.MOV", "Shared/2024/05/IMG_0001.MOV"
SIZE = 5_000_000
"""More than the server is asked to copy at a time, in these tests."""


class Line:
    """A server behind a relay that counts, and a target with one file there."""

    def __init__(self, server: RealSshd | Dropbear, relay: CuttingRelay, sample: Sample) -> None:
        self.server, self.relay, self.sample = server, relay, sample
        self.root = server.root / "t"
        self.sent = 0
        self.opened: list[SftpTarget] = []

    def config(self, **changes: object) -> SftpTargetConfig:
        return self.server.access.target_config("t", port=self.relay.port, **changes)

    async def target(self, **changes: object) -> SftpTarget:
        """Open, with the file sent and what passes counted from now on."""
        target = SftpTarget(self.config(**changes), TargetIdentity())
        self.opened.append(target)
        await target.open()
        await send(target, self.sample, OLD)
        self.relay.passed = 0
        return target

    async def copy(self, target: SftpTarget, path: str = NEW, twin: str = OLD) -> Delivery:
        sample = self.sample
        item = Shipment(sample.path, path, sample.size, sample.sha256, MTIME)
        return await target.deliver_twin(item, twin, on_bytes=self._count)

    def _count(self, size: int) -> None:
        self.sent += size

    def files(self) -> set[str]:
        found = (path for path in self.root.rglob("*") if path.is_file())
        return {str(path.relative_to(self.root)) for path in found if path.suffix == ".MOV"}

    async def close(self) -> None:
        for target in self.opened:
            await target.close()
        await self.relay.shut()
        await self.server.close()


async def make_line(server: RealSshd | Dropbear, sample: Sample) -> Line:
    await server.start()
    return Line(server, await CuttingRelay(server.port).start(), sample)


@pytest.fixture
async def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Line]:
    need_sshd()
    monkeypatch.setattr(sftp_copy, "_STEP", 2 << 20)
    (tmp_path / "served").mkdir()
    made = await make_line(RealSshd(tmp_path / "served"), make_sample(tmp_path, SIZE))
    yield made
    await made.close()


async def test_no_bytes_over_the_line(line: Line) -> None:
    target = await line.target()

    delivery = await line.copy(target)
    [proof] = await target.prove([ProofRequest(NEW, SIZE)])

    assert target.copies_there
    assert delivery == Delivery(NEW, SIZE)
    assert proof.sha256 == line.sample.sha256
    assert line.sent == 0
    assert line.relay.passed < 50_000
    assert (line.root / NEW).read_bytes() == line.sample.data
    assert (line.root / NEW).stat().st_ino != (line.root / OLD).stat().st_ino
    assert (line.root / NEW).stat().st_mtime == MTIME
    assert line.files() == {OLD, NEW}
    assert list(line.root.rglob("*.mp-part")) == []


async def test_dropbear(tmp_path: Path) -> None:
    if not dropbear_runs():
        pytest.skip("dropbear is not installed (scripts/setup --all), or this is not root")
    made = await make_line(Dropbear(tmp_path / "served"), make_sample(tmp_path, 5_000_000))
    try:
        await made.copy(await made.target())
        assert made.relay.passed < 50_000
        assert made.files() == {OLD, NEW}
    finally:
        await made.close()


async def test_a_rotten_twin_does_not_spread(line: Line) -> None:
    target = await line.target()
    data = bytearray(line.sample.data)
    data[SIZE // 2] ^= 1
    (line.root / OLD).write_bytes(data)

    delivery = await line.copy(target)

    assert delivery == Delivery(NEW, SIZE, twin_differs=True)
    assert (line.root / NEW).read_bytes() == line.sample.data
    assert (line.root / OLD).read_bytes() == data, "it is left for its owner to look at"
    assert line.sent == SIZE
    assert list(line.root.rglob("*.mp-part")) == []
    assert target.copies_there, "it is no fault of the server's copying"


@pytest.mark.parametrize("length", [0, 1000, None])
async def test_a_twin_that_is_short_or_gone(line: Line, length: int | None) -> None:
    target = await line.target()
    if length is None:
        (line.root / OLD).unlink()
    else:
        (line.root / OLD).write_bytes(line.sample.data[:length])

    delivery = await line.copy(target)

    assert delivery == Delivery(NEW, SIZE, twin_differs=length is not None)
    assert line.sent == SIZE
    assert (line.root / NEW).read_bytes() == line.sample.data


async def test_a_name_that_is_taken(line: Line) -> None:
    target = await line.target()
    (line.root / NEW).parent.mkdir(parents=True)
    (line.root / NEW).write_text("foreign")

    delivery = await line.copy(target)
    again = await line.copy(target)

    assert delivery.path not in {NEW, OLD}
    assert again == Delivery(delivery.path, SIZE, already_there=True)
    assert (line.root / delivery.path).read_bytes() == line.sample.data
    assert (line.root / NEW).read_text() == "foreign"
    assert line.sent == 0


async def test_no_room(line: Line) -> None:
    target = await line.target()
    target._config = line.config(reserve_bytes=1 << 60)
    target._link.config = target._config

    with pytest.raises(TargetFull):
        await line.copy(target)
    assert line.files() == {OLD}


async def test_a_server_that_does_not_offer_it(tmp_path: Path) -> None:
    need_sshd()
    (tmp_path / "served").mkdir()
    server = RealSshd(tmp_path / "served", without="copy-data")
    made = await make_line(server, make_sample(tmp_path, 5_000_000))
    try:
        target = await made.target()
        assert not target.copies_there

        delivery = await made.copy(target)

        assert delivery == Delivery(NEW, 5_000_000)
        assert made.sent == 5_000_000
        assert target.takes_many, "the rest is used as before"
    finally:
        await made.close()


async def test_where_nothing_hashes_it_is_not_used(tmp_path: Path) -> None:
    """All bytes would come back over the line, to be hashed here."""
    need_sshd()
    (tmp_path / "served").mkdir()
    server = RealSshd(tmp_path / "served", internal_only=True)
    made = await make_line(server, make_sample(tmp_path, 1_000_000))
    try:
        assert not (await made.target()).copies_there
    finally:
        await made.close()


async def test_what_is_to_be_read_back_is_not_copied(line: Line) -> None:
    assert not (await line.target(rules=TargetRules(read_back=True))).copies_there


async def test_a_server_that_offers_it_and_fails(tmp_path: Path) -> None:
    """It is asked once."""
    server = await AsyncsshServer(tmp_path, shell=Shell(tmp_path)).start()
    target = SftpTarget(server.access.target_config("t"), TargetIdentity())
    sample = make_sample(tmp_path, 5_000_000)
    item = Shipment(sample.path, NEW, sample.size, sample.sha256, MTIME)
    try:
        await target.open()
        await send(target, sample, OLD)
        assert target.copies_there
        server.faults.write_error = asyncssh.SFTPFailure("Failure")

        delivery = await target.deliver_twin(item, OLD)  # what is sent goes through the shell

        assert delivery == Delivery(NEW, sample.size)
        assert not target.copies_there
        assert (tmp_path / "t" / NEW).read_bytes() == sample.data
        assert list(tmp_path.rglob("*.mp-part")) == []
    finally:
        await target.close()
        await server.close()
