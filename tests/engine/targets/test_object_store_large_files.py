"""Large files go to a bucket in parts, and leave none behind."""

import asyncio
from pathlib import Path

import pytest

from custom_components.media_pipeline.engine import errors
from custom_components.media_pipeline.engine.marker import MARKER_NAME
from custom_components.media_pipeline.engine.targets import object_store_upload
from custom_components.media_pipeline.engine.targets.base import ProofRequest
from tests.support.object_stores.gcs_double import gcs_double
from tests.support.object_stores.moto_server import s3_bucket, unfinished

from .bucket_targets import direct
from .place import PATH, make_sample, send
from .store_place import make_bucket


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files over 6 MB go in parts of 5 MiB, the smallest that S3 takes."""
    monkeypatch.setattr(object_store_upload, "SINGLE", 6_000_000)
    monkeypatch.setattr(object_store_upload, "_PART", 5 << 20)
    monkeypatch.setattr(
        "custom_components.media_pipeline.engine.targets.object_store.SINGLE", 6_000_000
    )


@pytest.mark.parametrize("kind", ["s3", "gcs", "azure"])
@pytest.mark.usefixtures("small_parts")
async def test_large_file_goes_in_parts(kind: str, tmp_path: Path) -> None:
    bucket, sample = make_bucket(kind), make_sample(tmp_path, 12_000_000)
    target, counts = direct(bucket), list[int]()
    await target.open()
    bucket.write(PATH, b"foreign")

    delivery = await send(target, sample, PATH, on_bytes=counts.append)
    again = await send(target, sample, PATH)
    [proof] = await target.prove([ProofRequest(delivery.path, sample.size)])

    assert delivery.path == f"2024/05/IMG_0001~{sample.sha256[:8]}.HEIC"
    assert (again.path, again.already_there) == (delivery.path, True)
    assert (proof.sha256, proof.size) == (sample.sha256, sample.size)
    assert counts == [5 << 20, 5 << 20, 12_000_000 - (10 << 20)]
    assert bucket.read(PATH) == b"foreign"


@pytest.mark.parametrize("kind", ["s3", "gcs"])
@pytest.mark.usefixtures("small_parts")
async def test_cancelled_upload_leaves_no_parts(kind: str, tmp_path: Path) -> None:
    bucket, sample = make_bucket(kind), make_sample(tmp_path, 30_000_000)
    target, started = direct(bucket), asyncio.Event()
    counts: list[int] = []

    def report(count: int) -> None:
        counts.append(count)
        if len(counts) == 4:
            started.set()

    await target.open()
    task = asyncio.create_task(send(target, sample, PATH, on_bytes=report))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert bucket.files() == {MARKER_NAME}
    if kind == "s3":
        assert unfinished(bucket.values["bucket"]) == 0
    else:
        assert not [u for u in gcs_double().uploads.values() if u.bucket == bucket.values["bucket"]]


@pytest.mark.usefixtures("small_parts")
async def test_source_that_changed_is_never_put_together(tmp_path: Path) -> None:
    bucket, sample = s3_bucket(), make_sample(tmp_path, 12_000_000)
    target = direct(bucket)
    await target.open()

    with pytest.raises(errors.SourceFileChanged):
        await send(target, sample, PATH, sha256="0" * 64)

    assert bucket.files() == {MARKER_NAME}
    assert unfinished(bucket.values["bucket"]) == 0
