"""A real engine core around the stand-in, for tests of runs and cleanups."""

import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from custom_components.media_pipeline.engine.catalog import protection
from custom_components.media_pipeline.engine.config import (
    CompressConfig,
    EncryptionConfig,
    EngineConfig,
    FolderTargetConfig,
    ICloudSourceConfig,
    SafetyConfig,
    TargetConfig,
)
from custom_components.media_pipeline.engine.core import Core
from custom_components.media_pipeline.engine.errors import CodeRequired
from custom_components.media_pipeline.engine.marker import claim_folder
from custom_components.media_pipeline.engine.model import (
    DEFAULT_STAGES,
    Content,
    EngineEvent,
    LibraryStats,
    RunSummary,
    Stage,
)
from custom_components.media_pipeline.engine.rules import TargetRules
from custom_components.media_pipeline.engine.sources.icloud.session import SignInState
from tests.icloud_server.client import StandIn

SHARED_MEMORY = Path("/dev/shm")


@dataclass
class World:
    """The stand-in, the folders, and what the core reported."""

    stand_in: StandIn
    root: Path
    target: Path
    """A folder on another file system than the archive: another failure domain."""
    safety: SafetyConfig = field(default_factory=lambda: SafetyConfig(min_age_days=0))
    compress: CompressConfig = field(
        default_factory=lambda: CompressConfig(photos=False, videos=False, gentle=False)
    )
    events: list[EngineEvent] = field(default_factory=list)
    downloads: int = 8
    download_limit: int | None = None
    content: Content = Content.ORIGINALS
    """What the target receives."""
    rules: TargetRules = field(default_factory=TargetRules)
    gated: bool = False
    encryption: EncryptionConfig | None = None
    libraries: tuple[str, ...] = ("PrimarySync",)
    others: tuple[TargetConfig, ...] = ()
    """Targets beside the folder ``disk``."""

    @property
    def archive(self) -> Path:
        return self.root / "archive"

    def config(self) -> EngineConfig:
        self.archive.mkdir(exist_ok=True)
        private = self.root / "private"
        private.mkdir(mode=0o700, exist_ok=True)
        identity = claim_folder(self.archive)
        return EngineConfig(
            private_dir=private,
            archive=self.archive,
            archive_id=identity.marker_id,
            archive_device=identity.device_id,
            source=ICloudSourceConfig(
                self.stand_in.apple_id, self.stand_in.password, libraries=self.libraries
            ),
            targets=(
                FolderTargetConfig(
                    target_id="disk",
                    name="Disk",
                    path=self.target,
                    content=self.content,
                    rules=self.rules,
                    gated=self.gated,
                    encryption=self.encryption,
                    off_machine=True,
                    reserve_bytes=0,
                ),
                *self.others,
            ),
            safety=self.safety,
            compress=self.compress,
            downloads=self.downloads,
            download_limit=self.download_limit,
            archive_reserve_bytes=0,
        )

    def with_safety(self, **changes: Any) -> None:
        self.safety = replace(self.safety, **changes)

    @asynccontextmanager
    async def core(self) -> AsyncIterator[Core]:
        """An open core, signed in."""
        core = Core(self.config(), lambda _: None, self.events.append)
        try:
            await core.open()
            await self.sign_in(core)
            yield core
        finally:
            await core.close()

    async def sign_in(self, core: Core) -> None:
        session = core.session
        assert session is not None
        try:
            state = await session.sign_in()
        except CodeRequired:
            state = SignInState.CODE_REQUIRED
        if state is SignInState.CODE_REQUIRED:
            await session.submit_code(self.stand_in.code)

    def forget_throttling(self) -> None:
        """As if Apple's "slow down" were long ago; for the next core."""
        for path in (self.root / "private").rglob("pacing*.json"):
            path.unlink()

    def trashed(self) -> set[str]:
        """Record names that the stand-in has in Recently Deleted or lost for good."""
        return {a["recordName"] for a in self.stand_in.assets() if a["deleted"] or a["purged"]}


@contextmanager
def make_world(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, assets: int = 12, **options: str | int
) -> Iterator[World]:
    """A world with a stand-in of ``assets`` assets."""
    import shutil
    import tempfile

    if not SHARED_MEMORY.is_dir():
        pytest.skip("no second file system for a second failure domain (/dev/shm)")
    target = Path(tempfile.mkdtemp(prefix="mp-target-", dir=SHARED_MEMORY))
    try:
        with StandIn.start(assets=assets, **options) as stand_in:
            for name, value in stand_in.environment.items():
                monkeypatch.setenv(name, value)
            yield World(stand_in, tmp_path, target)
    finally:
        shutil.rmtree(target, ignore_errors=True)


async def run(core: Core, *stages: Stage) -> RunSummary:
    """One run to its end."""
    return await core.runs.wait(await core.runs.start(stages or DEFAULT_STAGES, "test"))


async def stats(core: Core) -> LibraryStats:
    """The numbers over the whole catalog."""
    return (await core.board.refresh()).library


async def refusals(core: Core) -> dict[str, int]:
    """Why assets may not be freed."""
    return await core.catalog.read(protection.refusals, core.ground())


def media_files(folder: Path) -> list[Path]:
    """Files that people see, without markers, parts, records, sidecars and lists of checksums."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.suffix not in {".json", ".xmp"}
        and not path.name.startswith("SHA256SUMS")
    )


def hashes(folder: Path) -> dict[str, str]:
    """Relative path → SHA-256 of every media file."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in media_files(folder)
    }
