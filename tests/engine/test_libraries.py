"""Personal and shared libraries: whose they are, and assets that move between them."""

import errno
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select

from custom_components.media_pipeline.engine.catalog import results
from custom_components.media_pipeline.engine.catalog.schema import assets, resources
from custom_components.media_pipeline.engine.model import RunOutcome, Stage
from tests.icloud_server.specs import ON_ASSET

from .harness import World, hashes, make_world, media_files, run, stats


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with make_world(tmp_path, monkeypatch, assets=20, shared_library=6, joined_library=4) as made:
        yield made


def owned(world: World) -> str:
    """The shared library that belongs to this account."""
    return str(world.stand_in.state()["zones"][1])


def joined(world: World) -> str:
    """The shared library of somebody else."""
    return str(world.stand_in.state()["zones"][2])


def wanted(world: World, *zones: str) -> int:
    """Files of all assets of these libraries."""
    assets = [asset for zone in zones for asset in world.stand_in.assets(zone)]
    return sum(len(asset["roles"]) for asset in assets if not asset["purged"])


async def test_personal_owned_and_joined_libraries_are_archived(world: World) -> None:
    world.libraries = ("PrimarySync", owned(world), joined(world))
    async with world.core() as core:
        session = core.session
        assert session is not None
        listed = {library.key: library.shared for library in await session.libraries()}
        assert listed == {"PrimarySync": False, owned(world): True, joined(world): True}
        summary = await run(core)
        assert summary.outcome is RunOutcome.COMPLETED, summary
        assert (await stats(core)).archived == 30
        assert len(media_files(world.archive)) == wanted(world, *world.libraries)
        world.stand_in.control("reset_counts")
        await run(core)
        counts = world.stand_in.counts()
        # nothing new is one request for each of the two databases
        assert (counts["changes_database"], counts.get("changes_zone")) == (2, None)
        (new,) = world.stand_in.control("add", zone=joined(world))["assets"]
        world.stand_in.control("edit", index=2, zone=owned(world))
        await run(core)
        assert (await stats(core)).archived == 31
        found = await core.source.lookup([f"{joined(world)}/{new}"])
        assert found[f"{joined(world)}/{new}"] is not None


async def test_a_library_that_was_not_chosen_is_left_alone(world: World) -> None:
    world.libraries = (joined(world),)
    async with world.core() as core:
        await run(core)
        assert (await stats(core)).items == 4
        assert len(media_files(world.archive)) == wanted(world, joined(world))


@pytest.mark.parametrize("way", ["into_ours", "out_of_ours", "into_anothers"])
async def test_a_moved_asset_is_not_fetched_again(world: World, way: str) -> None:
    zones = {
        "into_ours": ("PrimarySync", owned(world)),
        "out_of_ours": (owned(world), "PrimarySync"),
        "into_anothers": ("PrimarySync", joined(world)),
    }
    source, goal = zones[way]
    world.libraries = ("PrimarySync", owned(world), joined(world))
    async with world.core() as core:
        await run(core)
        before = hashes(world.archive)
        moved = world.stand_in.control("move", index=[0, 3], zone=source, to=goal)
        world.stand_in.control("reset_counts")
        summary = await run(core)
        assert summary.outcome is RunOutcome.COMPLETED, summary
        counts = world.stand_in.counts()
        assert (counts.get("content", 0), counts["content_bytes"]) == (0, 0)
        assert (await stats(core)).items == 30
        assert (await stats(core)).protected == 30
        after = hashes(world.archive)
        assert before.items() <= after.items()
        new = {path: sha256 for path, sha256 in after.items() if path not in before}
        files = sum(
            len(asset["roles"])
            for asset in world.stand_in.assets(goal)
            if asset["recordName"] in moved["assets"]
        )
        assert len(new) == files >= 2
        assert set(new.values()) <= set(before.values())
        for path in new:  # one file with two names: no space is taken twice
            assert (world.archive / path).stat().st_nlink == 2, path
        assert not list((world.archive / ".media_pipeline/parts").iterdir())
        rows = await core.catalog.read(_states)
        for name in moved["assets"]:
            assert rows[f"{goal}/{name}"] == "present"
        assert sum(state == "gone" for state in rows.values()) == 2


async def test_a_damaged_twin_is_not_taken(world: World) -> None:
    world.libraries = ("PrimarySync", owned(world))
    async with world.core() as core:
        await run(core)
        name = world.stand_in.assets()[1]["recordName"]
        row = (await core.catalog.read(_files, f"PrimarySync/{name}"))[0]
        victim = world.archive / row.path
        data = bytearray(victim.read_bytes())
        data[len(data) // 2] ^= 1
        victim.write_bytes(data)
        world.stand_in.control("move", index=1, to=owned(world))
        world.stand_in.control("reset_counts")
        summary = await run(core, Stage.INGEST)
        assert summary.outcome is RunOutcome.COMPLETED, summary
        assert world.stand_in.counts()["content"] >= 1
        (moved,) = world.stand_in.assets(owned(world))[-1:]
        sizes = [role["size"] for role in moved["roles"].values()]
        assert world.stand_in.counts()["content_bytes"] <= sum(sizes)
        files = await core.catalog.read(_files, f"{owned(world)}/{moved['recordName']}")
        (fresh,) = [file for file in files if file.role == row.role]
        assert fresh.state == "archived"
        assert hashlib.sha256((world.archive / fresh.path).read_bytes()).hexdigest() == row.sha256


async def test_repairing_one_name_leaves_the_other_alone(world: World) -> None:
    """Damage hits both names of one file; each is fetched anew or taken from a proven twin."""
    async with world.core() as core:
        await run(core)
        (name,) = world.stand_in.control("duplicate", index=1)["assets"]
        await run(core)
        files = await core.catalog.read(_files, f"PrimarySync/{name}")
        rows = [row for row in files if row.role == "original"]
        paths = [world.archive / row.path for row in rows]
        assert paths[0].stat().st_nlink == 2
        good = {path: path.read_bytes() for path in paths}
        paths[0].write_bytes(b"x" * len(good[paths[0]]))
        await core.catalog.write(results.archive_damaged, rows[0].id, "source_file_changed")
        world.stand_in.control("reset_counts")
        await run(core, Stage.INGEST)
        # its twin is as damaged, so this one comes from the source, under a name of its own
        assert world.stand_in.counts()["content"] == 1
        files = await core.catalog.read(_files, f"PrimarySync/{name}")
        (again,) = [row for row in files if row.role == "original"]
        assert (world.archive / again.path).read_bytes() == good[paths[0]]
        assert again.path != rows[0].path
        assert paths[0].read_bytes() == b"x" * len(good[paths[0]])
        # and the other asset is repaired from it, with nothing fetched
        other = await core.catalog.read(_other, again.checksum, again.id)
        await core.catalog.write(results.archive_damaged, other.id, "source_file_changed")
        world.stand_in.control("reset_counts")
        await run(core, Stage.INGEST)
        assert world.stand_in.counts().get("content", 0) == 0
        fixed = await core.catalog.read(_other, again.checksum, again.id)
        assert (world.archive / fixed.path).read_bytes() == good[paths[0]]


async def test_duplicates_are_fetched_once_even_side_by_side(world: World) -> None:
    """Two assets on one master that arrive in the same walk."""
    for index in range(0, 20, 2):
        world.stand_in.control("duplicate", index=index)
    single = {
        # an edit belongs to the asset, all else to the master
        (asset["recordName" if role in ON_ASSET else "master"], role): facts["size"]
        for asset in reversed(world.stand_in.assets())
        for role, facts in asset["roles"].items()
    }
    async with world.core() as core:
        summary = await run(core, Stage.INGEST)
        assert summary.outcome is RunOutcome.COMPLETED, summary
        counts = world.stand_in.counts()
        assert counts["content"] == len(single)
        assert counts["content_bytes"] == sum(single.values())
        assert (await stats(core)).archived == 30
        assert len(media_files(world.archive)) == wanted(world, "PrimarySync")


async def test_without_hard_links_the_bytes_are_copied(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world.core() as core:
        await run(core)

        def refuse(*_: object, **__: object) -> None:
            raise OSError(errno.ENOTSUP, "no hard links here")

        monkeypatch.setattr(os, "link", refuse)
        before = hashes(world.archive)
        world.stand_in.control("duplicate", index=1)
        world.stand_in.control("reset_counts")
        summary = await run(core, Stage.INGEST)
        assert summary.outcome is RunOutcome.COMPLETED, summary
        assert world.stand_in.counts().get("content", 0) == 0
        after = hashes(world.archive)
        new = [path for path in after if path not in before]
        assert new
        for path in new:
            assert after[path] in before.values()
            assert (world.archive / path).stat().st_nlink == 1


async def test_one_of_two_duplicates_and_a_pending_asset_are_deleted_for_good(
    world: World,
) -> None:
    async with world.core() as core:
        await run(core, Stage.INGEST)
        (twin,) = world.stand_in.control("duplicate", index=1)["assets"]
        (pending,) = world.stand_in.control("add")["assets"]
        world.stand_in.fault("content", status=500)
        await run(core, Stage.INGEST)
        world.stand_in.control("clear_faults")
        first = world.stand_in.assets()[1]["recordName"]
        world.stand_in.control("purge", name=first)
        world.stand_in.control("purge", name=pending)
        summary = await run(core, Stage.INGEST)
        assert summary.outcome is RunOutcome.COMPLETED, summary
        states = await core.catalog.read(_states)
        assert states[f"PrimarySync/{first}"] == states[f"PrimarySync/{pending}"] == "gone"
        assert states[f"PrimarySync/{twin}"] == "present"
        (original,) = [
            row
            for row in await core.catalog.read(_files, f"PrimarySync/{twin}")
            if row.role == "original"
        ]
        assert original.state == "archived"


def _states(connection: Connection) -> dict[str, str]:
    return {row.key: row.state for row in connection.execute(select(assets))}


def _files(connection: Connection, key: str) -> list[Any]:
    return list(
        connection.execute(
            select(resources)
            .join(assets, assets.c.id == resources.c.asset_id)
            .where(
                assets.c.key == key,
                resources.c.current,
                resources.c.role.not_in(["record", "xmp"]),
            )
            .order_by(resources.c.id)
        )
    )


def _other(connection: Connection, checksum: str, not_id: int) -> Any:
    """The file of the same bytes under another asset."""
    return connection.execute(
        select(resources).where(
            resources.c.checksum == checksum, resources.c.id != not_id, resources.c.current
        )
    ).one()
