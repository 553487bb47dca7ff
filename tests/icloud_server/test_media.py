"""What the assets are made of."""

import base64
import hashlib
import io
import time

import av
import pillow_heif
import pytest
from PIL import Image

from .body import SALT
from .client import StandIn
from .library import Library
from .options import Options
from .specs import Kind, Role

pillow_heif.register_heif_opener()


@pytest.mark.parametrize("real", [0, 40])
def test_everything_decodes_and_differs(real: int) -> None:
    library = Library(Options(assets=40, real=real))
    zone, seen = library.primary, set()
    for index in range(40):
        spec = zone.spec(index)
        for role in (*spec.roles(edited=False), Role.MEDIUM):
            body = library.media.body(spec, role, 0)
            data = body.read()
            assert len(data) == body.size
            if role is not Role.MEDIUM:
                assert library.media.size_of(spec, role, 0) == body.size
                digest = hashlib.sha1(SALT + data, usedforsecurity=False).digest()
                assert zone.facts(index, role) == (
                    len(data),
                    base64.b64encode(b"\x01" + digest).decode(),
                )
            assert data not in seen
            seen.add(data)
            kind = "jpeg" if role is Role.MEDIUM else spec.format(role)
            if kind == "mov":
                with av.open(io.BytesIO(data), "r") as film:
                    assert len(list(film.decode(video=0))) >= 5
                    assert film.metadata["creation_time"][:4] == "2026"
                    assert (
                        film.metadata["com.apple.quicktime.content.identifier"] == spec.identifier
                    )
            elif kind == "dng":
                assert data[:4] == b"II*\0"
            elif kind != "aae":
                with Image.open(io.BytesIO(data)) as picture:
                    picture.load()
                    if kind == "jpeg" and role is not Role.MEDIUM:
                        assert picture.getexif().get_ifd(0x8769)[0x9003].startswith("2026:")


def test_any_part_of_any_kind() -> None:
    library = Library(Options(assets=20, real=0, photo_bytes=3_000_000))
    for index in range(20):
        spec = library.primary.spec(index)
        body = library.media.body(spec, Role.ORIGINAL, 0)
        whole = body.read()
        for start, stop in ((0, 10), (300_000, 1_400_000), (len(whole) - 7, len(whole))):
            assert b"".join(body.chunks(start, stop)) == whole[start:stop]


def test_every_kind_comes_early() -> None:
    zone = Library(Options(assets=14)).primary
    rare = {Kind.SLOW_MOTION, Kind.EDITED_LIVE, Kind.BURST}
    assert {zone.spec(index).kind for index in range(14)} == set(Kind) - rare


def test_sizes_as_wanted() -> None:
    library = Library(Options(assets=64, real=0, photo_bytes=131_080, kinds="jpeg"))
    for index in range(64):
        spec = library.primary.spec(index)
        body = library.media.body(spec, Role.ORIGINAL, 0)
        assert body.size == library.media.size_of(spec, Role.ORIGINAL, 0)


def test_a_hundred_thousand_at_once() -> None:
    begin = time.process_time()
    zone = Library(Options(assets=100_000, real=0)).primary
    assert zone.totals()[0] == 100_000
    assert len(zone.order("library")) == 100_000
    zone.prepare(list(range(50_000, 50_100)))
    assert zone.find(zone.name_of(99_999, 1)) == (99_999, 1)
    assert zone.find(zone.name_of(77_777, 0)) == (77_777, 0)
    assert time.process_time() - begin < 5


def test_a_huge_film() -> None:
    with StandIn.start(assets=3, real=0, huge_bytes=300_000_000) as server:
        film = server.assets()[0]
    assert film["kind"] == "video"
    assert film["roles"]["resOriginal"]["size"] == 300_000_000


def test_it_ends_with_its_parent() -> None:
    server = StandIn.start(assets=1)
    server.stop()
    assert server.returncode == 0
