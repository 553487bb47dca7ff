"""The content host: bytes by address, with ranges, expiry and all that can go wrong."""

import asyncio
import gzip
import re
import time

from aiohttp import web

from .body import Body
from .faults import Fault
from .library import Library
from .records import sign
from .specs import Role

RANGE = re.compile(r"bytes=(\d*)-(\d*)$")


class Content:
    """Answers downloads."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.bytes_sent = 0

    def expire_all(self) -> None:
        """Every address handed out until now is expired."""
        self.library.url_generation += 1

    async def __call__(self, request: web.BaseRequest, faults: list[Fault]) -> web.StreamResponse:
        """Send a resource or a part of it."""
        query = request.query
        opaque, expires = query.get("o", ""), int(query.get("e", "0"))
        if query.get("s") != sign(opaque, expires):
            return web.Response(status=403)
        resource, _, generation = opaque.rpartition(".")
        old = expires < time.time() or generation != str(self.library.url_generation)
        if old or any(fault.expired for fault in faults):
            return web.Response(status=410, headers={"x-apple-expired": "1"})
        fault = next((fault for fault in faults if fault.of_bytes), Fault())
        body = await self._find(resource, fault.other)
        if body is None:
            return web.Response(status=404)
        return await self._send(request, _instead(body, fault), fault)

    async def _find(self, opaque: str, further: int) -> Body | None:
        name, index_text, role, edits = opaque.split(".")
        zone = self.library.zones.get(name)
        index = int(index_text)
        if zone is None or index >= len(zone) or zone.gone(index, 0):
            return None
        spec = zone.spec(index + further if index + further < len(zone) else index - further)
        if spec.real:
            return await asyncio.to_thread(self.library.media.body, spec, Role(role), int(edits))
        return self.library.media.body(spec, Role(role), int(edits))

    async def _send(self, request: web.BaseRequest, body: Body, fault: Fault) -> web.StreamResponse:
        size = body.size if fault.truncate_at < 0 else min(fault.truncate_at, body.size)
        start, stop, status = 0, size, 200
        headers = {
            "Accept-Ranges": "bytes",
            "Content-Type": fault.content_type or "application/octet-stream",
            "ETag": f'"{request.path.split("/")[2]}"',
        }
        if fault.gzip:
            headers["Content-Encoding"] = "gzip"
        asked = RANGE.match(request.headers.get("Range", ""))
        if asked and not fault.ignore_range:
            first, last = asked.groups()
            start = int(first) if first else max(size - int(last or 0), 0)
            stop = min(int(last) + 1, size) if first and last else size
            if start >= size:
                return web.Response(status=416, headers={"Content-Range": f"bytes */{size}"})
            start, status = min(start + fault.shift_range, stop - 1), 206
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size + fault.wrong_total}"
        response = web.StreamResponse(status=status, headers=headers)
        response.content_length = stop - start
        await response.prepare(request)
        if request.method == "HEAD":
            return response
        cut = stop if fault.cut_after < 0 else min(start + fault.cut_after, stop)
        at = start
        for chunk in body.chunks(start, cut):
            data: bytes | memoryview | bytearray = chunk
            if at <= fault.flip < at + len(chunk):
                changed = bytearray(chunk)
                changed[fault.flip - at] ^= 0xFF
                data = changed
            await response.write(data)
            at += len(chunk)
            self.bytes_sent += len(chunk)
            if fault.rate:
                await asyncio.sleep(len(chunk) / fault.rate)
        if cut < stop:
            assert request.transport is not None
            request.transport.close()
            return response
        await response.write_eof()
        return response


def _instead(body: Body, fault: Fault) -> Body:
    """What is sent in place of the true bytes."""
    if fault.text:
        text = fault.text.encode()
        return Body(text.ljust(body.size) if fault.same_length else text)
    if fault.gzip:
        return Body(gzip.compress(body.read(), 1))
    if fault.pad:
        return Body(body.read() + b"\0" * fault.pad)
    if fault.zeros_from >= 0:
        return Body(body.read()[: fault.zeros_from].ljust(body.size, b"\0"))
    return body
