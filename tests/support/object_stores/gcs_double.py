"""Google Cloud Storage as this project's double plays it: the XML calls that targets make.

No server of others does all of it (the known ones lack uploads in parts and preconditions). Tokens
are checked as Google's are, sent checksums too, and the answers carry Google's codes.
"""

import asyncio
import base64
import hashlib
import itertools
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import cache
from urllib.parse import unquote
from uuid import uuid4
from xml.sax.saxutils import escape

import jwt
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from custom_components.media_pipeline.engine.targets.object_store_config import GcsTargetConfig

from .access import Bucket

_EMAIL = "photos@project.iam.gserviceaccount.com"
_SCOPES = {
    "https://www.googleapis.com/auth/cloud-platform",
    "https://www.googleapis.com/auth/devstorage.full_control",
}
_PAGE = 5
"""Names in one page of a list; few, so that pages are turned."""


@dataclass(slots=True)
class _Object:
    data: bytes
    generation: int
    storage_class: str = "STANDARD"
    changed: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def tag(self) -> str:
        return f'"{hashlib.md5(self.data, usedforsecurity=False).hexdigest()}{self.generation}"'

    @property
    def headers(self) -> dict[str, str]:
        md5 = hashlib.md5(self.data, usedforsecurity=False).digest()
        return {
            "ETag": self.tag,
            "x-goog-generation": str(self.generation),
            "x-goog-hash": f"md5={base64.b64encode(md5).decode()}",
            "x-goog-storage-class": self.storage_class,
            "Last-Modified": format_datetime(self.changed, usegmt=True),
        }


@dataclass(slots=True)
class _Upload:
    bucket: str
    key: str
    storage_class: str
    begun: datetime
    parts: dict[int, bytes] = field(default_factory=dict)


class _Refused(Exception):
    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status, self.code = status, code


class GcsDouble:
    """Runs on a thread of its own."""

    def __init__(self) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._public = key.public_key()
        self._private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()
        self.buckets: dict[str, dict[str, _Object]] = {}
        self.uploads: dict[str, _Upload] = {}
        self._generations = itertools.count(1)
        self.port = 0
        ready = threading.Event()
        threading.Thread(target=lambda: asyncio.run(self._serve(ready)), daemon=True).start()
        assert ready.wait(20)

    async def _serve(self, ready: threading.Event) -> None:
        app = web.Application(client_max_size=1 << 30)
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.port = runner.addresses[0][1]
        ready.set()
        await asyncio.Event().wait()

    def key_text(self, **changes: str) -> str:
        """A service account's key file."""
        return json.dumps(
            {
                "type": "service_account",
                "project_id": "project",
                "private_key_id": "1",
                "private_key": self._private,
                "client_email": _EMAIL,
                "client_id": "1",
                "token_uri": "https://oauth2.googleapis.com/token",
            }
            | changes
        )

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        try:
            return await self._handle(request)
        except _Refused as err:
            body = f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{err.code}</Code></Error>"
            if request.method == "HEAD":
                body = ""
            return web.Response(status=err.status, text=body, content_type="application/xml")

    def _check_token(self, request: web.Request) -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        try:
            claims = jwt.decode(token, self._public, ["RS256"], options={"verify_aud": False})
        except jwt.PyJWTError as err:
            raise _Refused(401, "AuthenticationRequired") from err
        if scheme != "Bearer" or claims["iss"] != _EMAIL or claims.get("scope") not in _SCOPES:
            raise _Refused(401, "AuthenticationRequired")

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self._check_token(request)
        raw = request.raw_path.partition("?")[0].lstrip("/")
        name, key = (unquote(part) for part in raw.partition("/")[::2])
        query = request.query
        bucket = self.buckets.get(name)
        if bucket is None:
            raise _Refused(404, "NoSuchBucket")
        match request.method:
            case "GET" if not key and "uploads" in query:
                return self._list_uploads(name, query.get("prefix", ""))
            case "GET" if not key:
                return self._list(bucket, query.get("prefix", ""), query)
            case "GET" | "HEAD":
                return self._read(bucket, key, request)
            case "POST" if "uploads" in query:
                return self._begin(name, key, request)
            case "PUT" if "uploadId" in query:
                upload = self._upload(query["uploadId"])
                data = await self._body(request)
                upload.parts[int(query["partNumber"])] = data
                tag = hashlib.md5(data, usedforsecurity=False).hexdigest()
                return web.Response(headers={"ETag": f'"{tag}"'})
            case "POST" if "uploadId" in query:
                return await self._finish(bucket, key, query["uploadId"])
            case "DELETE" if "uploadId" in query:
                self._upload(query["uploadId"])
                del self.uploads[query["uploadId"]]
                return web.Response(status=204)
            case "PUT":
                data = await self._body(request)
                there = bucket.get(key)
                wanted = request.headers.get("x-goog-if-generation-match")
                if wanted is not None and int(wanted) != (there.generation if there else 0):
                    raise _Refused(412, "PreconditionFailed")
                if source := unquote(request.headers.get("x-goog-copy-source", "")):
                    data = self._source(source)
                made = self._put(bucket, key, data, request.headers.get("x-goog-storage-class"))
                return web.Response(headers=made.headers)
            case "DELETE":
                if bucket.pop(key, None) is None:
                    raise _Refused(404, "NoSuchKey")
                return web.Response(status=204)
        raise _Refused(405, "MethodNotAllowed")

    async def _body(self, request: web.Request) -> bytes:
        data = await request.read()
        md5 = base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
        if request.headers.get("Content-MD5", md5) != md5:
            raise _Refused(400, "BadDigest")
        if int(request.headers.get("Content-Length", len(data))) != len(data):
            raise _Refused(400, "IncompleteBody")
        return data

    def _put(
        self, bucket: dict[str, _Object], key: str, data: bytes, storage_class: str | None
    ) -> _Object:
        if storage_class not in {None, "STANDARD", "NEARLINE", "COLDLINE", "ARCHIVE"}:
            raise _Refused(400, "InvalidStorageClass")
        bucket[key] = _Object(data, next(self._generations), storage_class or "STANDARD")
        return bucket[key]

    def _source(self, source: str) -> bytes:
        """The bytes that a copy inside the store is made of."""
        name, _, key = source.lstrip("/").partition("/")
        found = self.buckets.get(name, {}).get(key)
        if found is None:
            raise _Refused(404, "NoSuchKey")
        return found.data

    def _read(
        self, bucket: dict[str, _Object], key: str, request: web.Request
    ) -> web.StreamResponse:
        found = bucket.get(key)
        if found is None:
            raise _Refused(404, "NoSuchKey")
        if request.headers.get("If-Match", found.tag) != found.tag:
            raise _Refused(412, "PreconditionFailed")
        headers, span = found.headers, request.http_range
        if span.start is None and span.stop is None:
            return web.Response(body=found.data, headers=headers)
        start, stop = span.start or 0, min(span.stop or len(found.data), len(found.data))
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(found.data)}"
        return web.Response(status=206, body=found.data[start:stop], headers=headers)

    def _list(
        self, bucket: dict[str, _Object], prefix: str, query: Mapping[str, str]
    ) -> web.StreamResponse:
        after = query.get("continuation-token", "")
        names = sorted(key for key in bucket if key.startswith(prefix) and key > after)
        more = len(names) > _PAGE
        token = (
            f"<NextContinuationToken>{escape(names[_PAGE - 1])}</NextContinuationToken>"
            if more
            else ""
        )
        found = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(bucket[key].data)}</Size>"
            f"<ETag>{bucket[key].tag}</ETag>"
            f"<LastModified>{bucket[key].changed:%FT%TZ}</LastModified>"
            "</Contents>"
            for key in names[:_PAGE]
        )
        return web.Response(
            text=f"<ListBucketResult><IsTruncated>{str(more).lower()}</IsTruncated>{token}{found}"
            "</ListBucketResult>",
            content_type="application/xml",
        )

    def _begin(self, name: str, key: str, request: web.Request) -> web.StreamResponse:
        upload_id = uuid4().hex
        self.uploads[upload_id] = _Upload(
            name, key, request.headers.get("x-goog-storage-class", "STANDARD"), datetime.now(UTC)
        )
        return web.Response(
            text=f"<InitiateMultipartUploadResult><Bucket>{name}</Bucket><Key>{escape(key)}</Key>"
            f"<UploadId>{upload_id}</UploadId></InitiateMultipartUploadResult>",
            content_type="application/xml",
        )

    async def _finish(
        self, bucket: dict[str, _Object], key: str, upload_id: str
    ) -> web.StreamResponse:
        upload = self._upload(upload_id)
        data = b"".join(upload.parts[number] for number in sorted(upload.parts))
        made = self._put(bucket, key, data, upload.storage_class)
        del self.uploads[upload_id]
        return web.Response(
            text=f"<CompleteMultipartUploadResult><ETag>{escape(made.tag)}</ETag>"
            "</CompleteMultipartUploadResult>",
            content_type="application/xml",
            headers={"x-goog-generation": str(made.generation)},
        )

    def _upload(self, upload_id: str) -> _Upload:
        if upload_id not in self.uploads:
            raise _Refused(404, "NoSuchUpload")
        return self.uploads[upload_id]

    def _list_uploads(self, name: str, prefix: str) -> web.StreamResponse:
        found = "".join(
            f"<Upload><Key>{escape(upload.key)}</Key><UploadId>{upload_id}</UploadId>"
            f"<Initiated>{upload.begun.strftime('%Y-%m-%dT%H:%M:%S.%fZ')}</Initiated></Upload>"
            for upload_id, upload in self.uploads.items()
            if upload.bucket == name and upload.key.startswith(prefix)
        )
        text = f"<ListMultipartUploadsResult>{found}</ListMultipartUploadsResult>"
        return web.Response(text=text, content_type="application/xml")


@cache
def gcs_double() -> GcsDouble:
    """The one double of this test session."""
    return GcsDouble()


def gcs_bucket() -> Bucket:
    """A fresh bucket; its target uses a prefix in it."""
    double, name = gcs_double(), f"photos-{uuid4().hex[:12]}"
    double.buckets[name] = {}
    values = {
        "bucket": name,
        "prefix": "häuser/our photos",
        "endpoint": f"http://127.0.0.1:{double.port}",
        "service_account_key": double.key_text(),
    }
    return Bucket(GcsTargetConfig, values)
