"""What object stores refuse, and by which name we know it."""

from pathlib import Path

import pytest

from custom_components.media_pipeline.engine import errors
from custom_components.media_pipeline.engine.targets.base import ProofRequest
from tests.support.object_stores.gcs_double import gcs_bucket, gcs_double
from tests.support.object_stores.moto_server import s3_bucket
from tests.support.relay import Relay, answer

from .bucket_targets import direct, through
from .place import PATH, make_sample, send


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
