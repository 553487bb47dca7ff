"""Blocking HTTPS connections that are kept for the next download. For the child process."""

import socket
import ssl
import threading
from base64 import b64encode
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException, HTTPResponse, HTTPSConnection
from typing import Final
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

from ..errors import SourceUnreachable, UrlExpired
from ..sources.http import ssl_context

VARIABLES: Final = (
    *("https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY"),
    *("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"),
)
"""What the environment says about the way into the Internet."""
_CONNECT_SECONDS: Final = 15.0
_SILENT_SECONDS: Final = 60.0
_REDIRECTS: Final = 5
_SAFE: Final = "%/:=&?~#+!$,;'@()*[]-._"


type Lend = Callable[[HTTPSConnection | None], None]


class _Connection(HTTPSConnection):
    place = ""
    """Host and port that it leads to, by whatever way."""


def knows_the_way() -> bool:
    """False with a kind of proxy that ``http.client`` can't talk to."""
    return urlsplit(getproxies().get("https", "http:")).scheme == "http"


def break_off(connection: HTTPSConnection) -> None:
    """Wake a thread that waits for this connection; it will find it closed."""
    if (sock := connection.sock) is not None:
        with suppress(OSError):
            socket.socket.shutdown(sock, socket.SHUT_RDWR)  # SSLSocket's own would free its TLS


class Connections:
    """Any thread may use it."""

    def __init__(self) -> None:
        self._idle: defaultdict[str, list[_Connection]] = defaultdict(list)
        self._lock = threading.Lock()
        self._context: ssl.SSLContext | None = None

    @contextmanager
    def get(self, url: str, offset: int, lend: Lend) -> Iterator[HTTPResponse]:
        """Ask for the bytes from ``offset`` on; the connection is kept when all of them were read.

        ``lend`` gets each connection before it is waited for, to ``break_off`` it, and None when it
        is taken back. Raises UrlExpired for what is no download address, and SourceUnreachable.
        """
        headers = {"Accept-Encoding": "identity"}
        if offset:
            headers["Range"] = f"bytes={offset}-"
        try:
            connection, response = self._ask(url, headers, lend)
        except (OSError, HTTPException) as error:
            raise SourceUnreachable(type(error).__name__) from error
        try:
            yield response
        finally:
            lend(None)
            if response.isclosed() and connection.sock is not None:
                with self._lock:
                    self._idle[connection.place].append(connection)
            else:
                response.close()
                connection.close()

    def _ask(
        self, url: str, headers: dict[str, str], lend: Lend
    ) -> tuple[_Connection, HTTPResponse]:
        for _ in range(_REDIRECTS):
            parts = urlsplit(url)
            if parts.scheme != "https" or not parts.hostname:
                raise UrlExpired("not a download address")
            target = quote(f"{parts.path or '/'}?{parts.query}", safe=_SAFE)
            connection, response = self._request(
                parts.hostname, parts.port or 443, target, headers, lend
            )
            place = response.headers.get("Location")
            if response.status not in {301, 302, 303, 307, 308} or place is None:
                return connection, response
            connection.close()
            url = urljoin(url, place)
        raise SourceUnreachable("sent from place to place")

    def _request(
        self,
        host: str,
        port: int,
        target: str,
        headers: dict[str, str],
        lend: Lend,
    ) -> tuple[_Connection, HTTPResponse]:
        while True:
            connection, used = self._take(host, port)
            try:
                lend(connection)
                if connection.sock is None:
                    connection.connect()
                    assert connection.sock is not None  # noqa: S101 - it is connected
                    connection.sock.settimeout(_SILENT_SECONDS)
                connection.request("GET", target, headers=headers)
                return connection, connection.getresponse()
            except TimeoutError:
                connection.close()
                raise
            except OSError, HTTPException:
                connection.close()
                if not used:  # the other side may close what lay idle at any time
                    raise
            except BaseException:  # a cancelled job too: no connection may stay half used
                connection.close()
                raise

    def _take(self, host: str, port: int) -> tuple[_Connection, bool]:
        place = f"{host}:{port}"
        with self._lock:
            if idle := self._idle[place]:
                return idle.pop(), True
            if self._context is None:
                self._context = ssl_context()
            context = self._context
        proxy = None if proxy_bypass(host) else getproxies().get("https")
        if proxy is None:
            made = _Connection(host, port, timeout=_CONNECT_SECONDS, context=context)
        else:
            via = urlsplit(proxy)
            made = _Connection(
                via.hostname or "", via.port or 80, timeout=_CONNECT_SECONDS, context=context
            )
            made.set_tunnel(host, port, _who(via))
        made.place = place
        return made, False


def _who(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    words = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {b64encode(words.encode()).decode()}"}
