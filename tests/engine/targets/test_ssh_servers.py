"""Servers other than a plain OpenSSH: dropbear, jails, dialogs instead of passwords."""

import asyncio
import inspect
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import pytest
from asyncssh.sftp import start_sftp_client

from custom_components.media_pipeline.engine.errors import NoSftpService, TargetAuthFailed
from custom_components.media_pipeline.engine.model import ProofMethod
from custom_components.media_pipeline.engine.targets import ssh_connect
from custom_components.media_pipeline.engine.targets.base import (
    Delivery,
    ProofRequest,
    TargetIdentity,
)
from custom_components.media_pipeline.engine.targets.known_keys import KnownKeys
from custom_components.media_pipeline.engine.targets.registry import probe_target
from custom_components.media_pipeline.engine.targets.sftp import SftpTarget
from tests.support.asyncssh_server import AsyncsshServer
from tests.support.dropbear import Dropbear, dropbear_runs
from tests.support.sshd import RealSshd

from .conftest import need_sshd
from .place import MTIME, make_sample
from .test_sftp_many import shipments

PATH = "2024/05/IMG_0001.MOV"


async def test_dropbear(tmp_path: Path) -> None:
    """The small server, with OpenSSH's sftp-server: everything works, also in one stream."""
    if not dropbear_runs():
        pytest.skip("dropbear is not installed (scripts/setup --all), or this is not root")
    server = await Dropbear(tmp_path / "served").start()
    target = SftpTarget(server.access.target_config(), TargetIdentity())
    big, small = make_sample(tmp_path, 9_000_000), shipments(tmp_path)
    try:
        info = await target.open()
        delivery = await target.deliver(
            big.path, PATH, size=big.size, sha256=big.sha256, mtime=MTIME
        )
        results = await target.deliver_many(small)
        [proof] = await target.prove([ProofRequest(PATH, big.size)])

        assert info.remote_hash
        assert delivery.path == PATH
        assert results == [Delivery(item.path, item.size) for item in small]
        assert (proof.sha256, proof.method) == (big.sha256, ProofMethod.REMOTE_HASH)
    finally:
        await target.close()
        await server.close()


async def test_dropbear_without_sftp(tmp_path: Path) -> None:
    if not dropbear_runs():
        pytest.skip("dropbear is not installed (scripts/setup --all), or this is not root")
    server = await Dropbear(tmp_path / "served", sftp=False).start()
    try:
        with pytest.raises(NoSftpService):
            await probe_target(server.access.target_config())
    finally:
        await server.close()


@pytest.fixture
def jail() -> Iterator[Path]:
    """A folder that nobody but root can change, all the way up, as sshd wants it."""
    if os.geteuid() != 0 or not Path("/run").is_dir():
        pytest.skip("a jail takes root")
    made = Path(tempfile.mkdtemp(prefix="mp-jail-", dir="/run"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


async def test_jail_without_a_shell(jail: Path, tmp_path: Path) -> None:
    """Chrooted internal-sftp, as on many a NAS."""
    need_sshd()
    server = await RealSshd(jail, internal_only=True, jail=True).start()
    config = server.access.target_config(path="/photos")
    target, sample = SftpTarget(config, TargetIdentity()), make_sample(tmp_path, 9_000_000)
    try:
        info = await target.open()
        await target.deliver(sample.path, PATH, size=sample.size, sha256=sample.sha256, mtime=MTIME)
        [proof] = await target.prove([ProofRequest(PATH, sample.size)])

        assert not info.remote_hash
        assert info.free_bytes
        assert (proof.sha256, proof.method) == (sample.sha256, ProofMethod.READ_BACK)
        assert (jail / "photos" / PATH).read_bytes() == sample.data
    finally:
        await target.close()
        await server.close()


@pytest.mark.parametrize("question", ["Password: ", "Passwort für phone: ", "パスワード"])
async def test_password_in_a_dialog(tmp_path: Path, question: str) -> None:
    server = await AsyncsshServer(tmp_path, dialog=[(question, False)]).start()
    config = server.access.target_config("t")
    try:
        assert (await probe_target(config)).identity.marker_id
        with pytest.raises(TargetAuthFailed):
            await probe_target(server.access.target_config("t", password="wrong"))
    finally:
        await server.close()


@pytest.mark.parametrize(
    "dialog", [[("Your name?", True)], [("Password: ", False), ("One-time code: ", False)]]
)
async def test_dialogs_that_ask_for_something_else(
    tmp_path: Path, dialog: list[tuple[str, bool]]
) -> None:
    """The password is not given away as the answer to another question."""
    server = await AsyncsshServer(tmp_path, dialog=dialog).start()
    try:
        with pytest.raises(TargetAuthFailed):
            await probe_target(server.access.target_config("t"))
    finally:
        await server.close()


@pytest.mark.parametrize("aes", [True, False])
async def test_cipher_by_processor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, aes: bool
) -> None:
    need_sshd()
    monkeypatch.setattr(ssh_connect, "_has_aes", lambda: aes)
    server = await RealSshd(tmp_path).start()
    config = server.access.target_config()
    conn = await ssh_connect.connect(config, KnownKeys(config.host_key))
    try:
        cipher = conn.get_extra_info("send_cipher")
        assert cipher == ("aes128-gcm@openssh.com" if aes else "chacha20-poly1305@openssh.com")
    finally:
        conn.close()
        await server.close()


async def test_no_filler_packets(tmp_path: Path) -> None:
    """One packet per question; asyncssh by itself sends an empty one before each."""
    need_sshd()
    server = await RealSshd(tmp_path).start()
    target = SftpTarget(server.access.target_config("t"), TargetIdentity())
    try:
        await target.open()
        session = await target._link.session()
        before = session.conn._send_seq
        for _ in range(20):
            await session.look("")
        assert session.conn._send_seq - before == 20
    finally:
        await target.close()
        await server.close()


async def test_what_is_written_in_one_turn_goes_out_at_once(tmp_path: Path) -> None:
    """And what was written before the connection is given up still goes out."""
    heard = bytearray()
    ended = asyncio.Event()

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.extend(await reader.read())
        writer.close()
        ended.set()

    listener = await asyncio.start_server(hear, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    line, _ = await ssh_connect.Line().create_connection(asyncio.Protocol, "127.0.0.1", port)
    for word in (b"one ", b"two ", b"three"):
        line.write(word)
    assert not heard
    line.close()
    await ended.wait()
    listener.close()

    assert heard == b"one two three"


def test_what_we_use_of_the_library_is_there() -> None:
    """Things of asyncssh that its documentation does not promise."""
    names = list(inspect.signature(start_sftp_client).parameters)
    assert names[:2] == ["conn", "loop"]
    assert {"reader", "writer"} <= set(names)
    assert "tunnel" in inspect.signature(asyncssh.connect).parameters


async def test_a_wide_window(tmp_path: Path) -> None:
    """The SFTP channel lets the server send 8 MiB ahead; the library's own 2 MiB cap reading."""
    need_sshd()
    server = await RealSshd(tmp_path).start()
    target = SftpTarget(server.access.target_config("t"), TargetIdentity())
    try:
        await target.open()
        session = await target._link.session()
        writer = session.sftp._handler._writer
        assert writer is not None
        channel = writer.channel
        assert channel._init_recv_window == 8 << 20
    finally:
        await target.close()
        await server.close()
