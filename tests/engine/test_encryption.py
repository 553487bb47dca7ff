"""Runs with an encrypted target: what counts, what is proven, and what a person can restore."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from custom_components.media_pipeline.engine.age.keys import AgeKey
from custom_components.media_pipeline.engine.catalog.schema import copies
from custom_components.media_pipeline.engine.config import EncryptionConfig
from custom_components.media_pipeline.engine.model import RunOutcome, Stage

from .harness import World, hashes, make_world, run, stats
from .test_age import need_age

KEY = AgeKey.generate()


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    options: dict[str, str | int] = {"real": 0, "photo_bytes": 3000, "video_bytes": 90_000}
    with make_world(tmp_path, monkeypatch, assets=12, **options) as made:
        made.encryption = EncryptionConfig(KEY.text)
        yield made


def encrypted_files(world: World) -> list[Path]:
    return sorted(path for path in world.target.rglob("*.age") if path.parent != world.target)


async def test_encrypted_copies_protect_and_open_without_us(world: World, tmp_path: Path) -> None:
    async with world.core() as core:
        summary = await run(core)
        assert summary.outcome is RunOutcome.COMPLETED, summary
        assert (await stats(core)).protected == 12
        status = core.board.snapshot.targets["disk"]
        assert status.missing == 0
        assert status.verified == status.copies == len(encrypted_files(world))
        assert status.copies_bytes == sum(each.stat().st_size for each in encrypted_files(world))
    age = need_age()
    (tmp_path / "key.txt").write_text(KEY.text)
    archived = set(hashes(world.archive))
    restored = set()
    for file in encrypted_files(world):
        path = str(file.relative_to(world.target)).removesuffix(".age")
        done = subprocess.run(
            [age, "-d", "-i", tmp_path / "key.txt", file], capture_output=True, check=True
        )
        assert done.stdout == (world.archive / path).read_bytes()
        restored.add(path)
    assert archived <= restored
    lists = list(world.target.rglob("SHA256SUMS"))
    assert lists
    for each in lists:
        done = subprocess.run(
            ["sha256sum", "--strict", "-c", each.name],
            cwd=each.parent,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


async def test_a_damaged_one_is_noticed_and_sent_again(world: World) -> None:
    async with world.core() as core:
        await run(core)
        spoilt = encrypted_files(world)[3]
        data = bytearray(spoilt.read_bytes())
        data[-1] ^= 1
        spoilt.write_bytes(data)
        await core.catalog.write(lambda c: c.execute(copies.update().values(proven_at=1)) and None)
        await run(core, Stage.VERIFY)
        assert any(event.type == "copy_lost" for event in world.events)
        await run(core, Stage.SYNC, Stage.VERIFY)
        status = core.board.snapshot.targets["disk"]
        assert (status.missing, status.verified) == (0, status.copies)
        assert (await stats(core)).protected == 12


async def test_an_encrypted_copy_of_older_bytes_counts_nothing(world: World) -> None:
    async with world.core() as core:
        await run(core)

        def age_it(connection: object) -> int:
            row = connection.execute(select(copies)).first()  # type: ignore[attr-defined]
            connection.execute(  # type: ignore[attr-defined]
                copies.update().where(copies.c.id == row.id).values(sha256="0" * 64, proven_at=1)
            )
            return int(row.id)

        await core.catalog.write(age_it)
        await run(core, Stage.VERIFY)
        assert any(event.type == "copy_lost" for event in world.events)


async def test_with_another_key_the_target_waits(world: World) -> None:
    async with world.core() as core:
        await run(core)
    before = encrypted_files(world)
    world.encryption = EncryptionConfig(AgeKey.generate().text)
    world.stand_in.control("add")
    async with world.core() as core:
        summary = await run(core)
        assert summary.outcome is RunOutcome.COMPLETED_WITH_PROBLEMS
        assert core.board.snapshot.targets["disk"].state == "encryption_key_differs"
        assert encrypted_files(world) == before


async def test_hidden_names_are_restored_by_the_documented_line(
    world: World, tmp_path: Path
) -> None:
    need_age()
    world.encryption = EncryptionConfig(KEY.text, hide_names=True)
    async with world.core() as core:
        summary = await run(core)
        assert summary.outcome is RunOutcome.COMPLETED, summary
        assert (await stats(core)).protected == 12
        listed = (world.target / "names.txt.age").read_bytes()
        await run(core)
        assert (world.target / "names.txt.age").read_bytes() == listed
        world.stand_in.control("add")
        world.stand_in.control("favorite", index=2)  # its record is written anew
        await run(core)
        assert (await stats(core)).protected == 13
        assert (world.target / "names.txt.age").read_bytes() != listed
        assert not list(world.target.glob("names.txt~*"))
    stems = {Path(path).stem for path in hashes(world.archive)}
    there = " ".join(str(path.relative_to(world.target)) for path in world.target.rglob("*"))
    assert not [stem for stem in stems if stem in there]
    assert "2026" not in there.replace("/", " ").split()
    page = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text()
    [line] = [each for each in page.splitlines() if each.startswith("age -d -i key.txt names")]
    (world.target / "key.txt").write_text(KEY.text)
    subprocess.run(["sh", "-c", line], cwd=world.target, check=True)
    restored = hashes(world.target / "restored")
    assert restored == hashes(world.archive)
    assert len(restored) > 12
