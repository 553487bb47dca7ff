"""SFTP servers that refuse, break, lie or lack things."""

import asyncio
import os
import signal
from pathlib import Path

import asyncssh
import pytest

from custom_components.media_pipeline.engine.config import SftpTargetConfig
from custom_components.media_pipeline.engine.errors import (
    HostKeyChanged,
    InvalidKey,
    KeyLocked,
    NoSftpService,
    TargetAuthFailed,
    TargetFull,
    TargetPathMissing,
    TargetReadOnly,
    TargetUnavailableError,
    TargetUnreachable,
)
from custom_components.media_pipeline.engine.model import ProofMethod
from custom_components.media_pipeline.engine.targets import ssh_connect
from custom_components.media_pipeline.engine.targets.base import ProofRequest, TargetIdentity
from custom_components.media_pipeline.engine.targets.registry import make_target, probe_target
from custom_components.media_pipeline.engine.targets.sftp import SftpTarget
from tests.support.asyncssh_server import AsyncsshServer, Faults, Shell
from tests.support.sshd import RealSshd, _descendants

from .conftest import end_place, need_sshd
from .place import Place, make_sample, send

PATH = "2024/05/IMG_0001.HEIC"


@pytest.mark.parametrize("key_type", ["ssh-ed25519", "ssh-rsa"])
async def test_changed_host_key(remote: Place, key_type: str) -> None:
    info = await remote.target().open()
    config = remote.config()
    assert remote.server is not None
    await remote.server.stop()
    remote.server.new_host_key(key_type)
    await remote.server.start()

    with pytest.raises(HostKeyChanged) as caught:
        await make_target(config, info.identity).open()

    assert caught.value.placeholders["expected"] == info.domain
    assert caught.value.placeholders["found"].startswith("SHA256:")
    assert caught.value.placeholders["found"] != info.domain


async def test_unreadable_pinned_key(lenient: Place) -> None:
    with pytest.raises(HostKeyChanged):
        await lenient.target(host_key="ssh-ed25519 nonsense").open()


async def test_wrong_login(remote: Place) -> None:
    stranger = asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()

    with pytest.raises(TargetAuthFailed):
        await remote.target(private_key=stranger, password=None).open()
    with pytest.raises(TargetAuthFailed):
        await remote.target(private_key=None, password="wrong").open()


async def test_encrypted_key(tmp_path: Path) -> None:
    need_sshd()
    place = Place("openssh", tmp_path / "t", await RealSshd(tmp_path).start())
    plain = place.config()
    assert isinstance(plain, SftpTargetConfig)
    key = asyncssh.import_private_key(plain.private_key or "")
    locked = key.export_private_key(
        passphrase="open sesame", rounds=8, ignore_few_rounds=True
    ).decode()
    try:
        with pytest.raises(KeyLocked):
            await place.target(private_key=locked).open()
        with pytest.raises(KeyLocked):
            await place.target(private_key=locked, passphrase="wrong").open()
        with pytest.raises(InvalidKey):
            await place.target(private_key="not a key").open()
        assert (await place.target(private_key=locked, passphrase="open sesame").open()).identity
    finally:
        await end_place(place)


async def test_nobody_listens(remote: Place) -> None:
    target = remote.target()
    assert remote.server is not None
    await remote.server.stop()

    with pytest.raises(TargetUnreachable):
        await target.open()


async def test_no_sftp_service(tmp_path: Path) -> None:
    server = await AsyncsshServer(tmp_path, sftp=False).start()

    with pytest.raises(NoSftpService):
        await probe_target(server.access.target_config())

    await server.close()


async def test_folder_that_cannot_be_made(remote: Place) -> None:
    (remote.root / "file").write_text("x")

    path = f"{remote.server.access.path}/target/file/below/it" if remote.server else ""
    with pytest.raises(TargetPathMissing):
        await probe_target(remote.config(path=path))

    assert remote.files() == {"file"}


async def test_killed_in_the_middle(remote: Place, tmp_path: Path) -> None:
    target, sample = remote.target(), make_sample(tmp_path, 30_000_000)
    await target.open()
    server = remote.server
    assert server is not None
    sent = 0
    killed = False

    def count(size: int) -> None:
        nonlocal sent, killed
        sent += size
        if sent > 5_000_000 and not killed:
            killed = True
            assert server.kill_sessions()

    with pytest.raises(TargetUnreachable):
        await send(target, sample, PATH, on_bytes=count)
    assert PATH not in remote.files()

    delivery = await send(target, sample, PATH)  # the next call connects anew
    [proof] = await target.prove([ProofRequest(PATH, sample.size)])

    assert delivery.path == PATH
    assert proof.sha256 == sample.sha256
    assert remote.files() == {PATH}  # the part file of the broken connection was removed


async def test_server_away_and_back(remote: Place, tmp_path: Path) -> None:
    target, sample = remote.target(), make_sample(tmp_path, 1000)
    await target.open()
    assert remote.server is not None
    await remote.server.stop()

    for _ in range(2):
        with pytest.raises(TargetUnreachable):
            await send(target, sample, PATH)
    many = [send(target, sample, f"{n}.jpg") for n in range(20)]
    answers = await asyncio.gather(*many, return_exceptions=True)
    assert {type(answer) for answer in answers} == {TargetUnreachable}
    await remote.server.start()
    await target.open()  # does not wait for the memory of the failure

    assert (await send(target, sample, PATH)).path == PATH


async def test_frozen_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need_sshd()
    noticed_after = ssh_connect._KEEPALIVE_SECONDS * (ssh_connect._KEEPALIVE_COUNT + 1)
    assert noticed_after < 60, "within a minute; shortened here"
    monkeypatch.setattr(ssh_connect, "_KEEPALIVE_SECONDS", 0.3)
    server = await RealSshd(tmp_path / "served").start()
    place = Place("openssh", tmp_path / "served" / "t", server)
    target, sample = place.target(), make_sample(tmp_path, 30_000_000)
    await target.open()
    assert server._process is not None
    sessions: list[int] = []

    def freeze(_: int) -> None:
        if not sessions:
            sessions.extend(_descendants(server._process.pid))  # type: ignore[union-attr]
            for pid in sessions:
                os.kill(pid, signal.SIGSTOP)

    with pytest.raises(TargetUnreachable):
        async with asyncio.timeout(10):
            await send(target, sample, PATH, on_bytes=freeze)

    await end_place(place)


@pytest.mark.parametrize(
    "faults",
    [
        Faults(no_fsync=True),
        Faults(no_statvfs=True),
        Faults(no_setstat=True),
        Faults(no_posix_rename=True),
        Faults(rename_overwrites=True),
        Faults(no_fsync=True, no_statvfs=True, no_setstat=True, no_posix_rename=True),
    ],
    ids=str,
)
async def test_lacking_servers(lenient: Place, tmp_path: Path, faults: Faults) -> None:
    assert isinstance(lenient.server, AsyncsshServer)
    _set(lenient.server.faults, faults)
    target = lenient.target(reserve_bytes=1)
    old, new = make_sample(tmp_path, 5_000, seed=1), make_sample(tmp_path, 400_000, seed=2)
    info = await target.open()
    (lenient.root / "foreign.jpg").write_text("foreign")

    await send(target, old, "record.json")
    await send(target, new, "record.json", replace=True)
    tagged = await send(target, new, "foreign.jpg")
    proofs = await target.prove([ProofRequest(p, 0) for p in ("record.json", tagged.path)])

    assert (info.free_bytes is None) == faults.no_statvfs
    assert [proof.sha256 for proof in proofs] == [new.sha256] * 2
    assert (lenient.root / "foreign.jpg").read_text() == "foreign"
    assert lenient.files() == {"record.json", "foreign.jpg", tagged.path}


def _set(faults: Faults, like: Faults) -> None:
    for name in Faults.__slots__:
        setattr(faults, name, getattr(like, name))


async def test_server_that_loses_the_end(lenient: Place, tmp_path: Path) -> None:
    target, sample = lenient.target(), make_sample(tmp_path, 1_000_001)
    await target.open()
    assert isinstance(lenient.server, AsyncsshServer)
    lenient.server.faults.loses_last_block = True

    await send(target, sample, PATH)  # the server said OK to everything
    [proof] = await target.prove([ProofRequest(PATH, sample.size)])
    assert proof.sha256 != sample.sha256
    assert proof.size != sample.size

    lenient.server.faults.loses_last_block = False
    await send(target, sample, PATH, replace=True)
    [proof] = await target.prove([ProofRequest(PATH, sample.size)])
    assert proof.sha256 == sample.sha256


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (asyncssh.SFTPFailure("Failure"), TargetFull),  # with space left: a quota
        (asyncssh.SFTPPermissionDenied("no"), TargetReadOnly),
        (asyncssh.SFTPNoSpaceOnFilesystem("full"), TargetFull),
    ],
)
async def test_refused_writes(
    lenient: Place, tmp_path: Path, error: asyncssh.SFTPError, expected: type[Exception]
) -> None:
    target, sample = lenient.target(), make_sample(tmp_path, 100_000)
    info = await target.open()
    assert isinstance(lenient.server, AsyncsshServer)
    lenient.server.faults.write_error = error

    with pytest.raises(expected):
        await send(target, sample, PATH)
    with pytest.raises(expected):  # a folder never used before is tried out and left unmarked
        await probe_target(lenient.config(host=info and "127.0.0.1"))

    assert lenient.files() == set()


async def test_failed_first_use_leaves_no_marker(lenient: Place) -> None:
    lenient.root.rmdir()
    assert isinstance(lenient.server, AsyncsshServer)
    lenient.server.faults.write_error = asyncssh.SFTPFailure("Failure")

    with pytest.raises(TargetUnavailableError):
        await probe_target(lenient.config())

    assert not lenient.root.exists()


async def test_unreadable_file_is_no_copy(lenient: Place, tmp_path: Path) -> None:
    target, sample = lenient.target(), make_sample(tmp_path, 100_000)
    await target.open()
    await send(target, sample, PATH)
    assert isinstance(lenient.server, AsyncsshServer)
    lenient.server.faults.read_error = asyncssh.SFTPFailure("I/O error")

    with pytest.raises(TargetUnavailableError):  # nothing there can be read, the marker neither
        await target.prove([ProofRequest(PATH, sample.size)])


@pytest.mark.parametrize("greeting", [b"", b"Welcome to the NAS!\n\xff\n"])
async def test_shell_that_sees_other_paths(tmp_path: Path, greeting: bytes) -> None:
    """SFTP shows ``/it's/target``, the shell ``$HOME/it's/target``, as on some NAS systems."""
    served = tmp_path / "served"
    served.mkdir()
    server = await AsyncsshServer(served, shell=Shell(served, greeting)).start()
    place = Place("asyncssh", served / "it's" / "target", server)
    target, sample = place.target(), make_sample(tmp_path, 100_000)

    info = await target.open()
    await send(target, sample, "a 'b' $c.jpg")
    [proof] = await target.prove([ProofRequest("a 'b' $c.jpg", sample.size)])

    assert info.remote_hash
    assert proof.method is ProofMethod.REMOTE_HASH
    assert proof.sha256 == sample.sha256
    await end_place(place)


@pytest.mark.parametrize("answers", [True, False])
async def test_shell_of_another_place(tmp_path: Path, answers: bool) -> None:
    """A shell that does not see the files, or says nothing, is not used."""
    shell = Shell(tmp_path / "elsewhere", answers=answers)
    server = await AsyncsshServer(tmp_path, shell=shell).start()
    target = SftpTarget(server.access.target_config("t"), TargetIdentity())

    assert not (await target.open()).remote_hash

    await target.close()
    await server.close()


async def test_shell_that_goes_away(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    server = await AsyncsshServer(tmp_path, shell=shell).start()
    target, sample = (
        SftpTarget(server.access.target_config("t"), TargetIdentity()),
        make_sample(tmp_path, 300_000),
    )
    assert (await target.open()).remote_hash
    await send(target, sample, PATH)
    shell.answers = False

    [proof] = await target.prove([ProofRequest(PATH, sample.size)])

    assert (proof.sha256, proof.method) == (sample.sha256, ProofMethod.READ_BACK)
    await target.close()
    await server.close()


async def test_cancelled_while_connecting(remote: Place) -> None:
    for delay in (0.0, 0.01, 0.05, 0.1):
        target = remote.target()
        task = asyncio.create_task(target.open())
        await asyncio.sleep(delay)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await target.close()

    target = remote.target()
    assert (await target.open()).identity.marker_id
