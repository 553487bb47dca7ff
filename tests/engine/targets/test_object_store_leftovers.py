"""Uploads that nobody finished are found and ended: ours, and old ones only."""

import asyncio
from datetime import UTC, datetime

import obstore
from aiohttp import web
from botocore.auth import S3SigV4Auth  # type: ignore[import-untyped]
from botocore.awsrequest import AWSRequest  # type: ignore[import-untyped]
from botocore.credentials import Credentials  # type: ignore[import-untyped]

from custom_components.media_pipeline.engine.targets.object_store_config import S3TargetConfig
from custom_components.media_pipeline.engine.targets.object_store_leftovers import (
    abort_uploads,
    sign_s3,
)
from tests.support.object_stores.gcs_double import gcs_bucket, gcs_double
from tests.support.object_stores.moto_server import s3_bucket, unfinished

from .bucket_targets import direct


async def test_old_uploads_are_swept_below_our_prefix_only() -> None:
    bucket = s3_bucket()
    store, other = bucket.store(), bucket.store(prefix="other")
    # moto says of every upload that it began in 2010; the last is of another program, by its name
    for where, path in (
        (store, "2024/big~0123abcd.mov"),
        (other, "2024/big~0123abcd.mov"),
        (store, "big.mov"),
    ):
        writer = obstore.open_writer_async(where, path, buffer_size=5 << 20)
        await writer.write(b"x" * (5 << 20))
        await writer.write(b"x" * (5 << 20))
        del writer
    await asyncio.sleep(0.3)
    name = bucket.values["bucket"]
    assert unfinished(name) == 3

    await direct(bucket).open()

    assert unfinished(name) == 2


async def test_old_uploads_on_a_second_page() -> None:
    """A store tells a thousand at a time; those of others may come first."""
    asked: list[dict[str, str]] = []
    begun = "<Initiated>2010-01-01T00:00:00Z</Initiated>"
    upload = f"<Upload><Key>{{}}</Key><UploadId>{{}}</UploadId>{begun}</Upload>"

    async def handle(request: web.Request) -> web.Response:
        asked.append({"method": request.method, "path": request.path, **request.query})
        if request.method == "DELETE":
            return web.Response(status=204)
        if "key-marker" not in request.query:
            more = "<IsTruncated>true</IsTruncated><NextKeyMarker>a&amp;b</NextKeyMarker>"
            more += "<NextUploadIdMarker>1</NextUploadIdMarker>" + upload.format("a&amp;b", "1")
        elif any(one["method"] == "DELETE" for one in asked):
            more = ""
        else:
            more = upload.format("2024/film~0123abcd.mov", "2")
        return web.Response(text=f"<R>{more}</R>", content_type="application/xml")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    config = S3TargetConfig(
        target_id="x",
        name="x",
        bucket="b",
        endpoint=f"http://127.0.0.1:{runner.addresses[0][1]}",
        access_key_id="AKID",
        secret_access_key="s",
    )
    try:
        assert await abort_uploads(config) == 1
    finally:
        await runner.cleanup()
    assert [one["uploadId"] for one in asked if one["method"] == "DELETE"] == ["2"]
    assert {"key-marker": "a&b", "upload-id-marker": "1"}.items() <= asked[1].items()


async def test_young_uploads_stay() -> None:
    """They may be those of another run that is still sending."""
    bucket = gcs_bucket()
    path = "big~0123abcd.mov"
    writer = obstore.open_writer_async(bucket.store(), path, buffer_size=5 << 20)
    await writer.write(b"x" * (5 << 20))
    await writer.write(b"x" * (5 << 20))
    name = bucket.values["bucket"]

    assert await abort_uploads(bucket.target_config()) == 0
    assert [upload.bucket for upload in gcs_double().uploads.values()].count(name) == 1
    assert await abort_uploads(bucket.target_config(), path) == 1


def test_our_signature_is_amazons() -> None:
    config = S3TargetConfig(
        target_id="x", name="x", bucket="b", access_key_id="AKID", secret_access_key="s/ecret"
    )
    url = "https://s3.us-east-1.amazonaws.com/b?prefix=a%20b%2F%C3%BC&uploads="
    request = AWSRequest("GET", url)
    request.context["timestamp"] = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    S3SigV4Auth(Credentials("AKID", "s/ecret"), "s3", "us-east-1").add_auth(request)
    when = datetime.strptime(request.context["timestamp"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)

    assert sign_s3(config, "GET", url, when)["authorization"] == request.headers["Authorization"]
