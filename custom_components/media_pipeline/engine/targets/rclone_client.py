"""Calls to rclone's remote control: HTTP with JSON, long ones as jobs that are asked about.

Errors are named (see ``rclone_errors``). https://rclone.org/rc/
"""

import asyncio
import itertools
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from secrets import token_hex
from typing import Any, Final
from urllib.parse import quote

import aiohttp
from yarl import URL

from ..errors import (
    CertificateRefused,
    FileVanished,
    PipelineError,
    RcloneMissing,
    RcloneNoServe,
    TargetUnreachable,
)
from .rclone_config import RcloneTargetConfig
from .rclone_errors import explain, explain_status

_LIMITS: Final = {"LowLevelRetries": 2, "ConnectTimeout": 10_000_000_000}
"""Time in nanoseconds, as old versions want it. Without these a server that refuses costs 11 s and
more per call."""
_CALL_SECONDS: Final = 300
_POLL: Final = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
_LOST: Final = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)
_PIECE: Final = 1 << 20


class JobLost(Exception):
    """rclone no longer knows a job: it was started anew, so look at the target again."""


class RcloneClient:
    """One rclone. Make it on the loop that uses it."""

    def __init__(self, config: RcloneTargetConfig) -> None:
        """Nothing is connected before the first call."""
        self._base = URL(config.url.rstrip("/") + "/")
        self._auth = None
        if config.username or config.password:
            self._auth = aiohttp.BasicAuth(config.username or "", config.password or "", "utf-8")
        self._verify = config.verify_tls
        self._parallel = config.parallel
        self._http: aiohttp.ClientSession | None = None

    @property
    def host(self) -> str:
        """Where rclone's remote control listens."""
        return self._base.host or ""

    @property
    def _session(self) -> aiohttp.ClientSession:
        if self._http is None or self._http.closed:
            connector = aiohttp.TCPConnector(limit=max(16, 3 * self._parallel), ssl=self._verify)
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=_CALL_SECONDS)
            self._http = aiohttp.ClientSession(
                connector=connector, timeout=timeout, auto_decompress=False
            )
        return self._http

    async def call(
        self,
        command: str,
        *,
        path: str = "",
        config: Mapping[str, Any] | None = None,
        **values: Any,
    ) -> dict[str, Any]:
        """One call; asked twice when the connection turns out to be dead.

        ``path`` is for errors. Raises what ``explain`` makes of rclone's text.
        """
        body = {**values, "_config": {**_LIMITS, **(config or {})}}
        for last in (False, True):
            try:
                return await self._post(command, body, path)
            except TargetUnreachable as err:
                if last or not isinstance(err.__cause__, _LOST):
                    raise
        raise AssertionError

    async def version(self) -> tuple[int, ...]:
        """Of that rclone, such as (1, 75, 2)."""
        answer = await self._post("core/version", {}, "")
        return tuple(int(part) for part in answer.get("decomposed") or (0,))

    async def asks_for_a_password(self) -> bool:
        """False when rclone takes orders from anybody who reaches it."""
        try:
            await self._post("rc/noopauth", {}, "", auth=False)
        except PipelineError:
            return True
        return False

    async def _post(
        self, command: str, body: Mapping[str, Any], path: str, *, auth: bool = True
    ) -> dict[str, Any]:
        async with self._errors(path):
            sent = self._session.post(
                self._base.join(URL(command)), json=body, auth=self._auth if auth else None
            )
            async with sent as answer:
                return await self._read_answer(answer, path)

    async def _read_answer(self, answer: aiohttp.ClientResponse, path: str) -> dict[str, Any]:
        try:
            data = await answer.json(content_type=None)
        except ValueError:
            data = None
        if isinstance(data, dict):
            if answer.status == 200:
                return data
            raise explain_status(answer.status, str(data.get("error") or ""), path)
        if answer.status in {401, 502, 503, 504}:
            raise explain_status(answer.status, "", path)
        raise RcloneMissing(f"HTTP {answer.status} without JSON", path=path)

    @asynccontextmanager
    async def _errors(self, path: str) -> AsyncIterator[None]:
        try:
            yield
        except aiohttp.ClientConnectorCertificateError as err:
            raise CertificateRefused(str(err), path=path) from err
        except (aiohttp.ClientError, TimeoutError, OSError) as err:
            raise TargetUnreachable(f"rclone: {type(err).__name__}: {err}", path=path) from err

    # --- long calls -------------------------------------------------------------------------------

    async def run_job(
        self,
        command: str,
        *,
        path: str = "",
        config: Mapping[str, Any] | None = None,
        on_total: Callable[[int], None] | None = None,
        **values: Any,
    ) -> dict[str, Any]:
        """Start a call as a job and wait for its answer; a cancelled caller stops the job.

        ``on_total`` gets the bytes moved so far. Raises JobLost when rclone forgot the job.
        """
        group = f"media_pipeline/{token_hex(8)}"
        started = await self._post(
            command,
            {**values, "_config": {**_LIMITS, **(config or {})}, "_async": True, "_group": group},
            path,
        )
        job = int(started["jobid"])
        try:
            return await self._wait(job, group, path, on_total)
        except asyncio.CancelledError:
            await self._stop(job)
            raise

    async def _wait(
        self, job: int, group: str, path: str, on_total: Callable[[int], None] | None
    ) -> dict[str, Any]:
        for seconds in itertools.chain(_POLL, itertools.repeat(_POLL[-1])):
            state = await self._job(job, path)
            if state.get("finished"):
                if state.get("success"):
                    return dict(state.get("output") or {})
                raise explain(str(state.get("error") or "failed without a reason"), path)
            if on_total is not None and seconds >= _POLL[3]:
                stats = await self.call("core/stats", path=path, group=group)
                on_total(int(stats.get("bytes") or 0))
            await asyncio.sleep(seconds)
        raise AssertionError

    async def _job(self, job: int, path: str) -> dict[str, Any]:
        try:
            return await self.call("job/status", path=path, jobid=job)
        except PipelineError as err:
            if "job not found" in err.detail:
                raise JobLost from err
            raise

    async def _stop(self, job: int) -> None:
        """Stop a job and wait until it is over: only then is its half file there to be removed."""
        with suppress(PipelineError, JobLost, TimeoutError):
            async with asyncio.timeout(10):
                await self.call("job/stop", jobid=job)
                while not (await self._job(job, "")).get("finished"):  # noqa: ASYNC110 - asked
                    await asyncio.sleep(0.05)

    # --- bytes ------------------------------------------------------------------------------------

    async def upload(
        self,
        fs: str,
        folder: str,
        name: str,
        pieces: AsyncGenerator[bytes],
        path: str,
    ) -> None:
        """Stream bytes to a new file."""
        group = f"media_pipeline/{token_hex(8)}"
        form = aiohttp.MultipartWriter("form-data")
        part = form.append(pieces)
        # without quotes of the library's own kind, which rclone would take for the name
        part.set_content_disposition("form-data", quote_fields=False, name="file", filename=name)
        url = self._base.join(URL("operations/uploadfile")).with_query(
            fs=fs, remote=folder, _group=group
        )
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10)
        try:
            async with self._errors(path):
                sent = self._session.post(url, data=form, auth=self._auth, timeout=timeout)
                async with sent as answer:
                    await self._read_answer(answer, path)
        except BaseException:  # cancelled too: rclone must be done with it before it is removed
            await self._settle(group)
            raise

    async def _settle(self, group: str) -> None:
        with suppress(PipelineError, TimeoutError):
            async with asyncio.timeout(5):
                await self.call("job/stopgroup", group=group)
                while await self._moving(group):  # noqa: ASYNC110 - nobody tells, so ask
                    await asyncio.sleep(0.05)

    async def _moving(self, group: str) -> bool:
        return bool((await self.call("core/stats", group=group)).get("transferring"))

    async def read(self, fs: str, remote: str, path: str) -> AsyncGenerator[bytes]:
        """The bytes of a file, which rclone serves under ``--rc-serve``.

        Raises FileVanished, and RcloneNoServe, which old versions also say for a missing file.
        """
        address = f"{str(self._base).rstrip('/')}/{quote(f'[{fs}]', safe='')}/{quote(remote)}"
        asked = self._session.get(URL(address, encoded=True), auth=self._auth)
        async with self._errors(path), asked as answer:
            if answer.status != 200:
                if answer.status == 404 and "json" not in answer.content_type:
                    raise RcloneNoServe("started without --rc-serve", path=path)
                await self._read_answer(answer, path)
                raise FileVanished(f"HTTP {answer.status}", path=path)
            async for piece in answer.content.iter_chunked(_PIECE):
                yield piece

    async def close(self) -> None:
        """Close the connections."""
        session, self._http = self._http, None
        if session is not None:
            await session.close()
