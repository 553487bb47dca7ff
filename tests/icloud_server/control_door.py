"""The control door: orders over HTTP on the loopback address, or from the parent process."""

import asyncio
import inspect
import json

from aiohttp import web

from .answers import Json, reply
from .app import StandInServer
from .control import Control


class ControlDoor:
    """Carries orders to `Control`: over HTTP, and line by line from the parent process."""

    def __init__(self, server: StandInServer) -> None:
        self._control = Control(server)

    async def obey(self, raw: bytes) -> tuple[Json, int]:
        """Carry out one order; its result or an error, with an HTTP status."""
        data = json.loads(raw)
        name = str(data.pop("op", ""))
        method = getattr(self._control, name, None)
        if name.startswith("_") or not inspect.ismethod(method):
            return {"error": f"no operation {name!r}"}, 404
        try:
            if name == "state":  # may have to make many files; beside the loop
                return await asyncio.to_thread(method, **data), 200
            return method(**data), 200
        except (TypeError, ValueError, KeyError, IndexError) as error:
            return {"error": f"{type(error).__name__}: {error}"}, 400

    async def _post(self, request: web.Request) -> web.Response:
        return reply(*await self.obey(await request.read()))

    async def _get(self, request: web.Request) -> web.Response:
        data: Json = {"op": request.path.strip("/")}
        query = request.query
        if data["op"] == "state":
            data["zone"] = query.get("zone", "PrimarySync")
            data["assets"] = query.get("assets", "") in {"1", "true"}
            data["start"] = int(query.get("start", 0))
            data["limit"] = int(query.get("limit", 1000))
        return reply(*await self.obey(json.dumps(data).encode()))

    async def start(self, port: int) -> int:
        """Listen on 127.0.0.1; the port."""
        app = web.Application()
        app.router.add_post("/control", self._post)
        app.router.add_get("/counts", self._get)
        app.router.add_get("/state", self._get)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Close."""
        await self._runner.cleanup()
