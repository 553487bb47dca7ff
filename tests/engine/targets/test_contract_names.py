"""What every target promises about names and times, odd ones too."""

from pathlib import Path

import pytest

from custom_components.media_pipeline.engine.errors import NameRefused
from custom_components.media_pipeline.engine.marker import MARKER_NAME
from custom_components.media_pipeline.engine.model import ProofMethod
from custom_components.media_pipeline.engine.targets.base import ProofRequest

from .place import Place, make_sample, send


@pytest.mark.parametrize(
    "name",
    [
        "Ümläüt/日本語 写真.HEIC",
        'it\'s "quoted" $HOME `x`; *.jpg',
        "emoji 👩‍👩‍👧‍👦.mov",
        "-rf.jpg",
        "a" * 190 + ".jpeg",
    ],
)
async def test_names(place: Place, tmp_path: Path, name: str) -> None:
    if place.kind == "webdav-wsgidav" and ";" in name:
        pytest.skip("that server ends a name at a semicolon; see test_webdav_faults.py")
    target, sample = place.target(), make_sample(tmp_path, 2_000)
    await target.open()

    await send(target, sample, name)
    [proof] = await target.prove([ProofRequest(name, sample.size)])

    assert place.files() == {name}
    assert proof.sha256 == sample.sha256
    if place.kind == "openssh":
        assert proof.method is ProofMethod.REMOTE_HASH


@pytest.mark.parametrize(
    "name",
    ["../up.jpg", "/etc/x", "a//b", "", "a\nb", "a\\b", "x" * 256, MARKER_NAME, "./a", "a/.."],
)
async def test_refused_names(place: Place, tmp_path: Path, name: str) -> None:
    target, sample = place.target(), make_sample(tmp_path, 10)
    await target.open()

    with pytest.raises(NameRefused):
        await send(target, sample, name)
    with pytest.raises(NameRefused):
        await target.prove([ProofRequest(name, 10)])
    with pytest.raises(NameRefused):
        await target.delete(name)

    assert place.files() == set()


@pytest.mark.parametrize("mtime", [-315_619_200.5, 4_417_977_600.0, 1e18])
async def test_odd_times(place: Place, tmp_path: Path, mtime: float) -> None:
    target, sample = place.target(), make_sample(tmp_path, 10)
    await target.open()

    await send(target, sample, "scan.jpg", mtime=mtime)

    assert place.files() == {"scan.jpg"}
