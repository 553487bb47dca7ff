"""Servers that change their key: announced beforehand it asks nobody, else it stops the target."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Callable
from functools import partial
from itertools import pairwise
from pathlib import Path

import asyncssh
import pytest

from custom_components.media_pipeline.engine.errors import HostKeyChanged
from custom_components.media_pipeline.engine.targets.base import TargetIdentity, TargetInfo
from custom_components.media_pipeline.engine.targets.known_keys import KnownKeys, fingerprint
from custom_components.media_pipeline.engine.targets.sftp import SftpTarget
from tests.support.sshd import RealSshd

from .conftest import need_sshd


def new_key(kind: str = "ssh-ed25519") -> asyncssh.SSHKey:
    return asyncssh.generate_private_key(kind)


def line(key: asyncssh.SSHKey) -> str:
    return " ".join(key.export_public_key("openssh").decode().split()[:2])


class Rotating:
    """A server whose keys change, and a target that was confirmed with the first one."""

    def __init__(self, root: Path) -> None:
        self.server = RealSshd(root)
        self.first = new_key()
        self.server.use_host_keys(self.first)
        self.config = self.server.access.target_config("t")
        self.identity = TargetIdentity()
        self.changes = 0

    async def serve(self, *keys: asyncssh.SSHKey) -> None:
        await self.server.stop()
        self.server.use_host_keys(*keys)
        await self.server.start()

    async def visit(
        self, until: Callable[[KnownKeys], bool] = lambda _: True
    ) -> tuple[TargetInfo, KnownKeys]:
        """Connect with what was remembered, stay until the server's announcement was heard."""
        target = SftpTarget(self.config, self.identity)
        changed = asyncio.Event()

        async def note() -> None:
            self.changes += 1
            changed.set()

        keys = target.known_keys
        keys.on_change = note
        try:
            info = await target.open()
            async with asyncio.timeout(30):
                while not until(keys):
                    changed.clear()
                    await changed.wait()
        finally:
            await target.close()
        self.identity = TargetIdentity(info.identity.marker_id, host_keys=keys.text)
        return info, keys


@pytest.fixture
async def rotating(tmp_path: Path) -> AsyncIterator[Rotating]:
    need_sshd()
    (tmp_path / "served").mkdir()
    made = Rotating(tmp_path / "served")
    yield made
    await made.server.close()


@pytest.mark.parametrize("kind", ["ssh-ed25519", "ssh-rsa"])
async def test_an_announced_key_asks_nobody(rotating: Rotating, kind: str) -> None:
    first, second = rotating.first, new_key(kind)
    await rotating.serve(first, second)
    before, keys = await rotating.visit(lambda keys: len(keys.lines) == 2)
    assert keys.lines == (line(first), line(second))

    await rotating.serve(second)
    after, keys = await rotating.visit(lambda keys: len(keys.lines) == 1)

    assert keys.lines == (line(second),), "what it no longer announces is forgotten"
    assert before.domain == first.get_fingerprint()
    assert after.domain == second.get_fingerprint()
    assert after.other_domains == (first.get_fingerprint(),), "the same place under another name"
    await rotating.serve(first)
    with pytest.raises(HostKeyChanged) as caught:
        await rotating.visit()
    assert caught.value.placeholders["expected"] == second.get_fingerprint()
    assert caught.value.placeholders["found"] == first.get_fingerprint()


@pytest.mark.parametrize("kind", ["ssh-ed25519", "ssh-rsa"])
async def test_a_key_never_announced_stops(rotating: Rotating, kind: str) -> None:
    first, second, stranger = rotating.first, new_key(), new_key(kind)
    await rotating.serve(first, second)
    await rotating.visit(lambda keys: len(keys.lines) == 2)
    await rotating.serve(stranger)

    with pytest.raises(HostKeyChanged) as caught:
        await rotating.visit()

    assert caught.value.placeholders["expected"] == first.get_fingerprint()
    assert caught.value.placeholders["found"] == stranger.get_fingerprint()


def _are(lines: tuple[str, ...], known: KnownKeys) -> bool:
    return known.lines == lines


async def test_over_several_changes(rotating: Rotating) -> None:
    keys = [rotating.first, *(new_key() for _ in range(3))]
    for now, soon in pairwise(keys):
        await rotating.serve(now, soon)
        _, known = await rotating.visit(partial(_are, (line(now), line(soon))))

    assert known.lines[0] == line(keys[-2])
    assert rotating.changes == 1 + 2 * 2, "announced; then twice shown, and announced"


async def test_a_withdrawn_announcement_is_forgotten(rotating: Rotating) -> None:
    first, second = rotating.first, new_key()
    await rotating.serve(first, second)
    await rotating.visit(lambda keys: len(keys.lines) == 2)
    await rotating.serve(first)
    await rotating.visit(lambda keys: len(keys.lines) == 1)
    await rotating.serve(second)

    with pytest.raises(HostKeyChanged):
        await rotating.visit()


async def test_nothing_new_is_no_change(rotating: Rotating) -> None:
    await rotating.serve(rotating.first, new_key())
    await rotating.visit(lambda keys: len(keys.lines) == 2)
    await rotating.visit()
    assert rotating.changes == 1


def test_what_was_remembered_for_another_confirmed_key_says_nothing() -> None:
    first, second, third = (line(new_key()) for _ in range(3))
    known = KnownKeys(first)
    known.lines = (first, second)

    assert KnownKeys(f"{first} comment", known.text).lines == (first, second)
    assert KnownKeys(third, known.text).lines == (third,)
    assert KnownKeys(third, known.text).void
    assert not KnownKeys(first, known.text).void
    assert not KnownKeys(first).void
    for nonsense in ("", "{}", "[]", "null", '{"pinned": 1}', f'{{"pinned": "{first}"}}'):
        assert KnownKeys(first, nonsense).lines == (first,)


def test_fingerprint(tmp_path: Path) -> None:
    key = new_key("ssh-rsa")
    assert fingerprint(line(key)) == key.get_fingerprint()
    assert fingerprint("ssh-ed25519 ???") == fingerprint("") == "?"
    path = tmp_path / "key.pub"
    path.write_text(line(key))
    out = subprocess.run(["ssh-keygen", "-lf", path], capture_output=True, check=False)
    if out.returncode == 0:
        assert fingerprint(line(key)) in out.stdout.decode()
