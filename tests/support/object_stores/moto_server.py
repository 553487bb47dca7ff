"""Amazon S3 as moto plays it, over real HTTP."""

from functools import cache
from http.client import HTTPConnection
from uuid import uuid4

from custom_components.media_pipeline.engine.targets.object_store_config import S3TargetConfig

from .access import Bucket
from .processes import python_server, start_server


@cache
def moto_port() -> int:
    """The port of the one server of this test session."""
    command, port = python_server("moto.server", "-H", "127.0.0.1")
    start_server(command, port)
    return port


def request(method: str, path: str, port: int | None = None) -> tuple[int, bytes]:
    """A request as the bucket's owner would make it."""
    owner = {
        "Authorization": "AWS4-HMAC-SHA256 Credential=owner/20260101/us-east-1/s3/aws4_request"
    }
    connection = HTTPConnection("127.0.0.1", port or moto_port(), timeout=20)
    connection.request(method, path, headers=owner)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body


def s3_bucket() -> Bucket:
    """A fresh bucket; its target uses a prefix in it."""
    name = f"photos-{uuid4().hex[:12]}"
    assert request("PUT", f"/{name}")[0] == 200
    values = {
        "bucket": name,
        "prefix": "häuser/our photos",
        "endpoint": f"http://127.0.0.1:{moto_port()}",
        "access_key_id": "AKIAIOSFODNN7EXAMPLE",
        "secret_access_key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    }
    return Bucket(S3TargetConfig, values)


def unfinished(bucket: str) -> int:
    """How many uploads in parts nobody finished."""
    return request("GET", f"/{bucket}?uploads")[1].count(b"<UploadId>")
