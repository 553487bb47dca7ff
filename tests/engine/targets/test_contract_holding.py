"""What every target promises of what it holds: to prove, move, bring back, list and remove it."""

import asyncio
from pathlib import Path

import pytest

from custom_components.media_pipeline.engine.errors import FileVanished, LocalWriteFailed
from custom_components.media_pipeline.engine.targets.base import MovingTarget, ProofRequest

from .place import PATH, Place, make_sample, send


async def test_proof_notices_damage_and_loss(place: Place, tmp_path: Path) -> None:
    target = place.target()
    samples = {f"{n}.bin": make_sample(tmp_path, 300_000 + n, seed=n) for n in range(6)}
    await target.open()
    for path, sample in samples.items():
        await send(target, sample, path)
    data = bytearray(place.read("1.bin"))
    data[123_456] ^= 1
    place.write("1.bin", bytes(data))
    place.remove("2.bin")
    place.write("3.bin", place.read("3.bin")[:1000])
    place.remove("4.bin")
    if place.is_folder:
        (place.root / "4.bin").mkdir()

    proofs = await target.prove([ProofRequest(p, s.size) for p, s in samples.items()])

    assert [proof.path for proof in proofs] == list(samples)
    right = {proof.path for proof in proofs if proof.sha256 == samples[proof.path].sha256}
    assert right == {"0.bin", "5.bin"}
    assert proofs[1].sha256 is not None
    assert (proofs[2].sha256, proofs[2].size) == (None, None)
    assert proofs[3].size == 1000
    assert proofs[4].sha256 is None


async def test_moves_without_overwriting(place: Place, tmp_path: Path) -> None:
    target = place.target()
    await target.open()
    if not isinstance(target, MovingTarget):
        pytest.skip("this kind can't rename")
    sample, other = make_sample(tmp_path, 40_000), make_sample(tmp_path, 50_000, seed=2)
    await send(target, sample, PATH)
    await send(target, other, "there/other.bin")

    assert await target.move(PATH, "aside/2026/a.bin")
    assert not await target.move(PATH, "aside/gone.bin"), "it is not there any more"
    assert not await target.move("aside/2026/a.bin", "there/other.bin"), "somebody's name"

    assert place.files() == {"aside/2026/a.bin", "there/other.bin"}
    assert place.read("aside/2026/a.bin") == sample.data
    assert place.read("there/other.bin") == other.data


async def test_brings_files_back(place: Place, tmp_path: Path) -> None:
    target, sample = place.target(), make_sample(tmp_path, 3_000_001)
    await target.open()
    await send(target, sample, PATH)
    back, counts = tmp_path / "back", list[int]()

    await target.fetch(PATH, back, on_bytes=counts.append)

    assert back.read_bytes() == sample.data
    assert sum(counts) == sample.size
    with pytest.raises(LocalWriteFailed):  # never over another file
        await target.fetch(PATH, back)
    assert back.read_bytes() == sample.data
    with pytest.raises(FileVanished):
        await target.fetch("2024/05/never.heic", tmp_path / "never")
    assert not (tmp_path / "never").exists()


async def test_cancelled_while_bringing_back(place: Place, tmp_path: Path) -> None:
    target, sample = place.target(), make_sample(tmp_path, 30_000_000)
    await target.open()
    await send(target, sample, PATH)
    back, started = tmp_path / "back", asyncio.Event()
    task = asyncio.create_task(target.fetch(PATH, back, on_bytes=lambda _: started.set()))
    await started.wait()

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert not back.exists()
    await target.fetch(PATH, back)
    assert back.read_bytes() == sample.data


async def test_lists_what_lies_there(place: Place, tmp_path: Path) -> None:
    target = place.target()
    samples = {f"20{n % 3}/e f/{n}.bin": make_sample(tmp_path, 100 + n, n) for n in range(7)}
    await target.open()
    for path, sample in samples.items():
        await send(target, sample, path)
    place.write("foreign ü.txt", b"not ours")
    place.write("201/.x.0123456789ab.mp-part", b"half")

    everything = {file.path: file.size async for file in target.listing()}
    one = {file.path async for file in target.listing("201")}

    assert everything == {path: s.size for path, s in samples.items()} | {"foreign ü.txt": 8}
    assert one == {path for path in samples if path.startswith("201/")}
    assert [file async for file in target.listing("never")] == []


async def test_delete(place: Place, tmp_path: Path) -> None:
    target, sample = place.target(), make_sample(tmp_path, 1000)
    await target.open()
    await send(target, sample, PATH)

    await target.delete(PATH)
    await target.delete(PATH)
    await target.delete("never/was.jpg")

    assert place.files() == set()
