"""Runs in a process of its own with one version of pyicloud, unmodified; obeys lines of JSON."""

import asyncio
import base64
import contextlib
import hashlib
import importlib.metadata
import json
import os
import ssl
import sys
import urllib.request
from typing import Any

import aiohttp
import requests
from pyicloud import PyiCloudService
from yarl import URL


class Driver:
    """What the tests ask pyicloud to do."""

    def __init__(self) -> None:
        self.api: Any = None
        self.photos: Any = None
        self.known: dict[str, Any] = {}

    def version(self) -> str:
        return importlib.metadata.version("pyicloud")

    def sign_in(self, env: dict[str, str], apple_id: str, password: str, folder: str) -> Any:
        os.environ.update(env)
        self.photos = None
        self.api = PyiCloudService(
            apple_id, password, cookie_directory=folder, authenticate=False, refresh_interval=None
        )
        self.api.authenticate()
        return self.status()

    def again(self) -> Any:
        self.api.authenticate()
        return self.status()

    def status(self) -> Any:
        return {
            "requires_2fa": self.api.requires_2fa,
            "trusted": self.api.is_trusted_session,
            "method": self.api.two_factor_delivery_method,
        }

    def by_device(self) -> None:
        self.api.use_existing_trusted_device_code()

    def enter_code(self, code: str) -> bool:
        return bool(self.api.validate_2fa_code(code))

    def service(self) -> Any:
        if self.photos is None:
            self.photos = self.api.photos
        return self.photos

    def libraries(self) -> list[str]:
        return sorted(self.service().libraries)

    def listing(self, album: str = "Library", library: str = "root") -> Any:
        photos = list(self.service().libraries[library].albums[album].photos)
        self.known.update({photo.id: photo for photo in photos})
        return [
            {
                "id": photo.id,
                "filename": photo.filename,
                "versions": {
                    key: {"size": entry["size"], "url": entry["url"]}
                    for key, entry in photo.versions.items()
                },
            }
            for photo in photos
        ]

    def count(self, album: str = "Library") -> int:
        return len(self.service().albums[album])

    def albums(self) -> list[str]:
        return sorted(album.name for album in self.service().albums)

    def download(self, name: str, version: str = "original") -> Any:
        data = self.known[name].download(version)
        return {"size": len(data), "sha1": hashlib.sha1(data).hexdigest()}  # noqa: S324

    def delete(self, name: str) -> bool:
        return bool(self.known[name].delete())

    def favorite(self, name: str) -> bool:
        return bool(self.known[name].favorite())

    def changes(self, since: str) -> Any:
        events = self.service().iter_changes(since=since)
        return [[event.record_name, event.record_type] for event in events]

    def cursor(self) -> str:
        return str(self.service().sync_cursor())

    def storage(self) -> Any:
        usage = self.api.account.storage.usage
        return [usage.used_storage_in_bytes, usage.total_storage_in_bytes]

    def fetch(self, url: str, range_: str = "") -> Any:
        """Download without any cookie, as another library does."""
        answer = requests.get(url, headers={"Range": range_} if range_ else {}, timeout=30)
        return {
            "status": answer.status_code,
            "headers": {key.lower(): value for key, value in answer.headers.items()},
            "data": base64.b64encode(answer.content).decode(),
        }

    def fetch_many(self, urls: list[str]) -> list[int]:
        """Download at once with aiohttp, which takes proxy and authority from the environment."""

        async def one(session: aiohttp.ClientSession, url: str) -> int:
            async with session.get(URL(url, encoded=True)) as answer:
                answer.raise_for_status()
                return len(await answer.read())

        async def all_of_them() -> list[int]:
            context = ssl.create_default_context()  # aiohttp's own was made before the environment
            connector = aiohttp.TCPConnector(ssl=context)
            async with aiohttp.ClientSession(trust_env=True, connector=connector) as session:
                return await asyncio.gather(*(one(session, url) for url in urls))

        return asyncio.run(all_of_them())

    def http(self, url: str, data: Any = None) -> Any:
        """Plain HTTP to the control door."""
        raw = None if data is None else json.dumps(data).encode()
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(urllib.request.Request(url, raw)) as answer:  # noqa: S310
            return json.load(answer)

    def post(self, operation: str, data: Any, database: str = "private") -> Any:
        root = self.api.get_webservice_url("ckdatabasews")
        url = f"{root}/database/1/com.apple.photos.cloud/production/{database}/{operation}"
        params = {**self.api.params, "remapEnums": True, "getCurrentSyncToken": True}
        answer = self.api.session.post(
            url, params=params, data=json.dumps(data), headers={"Content-Type": "text/plain"}
        )
        return answer.json()


def main() -> None:
    driver, out = Driver(), os.fdopen(os.dup(1), "w")
    with contextlib.redirect_stdout(sys.stderr):
        for line in sys.stdin:
            name, arguments = json.loads(line)
            try:
                result = {"result": getattr(driver, name)(**arguments)}
            except Exception as error:  # noqa: BLE001
                answer = getattr(error.__cause__, "response", None)
                answer = getattr(error, "response", None) if answer is None else answer
                result = {
                    "error": type(error).__name__,
                    "text": str(error),
                    "code": getattr(error, "code", None),
                    "headers": dict(getattr(answer, "headers", {})),
                }
            out.write(json.dumps(result) + "\n")
            out.flush()


if __name__ == "__main__":
    main()
