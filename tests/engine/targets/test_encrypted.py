"""An encrypted target: nothing readable lies there, the key opens it, nothing else does."""

import hashlib
import subprocess
from pathlib import Path

import pytest

from custom_components.media_pipeline.engine.age.keys import AgeKey
from custom_components.media_pipeline.engine.config import EncryptionConfig
from custom_components.media_pipeline.engine.errors import (
    EncryptedFileDamaged,
    EncryptionKeyDiffers,
    FileVanished,
    SourceFileChanged,
    WrongEncryptionKey,
)
from custom_components.media_pipeline.engine.targets.base import ProofRequest, Target
from custom_components.media_pipeline.engine.targets.encrypted import CHECK
from tests.engine.test_age import need_age

from .conftest import end_place, make_place
from .place import Place, make_sample, send

PATH = "2024/05/IMG_0001.HEIC"
STORED = f"{PATH}.age"
KEY = AgeKey.generate()


def encrypted(place: Place, staging: Path, key: AgeKey = KEY) -> Target:
    staging.mkdir(exist_ok=True)
    return place.target(encryption=EncryptionConfig(key.text, staging=staging))


@pytest.mark.parametrize("kind", ["folder", "asyncssh"])
async def test_there_and_back(kind: str, tmp_path: Path) -> None:
    place = await make_place(kind, tmp_path / "served" / "target")
    target, sample = encrypted(place, tmp_path / "staging"), make_sample(tmp_path, 3_000_001)
    await target.open()
    counts: list[int] = []
    delivery = await send(target, sample, PATH, on_bytes=counts.append)

    stored = place.read(STORED)
    assert place.files() == {STORED, CHECK}
    assert stored.startswith(b"age-encryption.org/v1\n")
    assert sample.data[5000:5064] not in stored
    assert (delivery.path, delivery.size) == (STORED, len(stored))
    assert delivery.stored_sha256 == hashlib.sha256(stored).hexdigest()
    assert sum(counts) == len(stored)
    [proof] = await target.prove([ProofRequest(STORED, delivery.size)])
    assert (proof.sha256, proof.size) == (delivery.stored_sha256, len(stored))
    assert {file.path async for file in target.listing()} == {STORED}

    await target.fetch(STORED, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == sample.data
    again = await send(target, sample, PATH)
    assert again.already_there, "the same bytes are the same file: a second try finds the first"
    assert (again.path, again.stored_sha256) == (STORED, delivery.stored_sha256)
    assert place.files() == {STORED, CHECK}
    assert not list((tmp_path / "staging").iterdir())
    await end_place(place)


async def test_the_age_command_alone_restores_it(folder: Place, tmp_path: Path) -> None:
    age, sample = need_age(), make_sample(tmp_path, 200_000)
    target = encrypted(folder, tmp_path / "staging")
    await target.open()
    await send(target, sample, PATH)
    (tmp_path / "key.txt").write_text(KEY.text)
    restored = subprocess.run(
        [age, "-d", "-i", tmp_path / "key.txt", folder.root / STORED],
        capture_output=True,
        check=True,
    )
    assert restored.stdout == sample.data


async def test_another_key_gets_nothing_and_sends_nothing(folder: Place, tmp_path: Path) -> None:
    target, sample = encrypted(folder, tmp_path / "staging"), make_sample(tmp_path, 100_000)
    identity = (await target.open()).identity
    await send(target, sample, PATH)
    before = folder.files()
    other = EncryptionConfig(AgeKey.generate().text, staging=tmp_path / "staging")
    wrong = folder.target(identity, encryption=other)
    with pytest.raises(EncryptionKeyDiffers):
        await wrong.open()
    with pytest.raises(WrongEncryptionKey):
        await wrong.fetch(STORED, tmp_path / "back")
    assert not (tmp_path / "back").exists()
    assert folder.files() == before
    assert not list((tmp_path / "staging").iterdir())


@pytest.mark.parametrize("way", ["header", "first", "last", "cut", "cut_at_a_piece", "plain"])
async def test_what_was_spoilt_is_not_brought_back(folder: Place, tmp_path: Path, way: str) -> None:
    target, sample = encrypted(folder, tmp_path / "staging"), make_sample(tmp_path, 200_000)
    await target.open()
    delivery = await send(target, sample, PATH)
    stored = bytearray(folder.read(STORED))
    piece = 64 * 1024 + 16
    header = len(stored) - 200_000 - 4 * 16
    match way:
        case "header":
            stored[100] ^= 1
        case "first":
            stored[header + 1] ^= 1
        case "last":
            stored[-1] ^= 1
        case "cut":
            del stored[-1000:]
        case "cut_at_a_piece":
            del stored[header + 2 * piece :]
        case "plain":
            stored[:] = sample.data
    folder.remove(STORED)
    folder.write(STORED, bytes(stored))
    [proof] = await target.prove([ProofRequest(STORED, delivery.size)])
    assert proof.sha256 != delivery.stored_sha256
    with pytest.raises((EncryptedFileDamaged, WrongEncryptionKey)):
        await target.fetch(STORED, tmp_path / "back")
    assert not (tmp_path / "back").exists()
    assert not list((tmp_path / "staging").iterdir())


async def test_a_source_that_changed_is_not_sent(folder: Place, tmp_path: Path) -> None:
    target, sample = encrypted(folder, tmp_path / "staging"), make_sample(tmp_path, 100_000)
    await target.open()
    data = bytearray(sample.data)
    data[500] ^= 1
    sample.path.write_bytes(data)
    with pytest.raises(SourceFileChanged):
        await send(target, sample, PATH)
    sample.path.unlink()
    with pytest.raises(FileVanished):
        await send(target, sample, PATH)
    assert folder.files() == {CHECK}
    assert not list((tmp_path / "staging").iterdir())


async def test_own_older_file_is_replaced_a_foreign_one_never(
    folder: Place, tmp_path: Path
) -> None:
    target = encrypted(folder, tmp_path / "staging")
    old, new = make_sample(tmp_path, 5000, 1), make_sample(tmp_path, 6000, 2)
    await target.open()
    first = await send(target, old, "2024/05/IMG.json")
    second = await send(target, new, first.path, replace=True)
    assert second.path == first.path
    await target.fetch(first.path, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == new.data
    third = await send(target, old, "2024/05/IMG.json")
    assert third.path != first.path
    await target.fetch(first.path, tmp_path / "still")
    assert (tmp_path / "still").read_bytes() == new.data


async def test_copies_from_before_and_lists_stay_readable(folder: Place, tmp_path: Path) -> None:
    plain, sample = folder.target(), make_sample(tmp_path, 5000)
    identity = (await plain.open()).identity
    await send(plain, sample, PATH)
    config = EncryptionConfig(KEY.text)
    target = folder.target(identity, encryption=config)
    await target.open()
    await target.fetch(PATH, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == sample.data
    await send(target, sample, "2024/05/SHA256SUMS")
    assert folder.read("2024/05/SHA256SUMS") == sample.data
