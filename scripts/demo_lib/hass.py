"""A real Home Assistant in a process of its own."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import aiohttp

from . import DemoFailed
from .places import Places

ROOT: Final = Path(__file__).parents[2]
START_SECONDS: Final = 120.0
STOP_SECONDS: Final = 40.0

# Used by Home Assistant's voice assistants only, and without wheels for Python 3.14: compiling
# them takes a minute and a compiler. They must be importable all the same: without them Home
# Assistant can't list its actions, and its pages never open in a browser.
_LEFT_OUT: Final = "pymicro-vad,pyspeex-noise"
_IN_THEIR_PLACE: Final = Path(__file__).with_name("left_out")

_CONFIGURATION: Final = """\
homeassistant:
  name: Media Pipeline demo
frontend:
config:
history:
logbook:
media_source:
system_health:
logger:
  default: warning
  logs:
    homeassistant.bootstrap: info
    custom_components.media_pipeline: info
    custom_components.media_pipeline.engine: debug
"""


def _stored(key: str, version: int, minor: int, data: dict[str, Any]) -> str:
    return json.dumps(
        {"version": version, "minor_version": minor, "key": key, "data": data}, indent=2
    )


def _http(port: int) -> dict[str, Any]:
    # Under `http:` in YAML these would be tried for five minutes and then taken back.
    stable = {
        "server_host": ["127.0.0.1"],
        "server_port": port,
        "cors_allowed_origins": ["https://cast.home-assistant.io"],
        "login_attempts_threshold": -1,
        "ip_ban_enabled": True,
        "ssl_profile": "modern",
        "use_x_frame_options": True,
        "created_at": "2026-10-01T12:00:00+00:00",
        "error": None,
        "error_message": None,
    }
    return {"stable": stable, "pending": None, "yaml_migration_done": True}


def prepare_config(config: Path, port: int) -> None:
    """A configuration folder as it is after installing, with this integration linked into it."""
    (config / "configuration.yaml").write_text(_CONFIGURATION)
    (config / "custom_components").mkdir()
    (config / "custom_components" / "media_pipeline").symlink_to(
        ROOT / "custom_components" / "media_pipeline"
    )
    storage = config / ".storage"
    storage.mkdir(mode=0o700)
    (storage / "http").write_text(_stored("http", 2, 2, _http(port)))
    # Only the user is left to be made; the other steps ask the internet.
    done = {"done": ["core_config", "analytics", "integration"]}
    (storage / "onboarding").write_text(_stored("onboarding", 4, 1, done))


class HassProcess:
    """Starts, stops and kills `hass`; its output goes to a file."""

    def __init__(self, places: Places, port: int, environment: Mapping[str, str]) -> None:
        """`environment` is added to our own."""
        self.url = f"http://127.0.0.1:{port}"
        self._places = places
        path = f"{_IN_THEIR_PLACE}{os.pathsep}{os.environ.get('PYTHONPATH', '')}".rstrip(os.pathsep)
        self._environment = {**os.environ, "PYTHONPATH": path, **environment}
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start, and wait until the web server answers."""
        hass = Path(sys.executable).with_name("hass")
        with self._places.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                hass,
                "--config",
                self._places.config,
                "--skip-pip-packages",
                _LEFT_OUT,
                cwd=self._places.config,
                env=self._environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C in the terminal is for us; we end Home Assistant in order
                process_group=0,
            )
        await self._answering()

    async def _answering(self) -> None:
        timeout = aiohttp.ClientTimeout(total=5)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            for _ in range(int(START_SECONDS / 0.2)):
                self.check()
                try:
                    async with session.get(f"{self.url}/manifest.json") as answer:
                        if answer.status == 200:
                            return
                except aiohttp.ClientError, TimeoutError:
                    pass
                await asyncio.sleep(0.2)
        raise DemoFailed(f"Home Assistant did not answer within {START_SECONDS:.0f} s")

    def check(self) -> None:
        """Raise DemoFailed when the process ended by itself."""
        if self._process is not None and self._process.returncode is not None:
            raise DemoFailed(f"Home Assistant ended by itself with {self._process.returncode}")

    async def kill(self) -> None:
        """End it the hard way, as a power cut would."""
        if self._process is not None:
            self._signal(signal.SIGKILL)
            await self._process.wait()
            self._process = None

    async def stop(self) -> None:
        """End it in order; the hard way when that takes too long."""
        if self._process is None:
            return
        self._signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._process.wait()
        except TimeoutError:
            await self.kill()
            raise DemoFailed(f"Home Assistant did not stop within {STOP_SECONDS:.0f} s") from None
        self._process = None

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)
