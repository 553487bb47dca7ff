"""The whole stand-in: which request goes where, counted, delayed and broken as told."""

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web

from .account import Account
from .answers import body_of, html, reply
from .certificates import make_certificates
from .changes import Changes
from .chaos import Chaos
from .content import Content
from .faults import Fault, Faults
from .library import Library
from .modify import Modify
from .options import Options
from .proxy import open_door
from .query import Query
from .setup import TOKEN_COOKIE, Setup
from .signin import SignIn

type Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
type Breakable = Callable[[web.BaseRequest, list[Fault]], Awaitable[web.StreamResponse]]

ROUTES = (
    ("authorize", r"GET idmsa\.[^/]+/appleauth/auth/authorize/signin"),
    ("signin_init", r"POST idmsa\.[^/]+/appleauth/auth/signin/init"),
    ("signin", r"POST idmsa\.[^/]+/appleauth/auth/signin/complete"),
    ("auth_options", r"GET idmsa\.[^/]+/appleauth/auth"),
    ("send_code", r"PUT idmsa\.[^/]+/appleauth/auth/verify/(phone|trusteddevice/securitycode)"),
    (
        "verify_code",
        r"POST idmsa\.[^/]+/appleauth/auth/verify/(phone|trusteddevice)/securitycode",
    ),
    ("trust", r"GET idmsa\.[^/]+/appleauth/auth/2sv/trust"),
    ("account_login", r"POST setup\.[^/]+/setup/ws/1/accountLogin"),
    ("validate", r"POST setup\.[^/]+/setup/ws/1/validate"),
    ("logout", r"POST setup\.[^/]+/setup/ws/1/logout"),
    ("terms", r"\w+ setup\.[^/]+/setup/ws/1/getTerms"),
    ("terms_done", r"\w+ setup\.[^/]+/setup/ws/1/repairDone"),
    ("web_access", r"POST setup\.[^/]+/setup/ws/1/requestWebAccessState"),
    ("ask_consent", r"POST setup\.[^/]+/setup/ws/1/enableDeviceConsentForPCS"),
    ("request_pcs", r"POST setup\.[^/]+/setup/ws/1/requestPCS"),
    ("storage", r"\w+ setup\.[^/]+/setup/ws/1/storageUsageInfo"),
    ("zones_list", r"POST [^/]+/database/1/com\.apple\.photos\.cloud/.*/zones/list"),
    (
        "count",
        r"POST [^/]+/database/1/com\.apple\.photos\.cloud/.*/internal/records/query/batch",
    ),
    ("query", r"POST [^/]+/database/1/com\.apple\.photos\.cloud/.*/records/query"),
    ("lookup", r"POST [^/]+/database/1/com\.apple\.photos\.cloud/.*/records/lookup"),
    ("modify", r"POST [^/]+/database/1/com\.apple\.photos\.cloud/.*/records/modify"),
    ("changes_database", r"POST [^/]+/database/1/com\.apple\.photos\.cloud/.*/changes/database"),
    ("changes_zone", r"POST [^/]+/database/1/com\.apple\.photos\.cloud/.*/changes/zone"),
    ("content", r"(GET|HEAD) cvws\.icloud-content\.com/B/.*"),
    ("home", r"GET www\.icloud\.com/?.*"),
)
_PATTERNS = [(name, re.compile(pattern + "$")) for name, pattern in ROUTES]
DATABASE = {"zones_list", "count", "query", "lookup", "modify", "changes_database", "changes_zone"}


def operation_of(request: web.BaseRequest) -> str:
    """The name of what a request asks for."""
    text = f"{request.method} {request.host.partition(':')[0]}{request.path}"
    return next((name for name, pattern in _PATTERNS if pattern.match(text)), "unknown")


class StandInServer:
    """Everything that one process serves."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.counts: Counter[str] = Counter()
        self.faults = Faults()
        self.chaos: Chaos | None = None
        self.latency_s = options.latency_ms / 1000
        self.account = Account(options.apple_id, options.password, options.code, options.delivery)
        self.build()

    def build(self) -> None:
        """A fresh library and what serves it."""
        library = self.library = Library(self.options)
        signin = SignIn(self.account)
        setup = self.setup = Setup(self.account, library, self.options.quota)
        query = self.query = Query(library)
        changes = self.changes = Changes(library)
        self.content = Content(library)
        self._handlers: dict[str, Handler] = {
            "authorize": signin.authorize,
            "signin_init": signin.init,
            "signin": signin.complete,
            "auth_options": signin.options,
            "send_code": signin.send,
            "verify_code": signin.verify,
            "trust": signin.trust,
            "account_login": setup.account_login,
            "validate": setup.validate,
            "logout": setup.logout,
            "terms": setup.terms,
            "terms_done": setup.terms_done,
            "web_access": setup.web_access,
            "ask_consent": setup.ask_consent,
            "request_pcs": setup.request_pcs,
            "storage": setup.storage,
            "zones_list": query.zones,
            "count": query.count,
            "query": query.query,
            "changes_database": changes.database,
            "changes_zone": changes.zone,
            "home": self._home,
        }
        self._breakable: dict[str, Breakable] = {
            "lookup": query.lookup,
            "modify": Modify(library, query),
            "content": self.content,
        }

    @staticmethod
    async def _home(_request: web.BaseRequest) -> web.Response:
        return html("<html><body>iCloud</body></html>")

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Any request to any host."""
        op = operation_of(request)
        if op == "query":
            kind = (await body_of(request)).get("query", {}).get("recordType")
            op = {"CheckIndexingState": "indexing", "CPLAlbumByPositionLive": "albums"}.get(
                str(kind), op
            )
        self.counts[op] += 1
        self.counts["requests"] += 1
        struck = self.faults.take(op, request.host, request.path_qs)
        if self.chaos is not None:
            struck += self._chaos(self.chaos, op)
        delay = self.latency_s + sum(fault.latency_ms for fault in struck) / 1000
        if delay:
            await asyncio.sleep(delay)
        for fault in struck:
            answer = self._instead(request, fault)
            if answer is not None:
                self.counts["faults"] += 1
                return answer
        return await _maimed(request, await self._answer(request, op, struck), op, struck)

    def _chaos(self, chaos: Chaos, op: str) -> list[Fault]:
        fault, order = chaos.strike(op)
        match order:
            case "logout_all":
                self.account.logout_all()
            case "expire_urls":
                self.content.expire_all()
            case "reject_tokens":
                self.library.generation += 1
            case "empty_pages":
                self.changes.empty_pages = 3
        return [] if fault is None else [fault]

    async def _answer(
        self, request: web.BaseRequest, op: str, struck: list[Fault]
    ) -> web.StreamResponse:
        name = "query" if op in {"indexing", "albums"} else op
        if name in DATABASE and (refusal := self._refuse(request)) is not None:
            return refusal
        if (breakable := self._breakable.get(name)) is not None:
            return await breakable(request, struck)
        handler = self._handlers.get(name)
        if handler is None:
            self.counts[f"unknown {request.method} {request.host}{request.path}"] += 1
            return reply({"reason": "no such operation in the stand-in"}, 404)
        return await handler(request)

    def _refuse(self, request: web.BaseRequest) -> web.Response | None:
        if not self.account.knows(request.cookies.get(TOKEN_COOKIE, "")):
            return reply(
                {
                    "reason": "Missing X-APPLE-WEBAUTH-TOKEN cookie",
                    "serverErrorCode": "AUTHENTICATION_REQUIRED",
                },
                421,
            )
        if not self.account.web_access or (self.account.protected and not self.account.consented):
            return reply(
                {"reason": "private db access disabled", "serverErrorCode": "ACCESS_DENIED"}, 403
            )
        return None

    @staticmethod
    def _instead(request: web.BaseRequest, fault: Fault) -> web.Response | None:
        if fault.drop:
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=500)
        if fault.json is not None:
            answer = reply(fault.json, fault.status or 200)
        elif fault.html or fault.status:
            text = fault.html or f"<html><body><h1>{fault.status}</h1></body></html>"
            answer = html(text, fault.status or 200)
        else:
            return None
        answer.headers.update(fault.headers)
        return answer

    async def start(self, state_dir: Path) -> tuple[int, Path]:
        """Open the door; its port, and the authority to trust."""
        ca_file, context = make_certificates(state_dir)
        self._runner = await _runner(self.handle)
        assert self._runner.server is not None
        self._door, port = await open_door(self.options.port, context, self._runner.server)
        return port, ca_file

    async def stop(self) -> None:
        """Close everything."""
        self._door.close()
        await self._runner.cleanup()


async def _maimed(
    request: web.BaseRequest, answer: web.StreamResponse, op: str, struck: list[Fault]
) -> web.StreamResponse:
    """An answer that is no download, shortened openly or cut off."""
    body = answer.body if isinstance(answer, web.Response) else None
    fault = next((fault for fault in struck if max(fault.truncate_at, fault.cut_after) >= 0), None)
    if op == "content" or fault is None or not isinstance(body, bytes):
        return answer
    if fault.truncate_at >= 0:
        assert isinstance(answer, web.Response)
        answer.body = body[: fault.truncate_at]
        return answer
    cut = web.StreamResponse(status=answer.status)
    cut.content_length = max(len(body), fault.cut_after + 1)
    await cut.prepare(request)
    await cut.write(body[: fault.cut_after])
    if request.transport is not None:
        request.transport.close()
    return cut


async def _runner(handler: Handler) -> web.ServerRunner:
    server = web.Server(handler, access_log=None)
    runner = web.ServerRunner(server)
    await runner.setup()
    return runner
