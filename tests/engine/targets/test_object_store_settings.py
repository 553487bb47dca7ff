"""Settings of a bucket: wrong ones have names, right ones do what they say, keys stay secret."""

import asyncio
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]
import pytest

from custom_components.media_pipeline.engine import errors
from tests.support.object_stores.gcs_double import gcs_bucket, gcs_double
from tests.support.object_stores.moto_server import s3_bucket

from .bucket_targets import direct
from .place import PATH, make_sample, send
from .store_place import make_bucket


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
