"""What an rclone target does when rclone, its remote or its set-up is not as it should be."""

import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from custom_components.media_pipeline.engine import errors as e
from custom_components.media_pipeline.engine.model import ProofMethod
from custom_components.media_pipeline.engine.targets.base import ProofRequest
from custom_components.media_pipeline.engine.targets.rclone_config import split_remote
from custom_components.media_pipeline.engine.targets.rclone_errors import explain
from custom_components.media_pipeline.engine.targets.rclone_remote import Remote
from custom_components.media_pipeline.engine.targets.registry import probe_target
from tests.support.between import Between
from tests.support.disks import SmallDisk
from tests.support.rclone import PASSWORD, USER, Rclone
from tests.support.sftp_access import free_port

from .conftest import need_rclone
from .place import MTIME, make_sample, send
from .rclone_place import RclonePlace, RcloneServers

PATH = "2024/05/IMG_0001.HEIC"


@pytest.fixture
async def local(rclone_servers: RcloneServers) -> AsyncIterator[RclonePlace]:
    """A folder on rclone's own machine."""
    place = rclone_servers.place("rclone-local")
    yield place
    await place.close()


@pytest.fixture
async def own(tmp_path: Path) -> AsyncIterator[RclonePlace]:
    """A folder behind an rclone of the test's own, not started yet."""
    need_rclone()
    rclone = Rclone(tmp_path)
    (tmp_path / "there").mkdir()
    place = RclonePlace(
        "rclone-local", tmp_path / "there", remote=f"{tmp_path}/there", rclone=rclone
    )
    yield place
    await place.close()
    rclone.close()


async def test_rclone_says_done_and_skipped(local: RclonePlace, tmp_path: Path) -> None:
    """Another file of the same size and time: rclone answers ``{}`` and copies nothing."""
    target, sample = local.target(), make_sample(tmp_path, 4_000)
    await target.open()
    os.utime(sample.path, (MTIME, MTIME))
    local.write(PATH, b"x" * sample.size)
    os.utime(local.root / PATH, (MTIME, MTIME))
    async with aiohttp.ClientSession(auth=aiohttp.BasicAuth(USER, PASSWORD, "utf-8")) as http:
        naive = await http.post(
            f"{local.rclone.url}/operations/copyfile",
            json={
                "srcFs": "/",
                "srcRemote": str(sample.path)[1:],
                "dstFs": "/",
                "dstRemote": str(local.root / PATH)[1:],
            },
        )
        assert await naive.json() == {}
    assert local.read(PATH) == b"x" * sample.size  # so this is what we guard against

    delivery = await send(target, sample, PATH)

    assert delivery.path != PATH
    assert local.read(delivery.path) == sample.data
    assert local.read(PATH) == b"x" * sample.size

    local.write("record.json", b"y" * sample.size)
    os.utime(local.root / "record.json", (MTIME, MTIME))
    assert (await send(target, sample, "record.json", replace=True)).path == "record.json"
    assert local.read("record.json") == sample.data


@pytest.mark.parametrize("command", ["operations/copyfile", "operations/movefile"])
async def test_rclone_lies(local: RclonePlace, tmp_path: Path, command: str) -> None:
    lying = False

    def answer(request: web.Request) -> web.Response | None:
        if lying and request.path == f"/{command}":
            return web.json_response({"jobid": 7, "executeId": "x"})
        if lying and request.path == "/job/status":
            return web.json_response({"finished": True, "success": True, "error": ""})
        return None

    async with Between(local.rclone.url, answer) as between:
        target, sample = local.target(url=between.url), make_sample(tmp_path, 4_000)
        await target.open()
        lying = True

        with pytest.raises((e.CopyMismatch, e.RcloneFailed)):
            await send(target, sample, PATH)

        lying = False
        assert local.files() == set()
        assert (await send(target, sample, PATH)).path == PATH
        await target.close()


async def test_bytes_changed_on_the_way(local: RclonePlace, tmp_path: Path) -> None:
    """The hash of what arrived is compared before anything is published."""
    sample = make_sample(tmp_path, 40_000)

    def damage(request: web.Request) -> None:
        if request.path == "/operations/stat":
            for part in local.root.rglob("*.mp-part"):
                part.write_bytes(b"z" * sample.size)

    async with Between(local.rclone.url, damage) as between:
        target = local.target(url=between.url)
        await target.open()
        with pytest.raises(e.CopyMismatch):
            await send(target, sample, PATH)
        await target.close()

    assert local.files() == set()


async def test_rclone_forgets_the_job(local: RclonePlace, tmp_path: Path) -> None:
    """After a restart it knows no job: what counts is what lies there."""

    def answer(request: web.Request) -> web.Response | None:
        if request.path != "/job/status":
            return None
        time.sleep(0.3)  # the real job ends meanwhile
        return web.json_response({"error": "job not found", "status": 500}, status=500)

    async with Between(local.rclone.url, answer) as between:
        target, sample = local.target(url=between.url), make_sample(tmp_path, 4_000)
        assert (await send(target, sample, PATH)).path == PATH
        await target.close()

    assert local.read(PATH) == sample.data


async def test_rclone_dies_while_sending(own: RclonePlace, tmp_path: Path) -> None:
    own.rclone.start()
    target, sample = own.target(bandwidth=20_000_000), make_sample(tmp_path, 8_000_000)
    await target.open()
    dead = False

    def kill(_: int) -> None:
        nonlocal dead
        if not dead:
            own.rclone.kill()
        dead = True

    with pytest.raises(e.TargetUnreachable):
        await send(target, sample, PATH, on_bytes=kill)
    assert PATH not in own.files()
    own.rclone.start()
    await target.open()

    assert (await send(target, sample, PATH)).path == PATH
    assert own.files() == {PATH}


async def test_wrong_password(local: RclonePlace) -> None:
    with pytest.raises(e.TargetAuthFailed):
        await local.target(password="wrong").open()
    with pytest.raises((e.TargetAuthFailed, e.RcloneNoPassword)):
        await local.target(username=None, password=None).open()


async def test_nobody_listens(local: RclonePlace) -> None:
    with pytest.raises(e.TargetUnreachable):
        await local.target(url=f"http://127.0.0.1:{free_port()}").open()


async def test_something_else_answers(local: RclonePlace) -> None:
    async with Between("http://127.0.0.1", lambda _: web.Response(text="hello")) as other:
        with pytest.raises(e.RcloneMissing):
            await local.target(url=other.url).open()


async def test_without_a_password_only_on_this_machine(own: RclonePlace) -> None:
    own.rclone.password = None
    own.rclone.host = "0.0.0.0"  # as a careless user would
    own.rclone.start()
    own.rclone.password = PASSWORD

    await own.target(username=None, password=None).open()
    with pytest.raises(e.RcloneNoPassword):
        await own.target(url=f"http://127.0.0.2:{own.rclone.port}").open()


async def test_without_serve(own: RclonePlace) -> None:
    own.rclone.serve = False
    own.rclone.start()

    with pytest.raises(e.RcloneNoServe):
        await probe_target(own.config())

    assert own.files() == set()
    assert not own.has_marker


async def test_too_old(local: RclonePlace) -> None:
    def old(request: web.Request) -> web.Response | None:
        if request.path == "/core/version":
            return web.json_response({"version": "v1.53.3", "decomposed": [1, 53, 3]})
        return None

    async with Between(local.rclone.url, old) as between:
        with pytest.raises(e.RcloneTooOld):
            await local.target(url=between.url).open()


async def test_remotes_that_do_not_work(own: RclonePlace) -> None:
    (own.root / "webdav").mkdir()
    rclone = own.rclone
    good = rclone.serve_webdav(own.root / "webdav")
    dav = {"type": "webdav", "vendor": "other", "user": USER}
    rclone.remote("dead", url=f"http://127.0.0.1:{free_port()}", **dav)
    rclone.remote(
        "refused", url=f"http://127.0.0.1:{good}", **dav, **{"pass": rclone.obscure("wrong")}
    )
    rclone.remote("photos", type="google photos")
    rclone.start()

    for remote, error in {
        "never:x": e.RcloneRemoteUnknown,
        "dead:x": e.TargetUnreachable,
        "refused:x": e.RcloneRemoteRefused,
        "photos:album/x": e.RcloneUnsuitable,
    }.items():
        started = time.monotonic()
        with pytest.raises(error):
            await own.target(remote=remote).open()
        assert time.monotonic() - started < 8  # rclone's own patience would be 11 s and more


async def test_full_disk(own: RclonePlace, small_disk: SmallDisk, tmp_path: Path) -> None:
    own.rclone.start()
    folder = small_disk.path / "target"
    target, sample = own.target(remote=str(folder)), make_sample(tmp_path, 15_000_000)
    info = await target.open()
    assert info.free_bytes is not None
    assert info.free_bytes < 21_000_000

    with pytest.raises(e.TargetFull):  # noticed before anything is written
        await send(own.target(remote=str(folder), reserve_bytes=10_000_000), sample, PATH)
    (small_disk.path / "filler").write_bytes(bytes(12_000_000))
    with pytest.raises(e.TargetFull):  # noticed by the write that fails
        await send(target, sample, PATH)

    assert own.files(folder) == set()


async def test_a_hash_that_needs_our_file(rclone_servers: RcloneServers, tmp_path: Path) -> None:
    """SFTP's side knows no SHA-256 to rclone: another hash counts together with our own file."""
    place = rclone_servers.place("rclone-sftp-shell")
    target, sample = place.target(), make_sample(tmp_path, 70_000)
    other = make_sample(tmp_path, 70_000, seed=2)
    await target.open()
    await send(target, sample, PATH)

    [with_it] = await target.prove([ProofRequest(PATH, sample.size, sample.path)])
    [without] = await target.prove([ProofRequest(PATH, sample.size)])
    [wrong] = await target.prove([ProofRequest(PATH, sample.size, other.path)])

    assert (with_it.sha256, with_it.method) == (sample.sha256, ProofMethod.REMOTE_HASH)
    assert (without.sha256, without.method) == (sample.sha256, ProofMethod.READ_BACK)
    assert (wrong.sha256, wrong.method) == (sample.sha256, ProofMethod.READ_BACK)
    await place.close()


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("googleapi: Error 403: User rate limit exceeded, userRateLimitExceeded", e.ThrottledError),
        ("googleapi: Error 403: The user's Drive storage quota has been exceeded", e.TargetFull),
        ("write /mnt/x: no space left on device", e.TargetFull),
        ("507 Insufficient Storage", e.TargetFull),
        ("path/insufficient_space/", e.TargetFull),
        ("couldn't fetch token: invalid_grant: maybe token expired?", e.RcloneRemoteRefused),
        ("dial tcp 10.0.0.1:443: i/o timeout", e.TargetUnreachable),
        ("open /mnt/x/a: read-only file system", e.TargetReadOnly),
        ("open /x/y: file name too long", e.NameRefused),
        ("object not found", e.FileVanished),
        ("something new", e.RcloneFailed),
    ],
)
def test_texts(text: str, error: type[e.PipelineError]) -> None:
    assert type(explain(text, "a")) is error


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("gdrive:photos/all/", ("gdrive:", "photos/all")),
        ("nas:/volume1/photos", ("nas:/", "volume1/photos")),
        ("my drive-2:", ("my drive-2:", "")),
        ("/mnt/photos", ("/", "mnt/photos")),
        (":sftp,host=x,pass=secret:photos", None),
        ("photos", None),
        ("", None),
    ],
)
def test_remotes(text: str, parts: tuple[str, str] | None) -> None:
    if parts is None:
        with pytest.raises(e.RcloneRemoteUnknown):
            split_remote(text)
    else:
        assert split_remote(text) == parts


@pytest.mark.parametrize(
    ("kind", "options", "domain", "hashes"),
    [
        ("drive", {"team_drive": "x"}, "cloud:drive", None),
        ("local", {}, "rclone-machine:nas", "sha256"),
        ("sftp", {"host": "NAS.lan"}, "host:nas.lan", "sha1"),
        ("webdav", {"url": "https://cloud.example/dav"}, "host:cloud.example", None),
        ("s3", {"endpoint": "s3.example.com"}, "host:s3.example.com", None),
        ("combine", {}, "rclone:combine:x", None),
    ],
)
def test_what_a_remote_is(
    kind: str, options: dict[str, Any], domain: str, hashes: str | None
) -> None:
    """Two remotes at one service fail together, whatever they are called."""
    remote = Remote(kind, kind, options, "x")
    everything = ["md5", "sha1", "quickxor", "dropbox", *(["sha256"] if kind != "sftp" else [])]

    assert remote.domain("nas") == domain
    assert remote.hash_name(everything) == hashes
