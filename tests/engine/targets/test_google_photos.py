"""Google Photos behind a real rclone: what is handed over, what is refused, what can be seen.

Google itself is a double of its API (see ``tests/support/google_photos.py``).
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
import pytest_socket
from aiohttp import web

from custom_components.media_pipeline.engine import errors as e
from custom_components.media_pipeline.engine.targets.base import (
    Delivery,
    ProofRequest,
    TargetIdentity,
)
from custom_components.media_pipeline.engine.targets.google_photos import (
    GooglePhotosTarget,
    GooglePhotosTargetConfig,
)
from custom_components.media_pipeline.engine.targets.rclone_config import RcloneTargetConfig
from custom_components.media_pipeline.engine.targets.registry import probe_target
from custom_components.media_pipeline.engine.targets.trial import try_out
from tests.support.between import Between
from tests.support.google_photos import GooglePhotos
from tests.support.rclone import PASSWORD, USER, Rclone

from .conftest import need_rclone
from .place import Sample, make_sample, send

type Make = Callable[..., GooglePhotosTarget]


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GooglePhotos]:
    pytest_socket.enable_socket()
    need_rclone()
    google = GooglePhotos(tmp_path_factory.mktemp("google")).start()
    yield google
    google.close()


@pytest.fixture(scope="module")
def rclone(account: GooglePhotos, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rclone]:
    rclone = Rclone(tmp_path_factory.mktemp("rclone"), environment=account.environment)
    rclone.remote("gphotos", **account.options)
    rclone.remote("holiday", type="alias", remote="gphotos:album/Holiday")
    rclone.remote("crypted", type="crypt", remote="gphotos:album/x", password=rclone.obscure("x"))
    rclone.remote("reader", **account.options, read_only="true")
    rclone.remote("batches", **account.options | {"batch_mode": "sync", "batch_timeout": "500ms"})
    rclone.remote("careless", **account.options | {"batch_mode": "async"})
    rclone.remote("union", type="union", upstreams="gphotos:album/x gphotos:album/y")
    rclone.remote("combined", type="combine", upstreams="x=gphotos:album/x")
    rclone.start()
    yield rclone
    rclone.close()


@pytest.fixture
def google(account: GooglePhotos) -> GooglePhotos:
    """An account without photos and troubles; albums stay, because rclone remembers them."""
    account.items.clear()
    account.calls.clear()
    account.hides = account.full = False
    account.refuses = None
    return account


def config(rclone: Rclone, remote: str = "gphotos:", **changes: Any) -> GooglePhotosTargetConfig:
    values = {"url": rclone.url, "username": USER, "password": PASSWORD, "remote": remote}
    return GooglePhotosTargetConfig(target_id="google", name="Google", **(values | changes))


@pytest.fixture
async def make(google: GooglePhotos, rclone: Rclone) -> AsyncIterator[Make]:
    """Makes targets and closes them."""
    made: list[GooglePhotosTarget] = []

    def make(remote: str = "gphotos:", **changes: Any) -> GooglePhotosTarget:
        made.append(GooglePhotosTarget(config(rclone, remote, **changes), TargetIdentity()))
        return made[-1]

    yield make
    for target in made:
        await target.close()


def make_photo(folder: Path, size: int = 5_000, seed: int = 1) -> Sample:
    """Bytes that begin as a JPEG does."""
    sample = make_sample(folder, size, seed)
    sample.path.write_bytes(b"\xff\xd8" + sample.data)
    return made_of(sample.path)


def made_of(path: Path) -> Sample:
    data = path.read_bytes()
    return Sample(path, len(data), hashlib.sha256(data).hexdigest())


def blind(request: web.Request) -> web.Response | None:
    """An rclone on another machine: it does not have our files under their paths."""
    return web.json_response({"item": None}) if request.path == "/operations/stat" else None


@pytest.mark.parametrize("seen", [True, False])
async def test_photos_are_handed_over_under_their_names(
    google: GooglePhotos, rclone: Rclone, tmp_path: Path, seen: bool
) -> None:
    """Whether rclone sees the archive or not; no album is listed for it."""
    photo, path = make_photo(tmp_path), 'Zoë "1" 日本.jpg'
    async with Between(rclone.url, (lambda _: None) if seen else blind) as between:
        target = GooglePhotosTarget(config(rclone, url=between.url), TargetIdentity())
        info = await target.open()
        assert (info.identity, info.remote_hash) == (TargetIdentity(), False)
        google.calls.clear()

        delivery = await send(target, photo, f"2024/05/{path}")

        assert delivery.path == f"upload/{path}"
        assert [(item.filename, item.data) for item in google.items] == [(path, photo.data)]
        assert google.calls == ["POST /uploads", "POST /mediaItems:batchCreate"]
        assert await target.listed() == {path: 1}
        await target.close()


async def test_an_album_and_names_that_are_there_twice(
    google: GooglePhotos, make: Make, tmp_path: Path
) -> None:
    for remote, album in (("gphotos:album/Summer/2024", "Summer/2024"), ("holiday:", "Holiday")):
        google.items.clear()
        target = make(remote)
        await target.open()
        assert await target.listed() == {}
        for seed in (1, 2):
            await send(target, make_photo(tmp_path, seed=seed), f"2024/0{seed}/IMG_1.JPG")
        await send(target, make_photo(tmp_path, seed=2), "2024/03/IMG_1.JPG")  # it is known again

        assert google.names(album) == ["IMG_1.JPG"] * 2
        assert await target.listed() == {"IMG_1.JPG": 2}
        google.hides = True
        assert await target.listed() == {}
        google.hides = False


async def test_nothing_comes_back(
    google: GooglePhotos, make: Make, rclone: Rclone, tmp_path: Path
) -> None:
    """Nor is anything sent for a test: it would stay there."""
    target = make()
    for call in (
        target.prove([ProofRequest("upload/a.jpg", 1)]),
        target.fetch("upload/a.jpg", tmp_path / "a"),
        target.delete("upload/a.jpg"),
        anext(target.listing()),
    ):
        with pytest.raises(e.OnlyHandedOver):
            await call
    assert (await probe_target(config(rclone))).domain == "cloud:google photos"
    findings = await try_out(target, tmp_path)
    assert {finding.capability for finding in findings} == {
        "connect",
        "free_space",
        "other_machine",
    }
    assert google.items == []


@pytest.mark.parametrize(
    "remote",
    ["gphotos:media/all", "gphotos:album", "crypted:", "reader:", "careless:", "/tmp"],
)
async def test_remotes_that_can_not_be_handed_photos(make: Make, remote: str) -> None:
    with pytest.raises(e.NotGooglePhotos):
        await make(remote).open()


@pytest.mark.parametrize(
    ("remote", "error"),
    [
        ("gphotos:upload", e.RcloneUnsuitable),
        ("holiday:", e.RcloneUnsuitable),
        ("crypted:", e.RcloneUnsuitable),
        ("union:", e.RcloneUnsuitable),
        ("combined:x", e.PipelineError),
    ],
)
async def test_it_is_no_place_for_copies(
    google: GooglePhotos, rclone: Rclone, remote: str, error: type[e.PipelineError]
) -> None:
    """However it is wrapped: what can't be found out fails when it is tried out."""
    with pytest.raises(error):
        await probe_target(
            RcloneTargetConfig(
                target_id="x",
                name="x",
                url=rclone.url,
                username=USER,
                password=PASSWORD,
                remote=remote,
            )
        )
    assert google.items == []


async def test_what_google_says(google: GooglePhotos, make: Make, tmp_path: Path) -> None:
    target, photo = make(), make_photo(tmp_path)
    await target.open()
    google.full = True
    with pytest.raises(e.TargetFull):
        await send(target, photo, "IMG_1.JPG")
    google.full = False
    with pytest.raises(e.PhotoRefused):
        await send(target, make_sample(tmp_path, 100), "IMG_2.JPG")
    for status, error in ((401, e.RcloneRemoteRefused), (429, e.ThrottledError)):
        google.refuses = status
        with pytest.raises(error):
            await send(target, photo, "IMG_1.JPG")
    with pytest.raises(e.ThrottledError):
        await target.listed()
    google.refuses = None
    assert google.items == []
    await send(target, photo, "IMG_1.JPG")
    assert google.names() == ["IMG_1.JPG"]


async def test_one_that_is_refused_among_others(
    google: GooglePhotos, make: Make, tmp_path: Path
) -> None:
    """rclone hands several over with one request, unless it was told not to."""
    target, good = make("batches:"), make_photo(tmp_path)
    await target.open()
    results = await asyncio.gather(
        send(target, good, "IMG_1.JPG"),
        send(target, make_sample(tmp_path, 100), "IMG_2.JPG"),
        return_exceptions=True,
    )
    assert isinstance(results[0], Delivery)
    assert isinstance(results[1], e.PhotoRefused)
    assert google.names() == ["IMG_1.JPG"]


async def test_a_changed_file_is_never_sent(
    google: GooglePhotos, make: Make, tmp_path: Path
) -> None:
    """There is no taking back."""
    photo, target = make_photo(tmp_path), make()
    photo.path.write_bytes(photo.data[:-1] + b"!")
    with pytest.raises(e.SourceFileChanged):
        await send(target, photo, "IMG_1.JPG")
    assert google.items == []
    assert "POST /uploads" not in google.calls


@pytest.mark.parametrize(("seen", "limit"), [(True, 4_000_000), (False, 1_000_000)])
async def test_the_limit_is_kept_towards_google(
    google: GooglePhotos, rclone: Rclone, tmp_path: Path, seen: bool, limit: int
) -> None:
    """An rclone that reads the file itself keeps a share of it; else the bytes go there slowly."""
    photo = make_photo(tmp_path, 2_000_000)
    async with Between(rclone.url, (lambda _: None) if seen else blind) as between:
        limited = config(rclone, url=between.url, bandwidth=limit, parallel=4)
        target = GooglePhotosTarget(limited, TargetIdentity())
        await target.open()
        began = monotonic()
        await send(target, photo, "IMG_1.JPG")
        assert monotonic() - began > 1.5
        # an rclone that does not see our file gathers it first, and keeps the limit on average
        assert not seen or google.upload_seconds[-1] > 0.5
        await target.close()
