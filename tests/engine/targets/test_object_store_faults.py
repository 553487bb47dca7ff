"""What goes wrong between us and an object store, and what it says itself."""

import asyncio
import json
import re
import subprocess
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]
import obstore
import pytest
from aiohttp import web
from botocore.auth import S3SigV4Auth  # type: ignore[import-untyped]
from botocore.awsrequest import AWSRequest  # type: ignore[import-untyped]
from botocore.credentials import Credentials  # type: ignore[import-untyped]

from custom_components.media_pipeline.engine import errors
from custom_components.media_pipeline.engine.marker import MARKER_NAME
from custom_components.media_pipeline.engine.targets import object_store_upload
from custom_components.media_pipeline.engine.targets.base import ProofRequest, TargetIdentity
from custom_components.media_pipeline.engine.targets.object_store import ObjectStoreTarget
from custom_components.media_pipeline.engine.targets.object_store_config import S3TargetConfig
from custom_components.media_pipeline.engine.targets.object_store_leftovers import (
    abort_uploads,
    sign_s3,
)
from custom_components.media_pipeline.engine.targets.object_store_pace import MEMORY, Pace
from tests.support.object_stores.access import Bucket
from tests.support.object_stores.gcs_double import gcs_bucket, gcs_double
from tests.support.object_stores.moto_server import moto_port, s3_bucket, unfinished
from tests.support.relay import Relay, answer

from .place import make_sample, send
from .store_place import make_bucket

PATH = "2024/05/IMG_0001.HEIC"


@pytest.fixture
async def relay() -> AsyncIterator[Relay]:
    async with Relay(moto_port()) as running:
        yield running


def through(relay: Relay, bucket: Bucket) -> ObjectStoreTarget:
    return direct(bucket, endpoint=f"http://127.0.0.1:{relay.port}")


def direct(bucket: Bucket, /, **changes: Any) -> ObjectStoreTarget:
    return ObjectStoreTarget(bucket.target_config(**changes), TargetIdentity())


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files over 6 MB go in parts of 5 MiB, the smallest that S3 takes."""
    monkeypatch.setattr(object_store_upload, "SINGLE", 6_000_000)
    monkeypatch.setattr(object_store_upload, "_PART", 5 << 20)
    monkeypatch.setattr(
        "custom_components.media_pipeline.engine.targets.object_store.SINGLE", 6_000_000
    )


# --- stores that don't keep create-only writes ----------------------------------------------------


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


# --- large files ----------------------------------------------------------------------------------


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


# --- the line -------------------------------------------------------------------------------------


async def test_storm_of_503_is_waited_out(relay: Relay, tmp_path: Path) -> None:
    bucket, sample = s3_bucket(), make_sample(tmp_path, 4000)
    target = through(relay, bucket)
    await target.open()
    relay.cut()
    relay.refuse = [answer("503 Slow Down", "<Error><Code>SlowDown</Code></Error>")] * 4

    delivery = await send(target, sample, PATH)

    assert relay.refused == 4
    assert bucket.read(delivery.path) == sample.data


async def test_storm_without_end_has_a_name(relay: Relay) -> None:
    bucket = s3_bucket()
    relay.refuse = [answer("503 Slow Down", "<Error><Code>SlowDown</Code></Error>")] * 50

    with pytest.raises(errors.TargetBusy):
        await through(relay, bucket).open()


async def test_connection_cut_while_sending(relay: Relay, tmp_path: Path) -> None:
    bucket, sample = s3_bucket(), make_sample(tmp_path, 3_000_000)
    target = through(relay, bucket)
    await target.open()
    relay.cut_after = relay.sent + 1_000_000

    try:
        delivery = await send(target, sample, PATH)
    except errors.TargetUnreachable:
        assert bucket.files() == {MARKER_NAME}  # whole, or not at all
        delivery = await send(target, sample, PATH)

    assert bucket.files() == {MARKER_NAME, delivery.path}
    assert bucket.read(delivery.path) == sample.data


async def test_slow_uplink(relay: Relay, tmp_path: Path) -> None:
    """4 MB/s here stand for 8 Mbit/s: all arrives, with few at a time and time enough for each."""
    bucket, target_files = s3_bucket(), [make_sample(tmp_path, 700_000, n) for n in range(8)]
    target = through(relay, bucket)
    await target.open()
    relay.up_rate = 4e6

    await asyncio.gather(*(send(target, s, f"{n}.jpg") for n, s in enumerate(target_files)))

    assert len(bucket.files()) == 9
    rate = target._link.sending.rate
    assert rate is not None
    assert 1e6 < rate < 1.2e7
    assert target._link.sending.timeout >= 2 * MEMORY / rate or target._link.sending.timeout == 60


def test_pace_on_a_slow_line_stays_low() -> None:
    pace = Pace(8)
    for _ in range(20):
        pace.arrived(8_000_000, 8.0)  # 8 Mbit/s
    assert pace.limit == 2
    assert 120 < pace.timeout < 150  # four times what all that may be in memory takes
    pace.failed(timed_out=True)
    assert pace.limit == 1
    for _ in range(20):
        pace.arrived(8_000_000, 0.1)
    assert pace.limit == 8
    assert pace.timeout == 60


async def test_pace_holds_memory() -> None:
    pace = Pace(8)
    pace.limit = 8
    inside: list[int] = []

    async def one() -> None:
        async with pace.place(MEMORY // 2):
            inside.append(1)
            assert len(inside) <= 2
            await asyncio.sleep(0.01)
            inside.pop()

    tasks = [asyncio.create_task(one()) for _ in range(6)]
    await asyncio.sleep(0)
    tasks[3].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    async with asyncio.timeout(1), pace.place(MEMORY):
        pass


async def test_upload_limit(tmp_path: Path) -> None:
    bucket, target_files = s3_bucket(), [make_sample(tmp_path, 200_000, n) for n in range(4)]
    target = direct(bucket, bandwidth=1_000_000)
    await target.open()
    begun = asyncio.get_running_loop().time()

    await asyncio.gather(*(send(target, s, f"{n}.jpg") for n, s in enumerate(target_files)))

    assert asyncio.get_running_loop().time() - begun > 0.4


# --- what stores say ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        ("403 Forbidden", "InvalidAccessKeyId", errors.TargetAuthFailed),
        ("403 Forbidden", "SignatureDoesNotMatch", errors.TargetAuthFailed),
        ("403 Forbidden", "RequestTimeTooSkewed", errors.ClockWrong),
        ("403 Forbidden", "AccessDenied", errors.TargetAuthFailed),  # may not even list
        ("400 Bad Request", "AuthorizationHeaderMalformed", errors.BucketWrongRegion),
        ("301 Moved Permanently", "PermanentRedirect", errors.BucketWrongRegion),
        ("404 Not Found", "NoSuchBucket", errors.BucketMissing),
        ("507 Insufficient Storage", "XMinioStorageFull", errors.TargetFull),
        ("418 Teapot", "Teapot", errors.TargetUnavailableError),
    ],
)
async def test_refusals_have_names(
    relay: Relay, status: str, code: str, error: type[errors.PipelineError]
) -> None:
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>why</Message></Error>"
    relay.refuse = [answer(status, body)] * 20

    with pytest.raises(errors.PipelineError) as caught:
        await through(relay, s3_bucket()).open()

    assert type(caught.value) is error


async def test_read_only_credentials(relay: Relay) -> None:
    """Listing works, writing is refused; nothing is left."""
    bucket = s3_bucket()
    refusal = answer("403 Forbidden", "<Error><Code>AccessDenied</Code></Error>")
    relay.deny = (b"PUT /", refusal)

    with pytest.raises(errors.TargetReadOnly):
        await through(relay, bucket).open()

    assert bucket.files() == set()


async def test_every_request_is_signed_with_the_hash_of_its_bytes(
    relay: Relay, tmp_path: Path
) -> None:
    """So a store refuses bytes that changed on their way."""
    bucket, sample, heads = s3_bucket(), make_sample(tmp_path, 400), list[bytes]()

    def look(data: bytes) -> bytes:
        heads.append(data)
        return data

    relay.edit = look
    target = through(relay, bucket)
    await target.open()
    await send(target, sample, PATH)

    assert f"x-amz-content-sha256: {sample.sha256}".encode() in b"".join(heads)


async def test_cold_objects_are_named_not_called_lost(relay: Relay, tmp_path: Path) -> None:
    """A lifecycle rule moved them where they can't be read at once: they are there."""
    bucket, sample = s3_bucket(), make_sample(tmp_path, 400)
    target = through(relay, bucket)
    await target.open()
    await send(target, sample, PATH)
    relay.cut()
    relay.refuse = [answer("403 Forbidden", "<Error><Code>InvalidObjectState</Code></Error>")] * 9

    with pytest.raises(errors.StorageClassRefused):
        await target.prove([ProofRequest(PATH, sample.size)])


async def test_bucket_that_vanished_does_not_look_like_lost_copies(tmp_path: Path) -> None:
    bucket, sample = gcs_bucket(), make_sample(tmp_path, 400)
    target = direct(bucket)
    await target.open()
    await send(target, sample, PATH)
    del gcs_double().buckets[bucket.values["bucket"]]

    with pytest.raises(errors.BucketMissing):
        await target.prove([ProofRequest(PATH, sample.size)])
    with pytest.raises(errors.BucketMissing):
        await direct(bucket).open()


async def test_wrong_keys() -> None:
    azure, google = make_bucket("azure"), gcs_bucket()
    cases = [
        (azure, {"account_key": "bm9wZQ=="}, errors.TargetAuthFailed),
        (azure, {"account_key": "not base64!"}, errors.InvalidStoreKey),
        (azure, {"account_key": ""}, errors.InvalidStoreKey),
        (azure, {"bucket": "never-made"}, errors.BucketMissing),
        (google, {"service_account_key": "{}"}, errors.InvalidStoreKey),
        (google, {"service_account_key": "no json"}, errors.InvalidStoreKey),
        (google, {"service_account_key": foreign_key()}, errors.TargetAuthFailed),
        (google, {"bucket": "never-made"}, errors.BucketMissing),
        (s3_bucket(), {"bucket": "never-made"}, errors.BucketMissing),
        (s3_bucket(), {"secret_access_key": ""}, errors.InvalidStoreKey),
    ]
    for bucket, changes, error in cases:
        with pytest.raises(errors.PipelineError) as caught:
            await direct(bucket, **changes).open()
        assert type(caught.value) is error, changes


def foreign_key() -> str:
    key = subprocess.run(
        ["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    text = json.loads(gcs_double().key_text())
    return json.dumps(text | {"private_key": key})


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"endpoint": "http://store.example", "allow_http": False}, errors.PlainHttpRefused),
        ({"endpoint": "store.example"}, errors.InvalidEndpoint),
        ({"endpoint": "https://"}, errors.InvalidEndpoint),
        ({"endpoint": "https://host:port"}, errors.InvalidEndpoint),
        ({"endpoint": "http://127.0.0.1:9"}, errors.TargetUnreachable),
        ({"endpoint": "https://nobody.invalid"}, errors.TargetUnreachable),
        ({"storage_class": "GLACIER"}, errors.StorageClassRefused),
        ({"storage_class": "deep_archive"}, errors.StorageClassRefused),
        ({"storage_class": "NO_SUCH"}, errors.StorageClassRefused),
    ],
)
async def test_wrong_settings(changes: dict[str, Any], error: type[errors.PipelineError]) -> None:
    bucket = s3_bucket()

    with pytest.raises(errors.PipelineError) as caught:
        await direct(bucket, **changes).open()

    assert type(caught.value) is error
    assert bucket.files() == set()


async def test_untrusted_certificate(tmp_path: Path) -> None:
    import ssl

    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -keyout {key} -out {cert} "
        "-subj /CN=localhost -addext subjectAltName=DNS:localhost".split(" "),
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    server = await asyncio.start_server(lambda _, w: w.close(), "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]

    with pytest.raises(errors.CertificateRefused):
        await direct(s3_bucket(), endpoint=f"https://localhost:{port}").open()
    server.close()


async def test_storage_class_is_kept(tmp_path: Path) -> None:
    google, sample = gcs_bucket(), make_sample(tmp_path, 400)
    target = direct(google, storage_class="ARCHIVE")
    await target.open()

    await send(target, sample, PATH)

    held = gcs_double().buckets[google.values["bucket"]]
    assert held[f"{google.values['prefix']}/{PATH}"].storage_class == "ARCHIVE"


async def test_the_rules_of_the_documentation_are_rules(tmp_path: Path) -> None:
    """The example for a bucket that gets cheaper with age is taken by a store as it is."""
    text = (Path(__file__).parents[3] / "docs" / "configuration.md").read_text()
    rules = json.loads(re.findall(r"```json\n(\{\s+\"Rules\".+?)```", text, re.DOTALL)[0])
    bucket = s3_bucket()
    client = boto3.client(
        "s3",
        endpoint_url=bucket.values["endpoint"],
        region_name="us-east-1",
        aws_access_key_id="owner",
        aws_secret_access_key="x",
    )
    name = bucket.values["bucket"]
    await asyncio.to_thread(
        client.put_bucket_lifecycle_configuration, Bucket=name, LifecycleConfiguration=rules
    )
    kept = await asyncio.to_thread(client.get_bucket_lifecycle_configuration, Bucket=name)
    [rule] = kept["Rules"]
    assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 2}
    [later] = rule["Transitions"]
    assert (later["Days"], later["StorageClass"]) == (90, "GLACIER_IR")
    # a class that may be chosen for a target too: copies in it can be read back at once
    await direct(bucket, storage_class=later["StorageClass"]).open()


async def test_where_it_lies() -> None:
    bucket = s3_bucket()

    assert not (await direct(bucket).open()).off_machine
    assert (await direct(bucket, off_machine=True).open()).off_machine
    assert (await direct(bucket).open()).domain == (await direct(s3_bucket()).open()).domain


def test_secrets_are_in_no_text() -> None:
    bucket = gcs_bucket()
    assert "PRIVATE KEY" not in repr(bucket.target_config())
    assert bucket.values["service_account_key"] not in repr(bucket.target_config())
    assert "EXAMPLEKEY" not in repr(s3_bucket().target_config())
