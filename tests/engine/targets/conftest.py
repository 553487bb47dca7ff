"""The places that every target must work in."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_socket

from tests.support.asyncssh_server import AsyncsshServer
from tests.support.disks import SmallDisk
from tests.support.object_stores.moto_server import moto_port
from tests.support.rclone import Rclone
from tests.support.relay import Relay
from tests.support.sshd import RealSshd, find_sshd
from tests.support.wsgidav_server import WsgidavServer

from .place import Place
from .rclone_place import RCLONE_KINDS, RcloneServers, need_rclone
from .store_place import STORE_KINDS, store_place
from .webdav_place import WEBDAV_KINDS, WebdavServers

FOLDER_KINDS = ("folder", "openssh", "openssh-sftp-only", "asyncssh")
"""Those whose files can be touched in a folder of this machine."""
KINDS = (*FOLDER_KINDS, *STORE_KINDS, *RCLONE_KINDS, *WEBDAV_KINDS)


@pytest.fixture(autouse=True)
def real_connections() -> None:
    """Allow real connections also where Home Assistant's test plugin forbids them."""
    pytest_socket.enable_socket()


def need_sshd() -> None:
    if find_sshd() is None:
        if os.environ.get("CI"):
            pytest.fail("sshd must be installed where CI runs: scripts/setup --all")
        pytest.skip("sshd is not installed: scripts/setup --all")


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RealSshd]:
    """A real OpenSSH server of its own."""
    need_sshd()
    (tmp_path / "served").mkdir()
    made = await RealSshd(tmp_path / "served").start()
    yield made
    await made.close()


async def make_place(kind: str, root: Path) -> Place:
    root.mkdir(parents=True, exist_ok=True)
    if kind == "folder":
        return Place(kind, root)
    if kind in STORE_KINDS:
        return store_place(kind, root)
    if kind == "asyncssh":
        return Place(kind, root, await AsyncsshServer(root.parent).start())
    need_sshd()
    server = RealSshd(root.parent, internal_only=kind == "openssh-sftp-only")
    return Place(kind, root, await server.start())


async def end_place(place: Place) -> None:
    await place.close()
    if place.server is not None:
        await place.server.close()


@pytest.fixture(scope="session")
def rclone_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RcloneServers]:
    """One rclone with remotes of several kinds, for all tests."""
    pytest_socket.enable_socket()
    need_rclone()
    servers = RcloneServers(
        tmp_path_factory.mktemp("rc"), Rclone(tmp_path_factory.mktemp("rclone"))
    )
    try:
        servers.start()
        yield servers
    finally:
        servers.close()


@pytest.fixture(scope="session")
def webdav_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebdavServers]:
    """Two WebDAV servers for all tests."""
    pytest_socket.enable_socket()
    base, work = tmp_path_factory.mktemp("dav"), tmp_path_factory.mktemp("davwork")
    for name in ("rclone", "wsgidav"):
        (base / name).mkdir()
    servers = WebdavServers(base, Rclone(work), WsgidavServer(base / "wsgidav", work).start())
    yield servers
    servers.close()


@pytest.fixture(params=KINDS)
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    """An empty folder, reached in each of the ways."""
    made: Place
    if request.param in WEBDAV_KINDS:
        if request.param == "webdav-rclone":
            need_rclone()
        made = request.getfixturevalue("webdav_servers").place(request.param)
    elif request.param in RCLONE_KINDS:
        made = request.getfixturevalue("rclone_servers").place(request.param)
    else:
        made = await make_place(request.param, tmp_path / "served" / "target")
    yield made
    await end_place(made)


@pytest.fixture(params=FOLDER_KINDS)
async def folders(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    """An empty folder, reached in each of the ways; for tests that move the folder itself."""
    made = await make_place(request.param, tmp_path / "served" / "target")
    yield made
    await end_place(made)


@pytest.fixture(params=[kind for kind in FOLDER_KINDS if kind != "folder"])
async def remote(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    """An empty folder on each kind of SFTP server."""
    made = await make_place(request.param, tmp_path / "served" / "target")
    yield made
    await end_place(made)


@pytest.fixture
async def lenient(tmp_path: Path) -> AsyncIterator[Place]:
    """An asyncssh server, whose faults a test sets."""
    made = await make_place("asyncssh", tmp_path / "served" / "target")
    yield made
    await end_place(made)


@pytest.fixture
async def folder(tmp_path: Path) -> AsyncIterator[Place]:
    """A plain folder."""
    made = await make_place("folder", tmp_path / "target")
    yield made
    await end_place(made)


@pytest.fixture
async def relay() -> AsyncIterator[Relay]:
    """The line to moto's S3, which a test can harm."""
    async with Relay(moto_port()) as running:
        yield running


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A real file system of 20 MB."""
    disk = SmallDisk(tmp_path / "served" / "disk")
    if not disk.mount():
        pytest.skip("mounting a tmpfs is not permitted")
    yield disk
    disk.unmount()
