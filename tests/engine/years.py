"""A world with a second target, on a real SSH server; and ways to damage what lies somewhere."""

import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from custom_components.media_pipeline.engine.core import Core
from custom_components.media_pipeline.engine.model import RunSummary, Stage
from tests.support.sshd import RealSshd, find_sshd

from .harness import World, make_world

NAS = "nas"
PHOTOS: dict[str, Any] = {"kinds": "jpeg", "real": 0, "photo_bytes": 6000}


@contextmanager
def small_world(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, assets: int = 8, **options: Any
) -> Iterator[World]:
    with make_world(tmp_path, monkeypatch, assets=assets, **{**PHOTOS, **options}) as made:
        yield made


@asynccontextmanager
async def with_nas(world: World, **changes: Any) -> AsyncIterator[Path]:
    """Adds an SFTP target to the world; gives the folder that it fills."""
    if find_sshd() is None:
        if os.environ.get("CI"):
            pytest.fail("sshd must be installed where CI runs: scripts/setup --all")
        pytest.skip("sshd is not installed: scripts/setup --all")
    served = world.root / "nas"
    served.mkdir()
    server = await RealSshd(served).start()
    world.others = (
        server.access.target_config(
            "photos", target_id=NAS, name="NAS", off_machine=True, **changes
        ),
    )
    try:
        yield served / "photos"
    finally:
        await server.close()


def spoil(path: Path) -> bytes:
    """Change one byte in place and keep length and times, as a disk does; gives the new bytes."""
    stat = path.stat()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    os.utime(path, (stat.st_atime, stat.st_mtime))
    return bytes(data)


def checked(folder: Path) -> int:
    """Have the real ``sha256sum`` check every list below a folder; returns the files it proved."""
    proved = 0
    for manifest in sorted(folder.rglob("SHA256SUMS*")):
        result = subprocess.run(
            ["sha256sum", "--strict", "-c", manifest.name],
            cwd=manifest.parent,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stdout + result.stderr
        assert "WARNING" not in result.stderr
        proved += result.stdout.count(": OK")
    return proved


async def ask(core: Core, query: str, **values: Any) -> list[Any]:
    """Rows of a plain query."""

    def rows(connection: Connection) -> list[Any]:
        return list(connection.execute(text(query), values).all())

    return await core.catalog.read(rows)


async def change(core: Core, query: str, **values: Any) -> None:
    """Write with a plain query."""

    def write(connection: Connection) -> None:
        connection.execute(text(query), values)

    await core.catalog.write(write)


async def journal(core: Core, action: str) -> int:
    """How often something is in the journal."""
    rows = await ask(core, "select count(*) from journal where action = :action", action=action)
    return int(rows[0][0])


async def verify(core: Core, *, everything: bool = True) -> RunSummary:
    """One run of verify alone."""
    run_id = await core.runs.start((Stage.VERIFY,), "test", prove_all=everything)
    return await core.runs.wait(run_id)
