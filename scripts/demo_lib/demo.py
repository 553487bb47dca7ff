"""One demo: its servers, its Home Assistant, and the main job from sign-in to freed space."""

import asyncio
import tempfile
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, Self

import aiohttp
import asyncssh

from custom_components.media_pipeline.engine_config import OPTION_DEFAULTS
from tests.icloud_server.client import StandIn
from tests.support.asyncssh_server import AsyncsshServer
from tests.support.sftp import start_sftp_server
from tests.support.sftp_access import free_port
from tests.support.sshd import RealSshd

from . import DemoFailed
from .api import HomeAssistantApi
from .clicks import Installed, install
from .compare import Freed, compare
from .hass import HassProcess, prepare_config
from .live import Live
from .measure import Asset, may_be_freed
from .places import Places
from .report import Report

_DAY_MS: Final = 86_400_000
_HOURS_APART: Final = 5.0
"""The stand-in's photos, one after another."""
_READY_SECONDS: Final = 60.0
_TAIL_LINES: Final = 60

type Say = Callable[[str], None]


def _newest(assets: int, min_age_days: int) -> int:
    """When the newest photo was taken, so that a quarter of the library is too young to free."""
    span_hours = (assets / 4 - 0.5) * _HOURS_APART
    return int(time.time() * 1000 - min_age_days * _DAY_MS + span_hours * 3_600_000)


@dataclass(slots=True)
class Demo:
    """Use as an async context manager; then `run`, `clean_up` and `report`."""

    assets: int = 200
    say: Say = lambda _text: None
    live: Live | None = None
    latency_ms: int = 0
    keep: bool = False
    """Leave the folders behind, to look at them."""
    places: Places = field(init=False)
    icloud: StandIn = field(init=False)
    hass: HassProcess = field(init=False)
    api: HomeAssistantApi = field(init=False)
    installed: Installed = field(init=False)
    seconds: dict[str, float] = field(default_factory=dict)
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    _entities: dict[str, str] = field(default_factory=dict)
    _run: dict[str, Any] = field(default_factory=dict)
    _freed: Freed | None = None
    _reasons: dict[str, int] = field(default_factory=dict)
    _sftp: RealSshd | AsyncsshServer = field(init=False)

    async def __aenter__(self) -> Self:
        """Start everything and set the integration up. On failure nothing is left running."""
        try:
            await self._start()
        except BaseException as err:
            await self.__aexit__(type(err), err)
            raise
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, err: BaseException | None, *_: object
    ) -> None:
        """Stop everything; the folders go as well. A failure gets the end of the log as a note."""
        if err is not None:
            err.add_note(self.log_tail())
        await self._stack.aclose()

    def log_tail(self) -> str:
        """The last lines that Home Assistant printed."""
        lines = self.places.log_text().splitlines()[-_TAIL_LINES:]
        return "\n".join(["The last lines of Home Assistant:", *lines])

    async def _timed[T](self, name: str, work: Coroutine[Any, Any, T]) -> T:
        began = time.monotonic()
        result = await work
        self.seconds[name] = time.monotonic() - began
        return result

    # --- starting -----------------------------------------------------------------------------

    async def _start(self) -> None:
        folder = tempfile.TemporaryDirectory(
            prefix="media-pipeline-demo-", ignore_cleanup_errors=True, delete=not self.keep
        )
        self.places = Places(Path(self._stack.enter_context(folder)))
        if self.keep:
            self.say(f"everything lies in {self.places.root} and stays there")
        self.places.make()
        await self._timed("servers", self._start_servers())
        await self._timed("home_assistant_start", self._start_hass())
        await self._timed("set_up", self._set_up())

    async def _start_servers(self) -> None:
        min_age = int(OPTION_DEFAULTS["min_age_days"])
        start = partial(
            StandIn.start,
            self.assets,
            newest_ms=_newest(self.assets, min_age),
            # encoding films is most of a run: most of them are of a few frames only
            real=max(40, self.assets * 3 // 10),
            latency_ms=self.latency_ms,
        )
        self.icloud = await asyncio.to_thread(start)
        self._stack.callback(self.icloud.stop)
        if self.assets >= 10:  # some that the safety rules must keep
            oldest = self.assets - 1
            await asyncio.to_thread(self.icloud.control, "favorite", index=[oldest, oldest - 3])
            await asyncio.to_thread(self.icloud.control, "hide", index=[oldest - 5])
        self._sftp = await start_sftp_server(self.places.served)
        self._stack.push_async_callback(self._sftp.close)
        kind = "OpenSSH" if isinstance(self._sftp, RealSshd) else "asyncssh (no sshd installed)"
        self.say(f"a stand-in for iCloud with {self.assets} assets; SFTP server: {kind}")

    async def _start_hass(self) -> None:
        port = free_port()
        prepare_config(self.places.config, port)
        self.hass = HassProcess(self.places, port, self.icloud.environment)
        self._stack.push_async_callback(self.hass.stop)
        session = await self._stack.enter_async_context(
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None, sock_connect=10))
        )
        self.api = HomeAssistantApi(session, self.hass.url)
        await self.hass.start()
        await self.api.onboard()
        await self._running()
        self.say(f"Home Assistant runs at {self.hass.url}")

    async def _running(self) -> None:
        await self._until("Home Assistant is started", self._has_started)

    async def _has_started(self) -> bool:
        return bool((await self.api.get("/api/config"))["state"] == "RUNNING")

    async def _set_up(self) -> None:
        access = self._sftp.access
        key = asyncssh.import_public_key(access.host_key)
        self.installed = await install(
            self.api, self.places, self.icloud, access, key.get_fingerprint()
        )
        await self._until("the integration is loaded", self._is_loaded)
        # Voice assistants are left out; Home Assistant would show that as a broken configuration.
        with suppress(DemoFailed):
            await self.api.post(
                "/api/services/persistent_notification/dismiss",
                {"notification_id": "invalid_config"},
            )
        self.say("set up by its own dialogs: iCloud, archive, USB disk, NAS (host key confirmed)")

    async def _is_loaded(self) -> bool:
        """Adding a target reloads the entry: wait for the last target's entities."""
        prefix = f"{self.installed.entry_id}_"
        listed = await self.api.command("config/entity_registry/list")
        self._entities = {
            entity["unique_id"].removeprefix(prefix): entity["entity_id"]
            for entity in listed
            if entity["unique_id"].startswith(prefix)
        }
        wanted = [f"{target}_state" for target in self.installed.targets.values()]
        states = await self.states()
        return all(states.get(key, "unavailable") != "unavailable" for key in ["status", *wanted])

    async def _until(self, what: str, ready: Callable[[], Coroutine[Any, Any, bool]]) -> None:
        end = time.monotonic() + _READY_SECONDS
        while not await ready():
            self.hass.check()
            if time.monotonic() > end:
                raise DemoFailed(f"waited {_READY_SECONDS:.0f} s in vain until {what}")
            await asyncio.sleep(0.2)

    # --- the main job -------------------------------------------------------------------------

    async def states(self) -> dict[str, str]:
        """Key of each of the integration's entities → its state."""
        states = await self.api.states()
        return {
            key: str(states[entity_id]["state"])
            for key, entity_id in self._entities.items()
            if entity_id in states
        }

    async def run(self) -> dict[str, Any]:
        """All stages but cleanup; returns the action's response."""
        self._run = await self._timed("run", self._watched(self.api.act("run", wait=True)))
        reason = f" ({self._run['error']})" if self._run["error"] else ""
        self.say(f"the run {self._run['outcome'].replace('_', ' ')}{reason}")
        return self._run

    async def start_run(self) -> None:
        """Start a run and don't wait for it."""
        await self.api.act("run")

    async def _watched(self, work: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any]:
        task = asyncio.create_task(work)
        try:
            while not task.done():
                self.hass.check()
                if self.live is not None:
                    states = await self.states()
                    line = self.live.describe(
                        lambda key, now=states: now.get(key, ""),  # type: ignore[misc]
                        self.installed.targets,
                        self.places,
                    )
                    self.live.show(line)
                await asyncio.wait({task}, timeout=0.5)
        finally:
            if self.live is not None:
                self.live.end()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        return task.result()

    async def clean_up(self) -> None:
        """Plan, dry run, approval, then the real thing."""
        await self._timed("cleanup", self._clean_up())

    async def _clean_up(self) -> None:
        made = await self.api.act("plan_cleanup")
        plan = made["plan"]
        library = await asyncio.to_thread(self.icloud.assets)
        allowed = may_be_freed(
            map(Asset.of, library),
            now_ms=int(time.time() * 1000),
            min_age_days=int(OPTION_DEFAULTS["min_age_days"]),
            limit=int(OPTION_DEFAULTS["max_assets_per_plan"]),
        )
        self.say(f"plan {plan['plan_id']}: {plan['assets']} assets may be freed")
        self._reasons = made["reasons"]
        plan_id = plan["plan_id"]
        dry = await self.api.act("cleanup", plan_id=plan_id)
        trashed = (await asyncio.to_thread(self.icloud.state))["trashed"]
        if dry["refused"] or trashed:
            raise DemoFailed(f"dry run: refused {dry['refused']}, {trashed} assets deleted")
        self.say("dry run: every gate passed for all of them, nothing deleted")
        await self.api.act("approve_cleanup", plan_id=plan_id)
        done = await self.api.act("cleanup", plan_id=plan_id, dry_run=False)
        if done["refused"] or done["plan"]["state"] != "executed":
            raise DemoFailed(f"cleanup: {done}")
        self.say(f"approved and executed: {done['plan']['freed_assets']} assets freed")
        self._freed = Freed(plan, allowed, done["plan"])

    @property
    def freed_assets(self) -> int:
        """How many assets the cleanup freed, as its response said."""
        return int(self._freed.executed["freed_assets"]) if self._freed else 0

    async def report(self) -> Report:
        """Measure everything and put it beside what the catalog says."""
        if self._freed is None:
            raise DemoFailed("nothing was cleaned up")
        report = Report(run_outcome=self._run["outcome"], kept_because=self._reasons)
        protected = float((await self.states())["protected"])
        work = partial(
            compare,
            report,
            self.places,
            self.icloud,
            self.installed.targets,
            self._freed,
            protected,
        )
        await self._timed("measuring", asyncio.to_thread(work))
        report.seconds = dict(self.seconds)
        return report

    # --- trouble ------------------------------------------------------------------------------

    async def stored(self) -> None:
        """Home Assistant writes what was set up a second later; wait until it did."""
        await self._until("what was set up is stored", self._is_stored)

    async def _is_stored(self) -> bool:
        path = self.places.config / ".storage" / "core.config_entries"
        if not path.exists():
            return False
        text = await asyncio.to_thread(path.read_text)
        return self.installed.entry_id in text and all(
            name in text
            for name in (str(self.places.archive), str(self.places.usb), self.places.nas.name)
        )

    async def power_cut(self) -> None:
        """Kill Home Assistant in the middle of everything and start it again."""
        await self.hass.kill()
        await self.hass.start()
        await self.api.log_in()
        await self._running()
        await self._until("the integration is loaded", self._is_loaded)
