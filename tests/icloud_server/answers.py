"""Reading requests and writing answers the way Apple's hosts do."""

import json
from typing import Any

from aiohttp import web

type Json = dict[str, Any]


async def body_of(request: web.BaseRequest) -> Json:
    """The JSON body, whatever the content type says; {} for none or null."""
    raw = await request.read()
    try:
        data = json.loads(raw) if raw else {}
    except ValueError:
        data = {}
    return data if isinstance(data, dict) else {}


def reply(data: object, status: int = 200) -> web.Response:
    """A JSON answer."""
    return web.Response(
        body=json.dumps(data, separators=(",", ":")).encode(),
        status=status,
        content_type="application/json",
        charset="utf-8",
    )


def html(text: str, status: int = 200) -> web.Response:
    """An HTML answer."""
    return web.Response(text=text, status=status, content_type="text/html")
