"""Packets that we seal ourselves, at a real server: one wrong bit ends the connection."""

import hashlib
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from custom_components.media_pipeline.engine.targets import ssh_connect, ssh_packets
from custom_components.media_pipeline.engine.targets.known_keys import KnownKeys
from tests.support.sshd import RealSshd

from .conftest import need_sshd
from .place import Place

SIZES = (1, 31, 32_768, 32_769, 700_001, 5_000_000)


@asynccontextmanager
async def connection(root: Path, **server: Any) -> AsyncIterator[asyncssh.SSHClientConnection]:
    need_sshd()
    root.mkdir()
    real = RealSshd(root, **server)
    place = Place("openssh", root, await real.start())
    config: Any = place.config()
    conn = await ssh_connect.connect(config, KnownKeys(config.host_key))
    try:
        yield conn
    finally:
        conn.abort()
        await real.close()


async def echoed(conn: asyncssh.SSHClientConnection, size: int) -> None:
    """The server hashes what it got, in pieces of all sizes."""
    data = random.Random(size).randbytes(size)
    process = await conn.create_process("sha256sum", encoding=None)
    at = 0
    while at < size:
        piece = data[at : at + random.Random(at).randrange(1, 200_000)]
        process.stdin.write(piece)
        await process.stdin.drain()
        at += len(piece)
    process.stdin.write_eof()
    done = await process.wait()
    assert isinstance(done.stdout, bytes)
    assert done.stdout.split()[0].decode() == hashlib.sha256(data).hexdigest()


@pytest.fixture
def sealed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes of the packets that went our way."""
    sizes: list[int] = []
    own = ssh_packets._Light._send_data

    def counted(light: ssh_packets._Light, args: tuple[bytes, ...]) -> None:
        sizes.append(sum(map(len, args)))
        own(light, args)

    monkeypatch.setattr(ssh_packets._Light, "_send_data", counted)
    monkeypatch.setattr(ssh_connect, "_has_aes", lambda: True)
    return sizes


async def test_every_size_arrives(tmp_path: Path, sealed: list[int]) -> None:
    async with connection(tmp_path / "served") as conn:
        for size in SIZES:
            await echoed(conn, size)
    assert sum(sealed) >= sum(SIZES)


async def test_new_keys_that_the_server_wants(tmp_path: Path, sealed: list[int]) -> None:
    async with connection(tmp_path / "served", new_keys_every="1M") as conn:
        before = conn._send_encryption
        await echoed(conn, 9_000_000)
        assert conn._send_encryption is not before
    assert sealed


async def test_new_keys_that_we_want(tmp_path: Path, sealed: list[int]) -> None:
    async with connection(tmp_path / "served") as conn:
        conn._rekey_bytes = 1_000_000
        before = conn._send_encryption
        await echoed(conn, 9_000_000)
        assert conn._send_encryption is not before
        assert conn._rekey_bytes_sent < 2_000_000
    assert sealed


async def test_a_library_that_looks_otherwise_is_left_alone(
    tmp_path: Path, sealed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh_packets, "_NEEDED", ("_what_nobody_has",))
    async with connection(tmp_path / "served") as conn:
        await echoed(conn, 700_001)
    assert not sealed
