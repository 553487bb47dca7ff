"""Every kind of asset, whole: bytes, bursts, captions, albums, and later changes of all that."""

import json
import subprocess
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from shutil import which
from typing import Any

import pytest
from sqlalchemy import Connection, select

from custom_components.media_pipeline.engine.catalog.schema import assets, copies, resources
from custom_components.media_pipeline.engine.core import Core
from custom_components.media_pipeline.engine.model import (
    WRITTEN_ROLES,
    CopyState,
    ResourceState,
    RunOutcome,
)

from .harness import World, make_world, run
from .test_run import API

KINDS = (
    "heic jpeg live live_jpeg video raw edited edited_video sidecar png"
    " slow_motion edited_live burst burst burst burst"
)
COUNT = len(KINDS.split())
SLOW_MOTION, EDITED_LIVE, PICK = 10, 11, 12


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with make_world(tmp_path, monkeypatch, assets=COUNT, kinds=KINDS) as made:
        yield made


def _rows(connection: Connection) -> list[Any]:
    return list(
        connection.execute(
            select(
                assets.c.key,
                resources.c.role,
                resources.c.path,
                resources.c.state,
                resources.c.sha256,
                resources.c.size,
                resources.c.checksum,
                copies.c.state.label("copy_state"),
                copies.c.path.label("copy_path"),
            )
            .join(resources, resources.c.asset_id == assets.c.id)
            .outerjoin(copies, copies.c.resource_id == resources.c.id)
            .where(resources.c.current)
        )
    )


def _asset(connection: Connection, key: str) -> Any:
    return connection.execute(select(assets).where(assets.c.key.endswith(key))).one()


async def _files(core: Core, name: str) -> dict[str, Any]:
    """Role → row of one asset's files."""
    rows = await core.catalog.read(_rows)
    return {row.role: row for row in rows if row.key.endswith(name)}


async def test_every_kind_is_archived_and_proven(world: World) -> None:
    async with world.core() as core:
        summary = await run(core)
        assert summary.outcome is RunOutcome.COMPLETED, summary
        rows = await core.catalog.read(_rows)
    for asset in world.stand_in.assets():
        own = [row for row in rows if row.key == f"PrimarySync/{asset['recordName']}"]
        originals = [row for row in own if row.role not in WRITTEN_ROLES]
        # what iCloud has of it, no more and no less
        assert sorted((row.size, row.checksum) for row in originals) == sorted(
            (role["size"], role["checksum"]) for role in asset["roles"].values()
        ), asset["kind"]
        assert {row.role for row in own} >= set(WRITTEN_ROLES)
        for row in own:
            assert row.state == ResourceState.ARCHIVED
            assert row.copy_state == CopyState.VERIFIED
            for place in (world.archive / row.path, world.target / row.copy_path):
                assert sha256(place.read_bytes()).hexdigest() == row.sha256
    roles = {
        asset["kind"]: {row.role for row in rows if row.key.endswith(asset["recordName"])}
        - set(WRITTEN_ROLES)
        for asset in world.stand_in.assets()
    }
    assert roles["edited_live"] == {"original", "live_video", "edited", "edited_video"}
    assert roles["slow_motion"] == roles["burst"] == {"original"}
    assert roles["raw"] == {"original", "alternative"}


async def test_slow_motion_is_whole_without_a_render(world: World) -> None:
    names = [asset["recordName"] for asset in world.stand_in.assets()]
    async with world.core() as core:
        await run(core)
        slow = await core.catalog.read(_asset, names[SLOW_MOTION])
        assert (slow.subtype, slow.adjustment) == ("slow_motion", "com.apple.video.slomo")
        assert slow.incomplete is None
        live = await core.catalog.read(_asset, names[EDITED_LIVE])
        assert (live.subtype, live.adjustment, live.live) == ("live_photo", "com.apple.photo", True)


async def test_all_of_a_burst_by_listing_and_by_the_feed(world: World) -> None:
    names = [asset["recordName"] for asset in world.stand_in.assets()]
    async with world.core() as core:
        await run(core)
        counts = world.stand_in.counts()
        picked = await core.catalog.read(_asset, names[PICK])
        assert picked.subtype == "burst_pick"
        for name in names[PICK + 1 :]:
            row = await core.catalog.read(_asset, name)
            assert (row.subtype, row.burst_id) == ("burst", picked.burst_id)
            assert (await _files(core, name))["original"].copy_state == CopyState.VERIFIED
        # library, hidden, deleted, bursts and one album: a page each
        assert counts["query"] == 5
        later = world.stand_in.control("burst", count=4)["assets"]
        world.stand_in.control("reset_counts")
        await run(core)
        counts = world.stand_in.counts()
        assert sum(counts.get(name, 0) for name in API) <= 3
        rows = [await core.catalog.read(_asset, name) for name in later]
        assert [row.subtype for row in rows] == ["burst_pick", "burst", "burst", "burst"]
        assert len({row.burst_id for row in rows}) == 1
        for name in later:
            assert (await _files(core, name))["original"].copy_state == CopyState.VERIFIED


def _exiftool(path: Path) -> dict[str, Any]:
    options = ["-json", "-a", "-G1", "-struct", "-n", "-validate", "-warning", "-all"]
    done = subprocess.run(["exiftool", *options, str(path)], check=True, capture_output=True)
    (found,) = json.loads(done.stdout)
    return dict(found)


@pytest.mark.skipif(which("exiftool") is None, reason="exiftool is not installed")
async def test_sidecars_say_everything_and_follow(world: World) -> None:
    stand_in = world.stand_in
    names = [asset["recordName"] for asset in stand_in.assets()]
    stand_in.control(
        "describe",
        index=1,
        caption="Sea & <sky>",
        description="Über den Wolken\n2nd line",
        keywords=["sun", "Größe"],
        place=[-33.8568, 151.2153, 12.5],
    )
    stand_in.control("favorite", index=1)
    stand_in.control("album", title="Trips", create=True, folder=True)
    stand_in.control("album", title="Rome", create=True, parent="Trips", add=[1, 2])
    async with world.core() as core:
        await run(core)
        files = await _files(core, names[1])
        assert files["xmp"].path == files["original"].path + ".xmp"
        told = _exiftool(world.archive / files["xmp"].path)
        assert told["XMP-dc:Title"] == "Sea & <sky>"
        assert told["XMP-dc:Description"] == "Über den Wolken\n2nd line"
        assert told["XMP-dc:Subject"] == ["sun", "Größe"]
        assert told["XMP-lr:HierarchicalSubject"] == ["sun", "Größe", "Albums|Trips|Rome"]
        assert told["XMP-digiKam:TagsList"] == ["sun", "Größe", "Albums/Trips/Rome"]
        assert told["XMP-xmp:Rating"] == 5
        assert abs(told["XMP-exif:GPSLatitude"] + 33.8568) < 1e-6
        assert abs(told["XMP-exif:GPSLongitude"] - 151.2153) < 1e-6
        assert told["XMP-exif:GPSAltitude"] == 12.5
        assert told["XMP-exif:DateTimeOriginal"].endswith("+02:00")
        assert told["ExifTool:Validate"] == "0 0 0"  # errors, warnings, minor ones
        before = files["original"].sha256

        # later changes: a caption, a favourite, a place, and the album under another name
        stand_in.control("describe", index=1, caption="Harbour", place=[48.8584, 2.2945])
        stand_in.control("favorite", index=1, on=False)
        stand_in.control("album", title="Rome", rename="Roma")
        stand_in.control("album", title="Roma", remove=[2])
        stand_in.control("reset_counts")
        await run(core)
        counts = stand_in.counts()
        assert sum(counts.get(name, 0) for name in API) <= 3, counts
        assert counts.get("content", 0) == 0
        row = await core.catalog.read(_asset, names[1])
        assert (row.title, row.favorite) == ("Harbour", False)
        assert (row.latitude, row.longitude, row.altitude) == (48.8584, 2.2945, None)
        files = await _files(core, names[1])
        for role in WRITTEN_ROLES:
            assert files[role].copy_state == CopyState.VERIFIED
            archived = (world.archive / files[role].path).read_bytes()
            assert archived == (world.target / files[role].copy_path).read_bytes()
            assert b"Harbour" in archived
        told = _exiftool(world.target / files["xmp"].copy_path)
        assert told["XMP-dc:Title"] == "Harbour"
        assert told["XMP-digiKam:TagsList"][-1] == "Albums/Trips/Roma"
        assert "XMP-xmp:Rating" not in told
        assert files["original"].sha256 == before
        record = json.loads((world.archive / files["record"].path).read_text())
        assert record["albums"] == ["Trips/Roma"]
        assert record["details"]["keywords"] == ["sun", "Größe"]
        other = await _files(core, names[2])
        assert b"Rom" not in (world.archive / other["xmp"].path).read_bytes()


async def test_a_sidecar_of_somebody_else_is_left_alone(world: World) -> None:
    async with world.core() as core:
        await run(core)
        name = world.stand_in.assets()[1]["recordName"]
        files = await _files(core, name)
        theirs = world.archive / files["xmp"].path
        theirs.write_text("<x:xmpmeta>edited by another program</x:xmpmeta>")
        world.stand_in.control("describe", index=1, caption="Harbour")
        await run(core)
        assert "another program" in theirs.read_text()
        ours = (await _files(core, name))["xmp"]
        assert ours.path != files["xmp"].path
        assert b"Harbour" in (world.archive / ours.path).read_bytes()
        assert ours.copy_state == CopyState.VERIFIED
