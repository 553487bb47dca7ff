"""Uploads in parts that nobody finished: their parts are unseen and cost money until they go.

obstore has no call for this, so these few requests are made and signed here. Azure drops such
parts by itself after a week; a bucket's own rule (AbortIncompleteMultipartUpload) can do it too.
"""

import asyncio
import hashlib
import hmac
import json
import logging
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree as ET

import aiohttp

from .object_store_config import GcsTargetConfig, ObjectStoreTargetConfig, S3TargetConfig

_LOGGER: Final = logging.getLogger(__name__)
_MAX_AGE: Final = timedelta(days=1)
"""An upload that began longer ago belongs to nobody who is still sending."""
_TIMEOUT: Final = aiohttp.ClientTimeout(total=15)
_LOOKS: Final = 4
_BETWEEN: Final = 0.3
_OURS: Final = re.compile(r"~[0-9a-f]{8,64}(\.[^/]*)?$")
"""How names of files end that go in parts (see ``names.names_for``). In a bucket that is shared,
others may take longer than a day for theirs."""
_MOST_PAGES: Final = 100
_EMPTY: Final = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True)
class _Upload:
    key: str
    upload_id: str
    begun: datetime


async def abort_uploads(config: ObjectStoreTargetConfig, path: str | None = None) -> int:
    """Abort every unfinished upload to ``path``, or our old ones below the prefix; how many.

    What can't be cleaned is left for the bucket's own rule, and logged; nothing is raised.
    """
    if not isinstance(config, S3TargetConfig | GcsTargetConfig):
        return 0
    prefix = config.prefix.strip("/")
    wanted = "/".join(part for part in (prefix, path) if part)
    oldest = datetime.now(UTC) - _MAX_AGE

    def is_meant(upload: _Upload) -> bool:
        if path is not None:
            return upload.key == wanted
        inside = not prefix or upload.key.startswith(f"{prefix}/")
        return inside and upload.begun < oldest and _OURS.search(upload.key) is not None

    count = 0
    try:
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as http:
            # A part that arrives in the same moment survives an abort, so it is looked at again.
            for attempt in range(_LOOKS):
                found = [up for up in await _list(http, config, wanted) if is_meant(up)]
                if not found:
                    break
                await asyncio.sleep(attempt * _BETWEEN)
                for upload in found:
                    query = {"uploadId": upload.upload_id}
                    async with _request(http, config, "DELETE", upload.key, query) as answer:
                        count += answer.status < 300
    except (aiohttp.ClientError, TimeoutError, ValueError, ET.ParseError) as err:
        _LOGGER.debug("unfinished uploads could not be cleaned: %s", err)
    return count


async def _list(
    http: aiohttp.ClientSession, config: S3TargetConfig | GcsTargetConfig, prefix: str
) -> list[_Upload]:
    query = {"uploads": "", "prefix": prefix}
    found: list[_Upload] = []
    for _ in range(_MOST_PAGES):
        async with _request(http, config, "GET", "", query) as answer:
            text = await answer.text()
            if answer.status != 200:
                raise ValueError(f"status {answer.status}")
        root = ET.fromstring(text)  # noqa: S314 - the user's own store; expat refuses entity bombs
        space = root.tag.partition("}")[0] + "}" if root.tag.startswith("{") else ""
        found += [
            _Upload(
                upload.findtext(f"{space}Key", ""),
                upload.findtext(f"{space}UploadId", ""),
                datetime.fromisoformat(upload.findtext(f"{space}Initiated", "")).astimezone(UTC),
            )
            for upload in root.iter(f"{space}Upload")
        ]
        if root.findtext(f"{space}IsTruncated", "") != "true":
            break
        query["key-marker"] = root.findtext(f"{space}NextKeyMarker", "")
        query["upload-id-marker"] = root.findtext(f"{space}NextUploadIdMarker", "")
    return found


@asynccontextmanager
async def _request(
    http: aiohttp.ClientSession,
    config: S3TargetConfig | GcsTargetConfig,
    method: str,
    key: str,
    query: Mapping[str, str],
) -> AsyncIterator[aiohttp.ClientResponse]:
    from yarl import URL

    if isinstance(config, S3TargetConfig):
        base = config.endpoint or f"https://s3.{config.region}.amazonaws.com"
    else:
        base = config.endpoint or "https://storage.googleapis.com"
    path = quote(f"/{config.bucket}/{key}".rstrip("/"), safe="/-_.~")
    asked = "&".join(f"{quote(k, safe='')}={quote(v, safe='')}" for k, v in sorted(query.items()))
    url = f"{base.rstrip('/')}{path}?{asked}"
    if isinstance(config, S3TargetConfig):
        headers = sign_s3(config, method, url, datetime.now(UTC))
    else:
        token = await asyncio.to_thread(google_token, config, datetime.now(UTC))
        headers = {"authorization": f"Bearer {token}"}
    async with http.request(method, URL(url, encoded=True), headers=headers) as answer:
        yield answer


def sign_s3(config: S3TargetConfig, method: str, url: str, when: datetime) -> dict[str, str]:
    """Headers for a request without a body, after Amazon's Signature Version 4."""
    parts = urlsplit(url)
    stamp, day = when.strftime("%Y%m%dT%H%M%SZ"), when.strftime("%Y%m%d")
    headers = {"host": parts.netloc, "x-amz-content-sha256": _EMPTY, "x-amz-date": stamp}
    names = ";".join(headers)
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    canonical = f"{method}\n{parts.path}\n{parts.query}\n{lines}\n{names}\n{_EMPTY}"
    scope = f"{day}/{config.region}/s3/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    key = f"AWS4{config.secret_access_key}".encode()
    for piece in (day, config.region, "s3", "aws4_request"):
        key = hmac.digest(key, piece.encode(), "sha256")
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}"
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    return headers | {
        "authorization": f"AWS4-HMAC-SHA256 Credential={config.access_key_id}/{scope}, "
        f"SignedHeaders={names}, Signature={signature}"
    }


def google_token(config: GcsTargetConfig, when: datetime) -> str:
    """A token signed with the service account's own key. Blocking; raises ValueError."""
    import jwt

    key = json.loads(config.service_account_key)
    now = int(when.timestamp())
    claims = {
        "iss": key["client_email"],
        "sub": key["client_email"],
        "scope": "https://www.googleapis.com/auth/devstorage.full_control",
        "iat": now,
        "exp": now + 600,
    }
    headers = {"kid": key.get("private_key_id", "")}
    return jwt.encode(claims, key["private_key"], algorithm="RS256", headers=headers)
