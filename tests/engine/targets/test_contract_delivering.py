"""What every target promises, whatever carries the bytes: whole, proven, over nothing of others."""

import asyncio
from pathlib import Path

import pytest

from custom_components.media_pipeline.engine.errors import FileVanished, SourceFileChanged
from custom_components.media_pipeline.engine.targets.base import ProofRequest

from .place import MTIME, PATH, Place, make_sample, send


async def test_delivers_and_proves(place: Place, tmp_path: Path) -> None:
    target, sample = place.target(), make_sample(tmp_path, 3_000_001)
    await target.open()
    counts: list[int] = []

    delivery = await send(target, sample, PATH, on_bytes=counts.append)
    [proof] = await target.prove([ProofRequest(PATH, sample.size)])

    assert (delivery.path, delivery.size, delivery.already_there) == (PATH, sample.size, False)
    assert place.read(PATH) == sample.data
    if place.is_folder:
        assert (place.root / PATH).stat().st_mtime == MTIME
    assert place.files() == {PATH}
    assert sum(counts) == sample.size
    if place.has_parts and not place.kind.startswith("rclone"):  # it tells of its bytes when asked
        assert len(counts) > 1
    assert (proof.path, proof.sha256, proof.size) == (PATH, sample.sha256, sample.size)
    assert proof.method is place.method


async def test_empty_file(place: Place, tmp_path: Path) -> None:
    target, sample = place.target(), make_sample(tmp_path, 0)
    await target.open()

    await send(target, sample, "empty.json")

    assert place.read("empty.json") == b""
    assert [p.sha256 for p in await target.prove([ProofRequest("empty.json", 0)])] == [
        sample.sha256
    ]


async def test_nothing_visible_while_sending(place: Place, tmp_path: Path) -> None:
    # more than the sockets between hold: a busy WebDAV server must have begun before all is sent
    size = 16_000_000 if place.kind.startswith("webdav") else 4_000_000
    target, sample = place.target(), make_sample(tmp_path, size)
    await target.open()
    seen: set[str] = set()

    await send(target, sample, PATH, on_bytes=lambda _: seen.update(place.files()))

    parts = {name for name in seen if name.endswith(".mp-part")}
    if not place.kind.startswith("rclone"):  # its servers may show a file only when it is whole
        assert bool(parts) == place.has_parts
    assert seen - parts <= {PATH}
    assert all(Path(name).name.startswith(".") for name in parts)
    assert place.files() == {PATH}


async def test_delivering_again_sends_nothing(place: Place, tmp_path: Path) -> None:
    target, sample = place.target(), make_sample(tmp_path, 600_000)
    await target.open()
    await send(target, sample, PATH)
    counts: list[int] = []

    again = await send(target, sample, PATH, on_bytes=counts.append)

    assert again.already_there
    assert again.path == PATH
    assert counts == []
    assert place.files() == {PATH}


async def test_never_overwrites_foreign_data(place: Place, tmp_path: Path) -> None:
    target, sample = place.target(), make_sample(tmp_path, 500_000)
    await target.open()
    place.write(PATH, b"x" * sample.size)  # the same size: only the hash tells

    first = await send(target, sample, PATH)
    second = await send(target, sample, PATH)

    assert first.path == f"2024/05/IMG_0001~{sample.sha256[:8]}.HEIC"
    assert second == type(second)(first.path, sample.size, already_there=True)
    assert place.read(PATH) == b"x" * sample.size
    assert place.read(first.path) == sample.data
    assert place.files() == {PATH, first.path}


async def test_a_folder_in_the_way(folders: Place, tmp_path: Path) -> None:
    place = folders
    target, sample = place.target(), make_sample(tmp_path, 5_000)
    await target.open()
    (place.root / PATH).mkdir(parents=True)

    delivery = await send(target, sample, PATH, replace=True)

    assert delivery.path != PATH
    assert place.files() == {delivery.path}


async def test_replaces_only_when_asked(place: Place, tmp_path: Path) -> None:
    target = place.target()
    old, new = make_sample(tmp_path, 5_000, seed=1), make_sample(tmp_path, 7_000, seed=2)
    await target.open()
    await send(target, old, "record.json")

    delivery = await send(target, new, "record.json", replace=True)

    assert delivery.path == "record.json"
    assert place.read("record.json") == new.data
    assert place.files() == {"record.json"}


async def test_foreign_file_appears_while_sending(place: Place, tmp_path: Path) -> None:
    target, sample = place.target(), make_sample(tmp_path, 3_000_000)
    await target.open()

    def interfere(_: int) -> None:
        place.write(PATH, b"foreign")

    delivery = await send(target, sample, PATH, on_bytes=interfere)

    if delivery.path == PATH:  # a report may come after the file was published
        pytest.skip("the other file came too late")
    assert place.read(PATH) == b"foreign"
    assert place.read(delivery.path) == sample.data


async def test_source_changed_or_gone(place: Place, tmp_path: Path) -> None:
    target, sample = place.target(), make_sample(tmp_path, 700_000)
    await target.open()

    with pytest.raises(SourceFileChanged):
        await send(target, sample, PATH, sha256="0" * 64)
    with pytest.raises(SourceFileChanged):
        await send(target, sample, PATH, size=sample.size + 1)
    sample.path.unlink()
    with pytest.raises(FileVanished):
        await send(target, sample, PATH)

    assert place.files() == set()


async def test_cancelled_while_sending(place: Place, tmp_path: Path) -> None:
    target, sample = place.target(), make_sample(tmp_path, 40_000_000)
    await target.open()
    before = len(asyncio.all_tasks())
    started = asyncio.Event()
    task = asyncio.create_task(send(target, sample, PATH, on_bytes=lambda _: started.set()))
    await started.wait()

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert place.files() == set()
    if place.kind != "asyncssh":  # that server's own tasks run on this loop
        assert len(asyncio.all_tasks()) <= before
    delivery = await send(target, sample, PATH)
    assert place.files() == {delivery.path}


async def test_many_at_the_same_time(place: Place, tmp_path: Path) -> None:
    target = place.target()
    samples = {f"d{n % 3}/e/{n}.bin": make_sample(tmp_path, 70_000 + n, n) for n in range(40)}
    await target.open()

    await asyncio.gather(*(send(target, sample, path) for path, sample in samples.items()))
    proofs = await target.prove([ProofRequest(p, s.size) for p, s in samples.items()])

    assert {proof.path: proof.sha256 for proof in proofs} == {
        path: sample.sha256 for path, sample in samples.items()
    }
    assert place.files() == set(samples)


async def test_two_for_one_name(place: Place, tmp_path: Path) -> None:
    target = place.target()
    samples = [make_sample(tmp_path, 800_000, seed) for seed in range(3)]
    await target.open()

    deliveries = await asyncio.gather(*(send(target, sample, PATH) for sample in samples))

    assert len({delivery.path for delivery in deliveries}) == 3
    for sample, delivery in zip(samples, deliveries, strict=True):
        assert place.read(delivery.path) == sample.data
