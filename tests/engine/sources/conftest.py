"""A stand-in for iCloud, shared by all tests of a worker, and sessions to it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from custom_components.media_pipeline.engine.config import ICloudSourceConfig
from custom_components.media_pipeline.engine.model import AssetRecord, ChangePage
from custom_components.media_pipeline.engine.sources.base import Source
from custom_components.media_pipeline.engine.sources.icloud.session import (
    ICloudSession,
    SignInState,
)
from custom_components.media_pipeline.engine.sources.icloud.source import ICloudSource
from tests.icloud_server.client import StandIn

ASSETS = 230

type MakeSession = Callable[..., ICloudSession]
type MakeSource = Callable[..., Awaitable[ICloudSource]]


@dataclass
class Reader:
    """Walks as the engine does: every page stored together with its cursor."""

    source: Source
    cursor: dict[str, str] = field(default_factory=dict)
    assets: dict[str, AssetRecord] = field(default_factory=dict)
    pages: list[ChangePage] = field(default_factory=list)

    async def read(self, stop_after: int | None = None) -> list[ChangePage]:
        """Walk; with ``stop_after``, break off after so many pages."""
        self.pages = []
        async for page in self.source.walk(self.cursor):
            self.store(page.cursor)
            self.assets |= {asset.key: asset for asset in page.assets}
            for key in page.gone:
                self.assets.pop(key, None)
            self.pages.append(page)
            if stop_after is not None and len(self.pages) >= stop_after:
                break
        return self.pages

    def store(self, values: Mapping[str, str]) -> None:
        for key, value in values.items():
            if value:
                self.cursor[key] = value
            else:
                self.cursor.pop(key, None)

    @property
    def seen(self) -> list[str]:
        return [asset.key for page in self.pages for asset in page.assets]

    def in_library(self) -> set[str]:
        return {key for key, asset in self.assets.items() if not (asset.trashed or asset.hidden)}


@pytest.fixture(scope="session")
def running() -> Iterator[StandIn]:
    with StandIn.start(assets=ASSETS, real=20, shared_library=5) as server:
        yield server


@pytest.fixture
def server(running: StandIn, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    running.control("reset")
    for name, value in running.environment.items():
        monkeypatch.setenv(name, value)
    return running


@pytest.fixture
async def make_session(server: StandIn, tmp_path: Path) -> AsyncIterator[MakeSession]:
    """Sessions of one folder, as one after another restart would make them."""
    made: list[ICloudSession] = []

    def make(
        password: str = "", folder: Path | None = None, *, china: bool = False
    ) -> ICloudSession:
        session = ICloudSession(
            server.apple_id,
            password or server.password,
            china=china,
            session_dir=folder or tmp_path / "session",
        )
        made.append(session)
        return session

    yield make
    for session in made:
        await session.close()


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose session is signed in, most of the time."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
async def make_source(
    server: StandIn, make_session: MakeSession, home: Path
) -> AsyncIterator[MakeSource]:
    made: list[ICloudSource] = []

    async def make(*libraries: str) -> ICloudSource:
        for kept in home.glob("pacing*.json"):
            kept.unlink()  # no test waits for what another one was told
        session = make_session(folder=home)
        if await session.sign_in() is SignInState.CODE_REQUIRED:
            await session.submit_code(server.code)
        config = ICloudSourceConfig(
            server.apple_id, server.password, libraries=libraries or ("PrimarySync",)
        )
        source = ICloudSource(config, session)
        made.append(source)
        await session.libraries()
        server.control("reset_counts")
        return source

    yield make
    for source in made:
        await source.close()


@pytest.fixture
async def source(make_source: MakeSource) -> ICloudSource:
    return await make_source()
