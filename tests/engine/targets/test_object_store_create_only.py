"""Stores that don't keep create-only writes, and others who write at the same time."""

from pathlib import Path

import pytest

from custom_components.media_pipeline.engine.marker import MARKER_NAME
from custom_components.media_pipeline.engine.targets.object_store import ObjectStoreTarget
from tests.support.object_stores.moto_server import s3_bucket
from tests.support.relay import Relay

from .bucket_targets import direct, through
from .place import PATH, make_sample, send


async def test_store_that_ignores_create_only(relay: Relay, tmp_path: Path) -> None:
    """Names carry the hash: what others write at the plain name can't be hit."""
    relay.edit = lambda data: data.replace(b"if-none-match", b"x-none-matchx")
    bucket, sample = s3_bucket(), make_sample(tmp_path, 4000)
    target = through(relay, bucket)
    await target.open()

    first = await send(target, sample, PATH)
    bucket.write(PATH, b"foreign")
    second = await send(target, sample, PATH)

    assert first.path == f"2024/05/IMG_0001~{sample.sha256[:8]}.HEIC"
    assert (second.path, second.already_there) == (first.path, True)
    assert bucket.read(PATH) == b"foreign"
    assert bucket.files() == {PATH, first.path, MARKER_NAME}


async def test_foreign_object_appears_between_look_and_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket, sample = s3_bucket(), make_sample(tmp_path, 4000)
    target = direct(bucket)
    await target.open()
    look = ObjectStoreTarget._look

    async def slow_look(self: ObjectStoreTarget, path: str) -> int | None:
        found = await look(self, path)
        if path == PATH and found is None:
            bucket.write(PATH, b"foreign")
        return found

    monkeypatch.setattr(ObjectStoreTarget, "_look", slow_look)
    delivery = await send(target, sample, PATH)

    assert bucket.read(PATH) == b"foreign"
    assert delivery.path != PATH
    assert bucket.read(delivery.path) == sample.data
