"""A double of the Google Photos Library API, as far as rclone's backend uses it.

Made after Google's public description, never compared with the real service. It takes photos and
films only, knows bytes again that it has, gives no sizes or hashes, and can be told to hide what it
has, to be full, and to refuse the login. rclone reaches it under Google's own host name, through
``HTTPS_PROXY``.
"""

import asyncio
import hashlib
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from time import monotonic
from typing import Any, Self

from aiohttp import web

from tests.icloud_server.certificates import make_certificates
from tests.icloud_server.proxy import open_door

HOST = "photoslibrary.googleapis.com"
_MEDIA = (b"\xff\xd8", b"\x89PNG", b"GIF8")


@dataclass(slots=True)
class Stored:
    """One media item."""

    id: str
    filename: str
    data: bytes
    albums: set[str] = field(default_factory=set)


class GooglePhotos:
    """One account. Attributes may be read and set from the test's thread."""

    def __init__(self, work: Path) -> None:
        """``work`` is for its certificates."""
        self._authority, self._context = make_certificates(work / "google", (HOST,))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._listener: asyncio.Server | None = None
        self._runner: web.AppRunner | None = None
        self.port = 0
        self.items: list[Stored] = []
        self.albums: dict[str, str] = {}
        """Id → title."""
        self.calls: list[str] = []
        """Method and path of every request."""
        self.hides = False
        """Nothing is listed, as for an app that made none of it."""
        self.full = False
        self.refuses: int | None = None
        """A status for every request."""
        self.upload_seconds: list[float] = []
        """How long the bytes of each upload came in."""
        self._uploads: dict[str, tuple[str, bytes]] = {}

    @property
    def environment(self) -> dict[str, str]:
        """With which a program takes this for Google."""
        return {
            "HTTPS_PROXY": f"http://127.0.0.1:{self.port}",
            "SSL_CERT_FILE": str(self._authority),
        }

    @property
    def options(self) -> dict[str, Any]:
        """Of a remote of rclone; its token lasts for ever, and uploads wait for no others."""
        token = (
            '{"access_token":"t","token_type":"Bearer","refresh_token":"r",'
            '"expiry":"2099-01-01T00:00:00Z"}'
        )
        return {"type": "google photos", "token": token, "batch_mode": "off"}

    def names(self, album: str | None = None) -> list[str]:
        """File names of everything, or of an album with this title."""
        return sorted(
            item.filename
            for item in self.items
            if album is None or album in {self.albums[one] for one in item.albums}
        )

    def start(self) -> Self:
        """Listen, in a thread of its own."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._open(), self._loop).result(10)
        return self

    def close(self) -> None:
        """Stop."""
        asyncio.run_coroutine_threadsafe(self._shut(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _shut(self) -> None:
        if self._listener is not None:
            self._listener.close()
        if self._runner is not None:
            await self._runner.cleanup()
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in others:
                task.cancel()
            await asyncio.wait(others)

    async def _open(self) -> None:
        app = web.Application(client_max_size=1 << 30)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = runner = web.AppRunner(app, shutdown_timeout=1)
        await runner.setup()
        assert runner.server is not None
        self._listener, self.port = await open_door(0, self._context, runner.server)

    async def _answer(self, request: web.Request) -> web.Response:
        call = f"{request.method} {request.path.removeprefix('/v1')}"
        self.calls.append(call)
        if self.refuses is not None:
            return _error(self.refuses, "refused")
        known: dict[str, Callable[[web.Request], Awaitable[web.Response]]] = {
            "POST /uploads": self._upload,
            "POST /mediaItems:batchCreate": self._create,
            "POST /mediaItems:search": self._search,
            "GET /albums": self._list_albums,
            "GET /sharedAlbums": self._list_albums,
            "POST /albums": self._make_album,
        }
        if call not in known:
            return _error(404, f"unknown: {call}")
        return await known[call](request)

    async def _upload(self, request: web.Request) -> web.Response:
        token, began = token_hex(16), monotonic()
        name = request.headers.get("X-Goog-Upload-File-Name", "")
        self._uploads[token] = (name, await request.read())
        self.upload_seconds.append(monotonic() - began)
        return web.Response(text=token)

    async def _create(self, request: web.Request) -> web.Response:
        asked = await request.json()
        results = [self._create_one(new, asked.get("albumId")) for new in asked["newMediaItems"]]
        return web.json_response({"newMediaItemResults": results})

    def _create_one(self, new: dict[str, Any], album: str | None) -> dict[str, Any]:
        token = new["simpleMediaItem"]["uploadToken"]
        name, data = self._uploads.pop(token)
        name = new["simpleMediaItem"].get("fileName") or name
        if self.full:
            text = "The remaining storage in the user's account is not enough to perform this"
            return {"uploadToken": token, "status": {"code": 8, "message": text}}
        if not data.startswith(_MEDIA) and data[4:8] != b"ftyp":
            text = "Failed: There was an error while trying to create this media item."
            return {"uploadToken": token, "status": {"code": 3, "message": text}}
        digest = hashlib.sha256(data).digest()
        for item in self.items:
            if hashlib.sha256(item.data).digest() == digest:
                break
        else:
            item = Stored(token_hex(40), name, data)
            self.items.append(item)
        if album:
            item.albums.add(album)
        return {"uploadToken": token, "status": {"message": "Success"}, "mediaItem": _shown(item)}

    async def _search(self, request: web.Request) -> web.Response:
        asked = await request.json()
        album = asked.get("albumId")
        there = [] if self.hides else [i for i in self.items if not album or album in i.albums]
        begin, size = int(asked.get("pageToken") or 0), int(asked.get("pageSize") or 25)
        answer: dict[str, Any] = {"mediaItems": [_shown(i) for i in there[begin : begin + size]]}
        if begin + size < len(there):
            answer["nextPageToken"] = str(begin + size)
        return web.json_response(answer)

    async def _list_albums(self, request: web.Request) -> web.Response:
        if request.path.endswith("/sharedAlbums"):
            return web.json_response({})
        return web.json_response({"albums": [self._album(one) for one in self.albums]})

    async def _make_album(self, request: web.Request) -> web.Response:
        one = token_hex(40)
        self.albums[one] = (await request.json())["album"]["title"]
        return web.json_response(self._album(one))

    def _album(self, one: str) -> dict[str, Any]:
        return {"id": one, "title": self.albums[one], "isWriteable": True}


def _shown(item: Stored) -> dict[str, Any]:
    return {
        "id": item.id,
        "filename": item.filename,
        "mimeType": "image/jpeg",
        "baseUrl": f"https://{HOST}/bytes/{item.id}",
        "mediaMetadata": {"creationTime": "2024-05-01T12:00:00Z", "width": "4", "height": "4"},
    }


def _error(status: int, message: str) -> web.Response:
    return web.json_response(
        {"error": {"code": status, "message": message, "status": "REFUSED"}}, status=status
    )
