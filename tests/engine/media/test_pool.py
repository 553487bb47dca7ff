"""The children: whatever one does, it costs one file, and none stays behind."""

import asyncio
import time
from pathlib import Path

import pytest

from custom_components.media_pipeline.engine.errors import (
    BrokenContainer,
    EngineStopped,
    ErrorBody,
    FileVanished,
    MediaUnreadable,
    MediaWorkerCrashed,
    MediaWorkerMemory,
    MediaWorkerTimeout,
    TargetFull,
)
from custom_components.media_pipeline.engine.media import output as output_module
from custom_components.media_pipeline.engine.media.forks import Child, Forks, default_command
from custom_components.media_pipeline.engine.media.jobs import CompressJob
from custom_components.media_pipeline.engine.media.pool import MediaPool
from tests.support.pools import Pools

from . import making
from .processes import LEFT_ALONE, worker_astray, workers

LEAVE = "open(job['partial'], 'w').write('half'); "


def photo_job(folder: Path) -> CompressJob:
    source = folder / "a.jpg"
    if not source.exists():
        making.full_jpeg(source)
    return CompressJob(source, folder / "b.jpg", "photo")


@pytest.mark.parametrize(
    ("code", "error", "text"),
    [
        (LEAVE + "os.kill(os.getpid(), 11)", MediaWorkerCrashed, "SIGSEGV"),
        (LEAVE + "sys.exit('what went wrong')", MediaWorkerCrashed, "what went wrong"),
        (LEAVE, MediaWorkerCrashed, "without an answer"),
        (LEAVE + "os.kill(os.getpid(), 9)", MediaWorkerMemory, "killed"),
        (LEAVE + "raise MemoryError", MediaWorkerMemory, "memory"),
        (LEAVE + "os.kill(os.getpid(), 24)", MediaWorkerTimeout, "processor time"),
        (LEAVE + "time.sleep(60)", MediaWorkerTimeout, "too long"),
        (LEAVE + "[print('x' * 99) for _ in iter(int, 1)]", MediaWorkerTimeout, "too long"),
        (LEAVE + "print('x' * (1 << 22))", MediaWorkerCrashed, "line without end"),
        (LEAVE + "print('{}[] null \\xff\\n5\\n[1]')", MediaWorkerCrashed, "without an answer"),
        (LEAVE + "print(json.dumps({'ok': True, 'result': 5}))", MediaWorkerCrashed, "answer"),
        (LEAVE + "print(json.dumps({'ok': 7}))", MediaWorkerCrashed, "answer"),
    ],
)
async def test_faulty_children(
    code: str, error: type[Exception], text: str, tmp_path: Path, pools: Pools
) -> None:
    # what fails by itself may take its time on a busy machine
    pool = pools(timeout=1.0 if text == "too long" else 30.0, server=worker_astray(code))
    job = photo_job(tmp_path)
    raw, before = job.source.read_bytes(), workers()
    with pytest.raises(error, match=text):
        await pool.compress(job)
    assert [path.name for path in tmp_path.iterdir()] == ["a.jpg"]
    assert job.source.read_bytes() == raw
    assert workers() <= before


async def test_progress_keeps_a_slow_child_alive(tmp_path: Path, pools: Pools) -> None:
    code = (
        "[(time.sleep(0.3), print(json.dumps({'progress': n}), flush=True)) for n in range(12)]; "
        f"{LEFT_ALONE}"
    )
    pool = pools(timeout=3.0, server=worker_astray(code))
    assert (await pool.compress(photo_job(tmp_path))).reason == "png"


async def test_crash_costs_one_file(tmp_path: Path, pools: Pools) -> None:
    """One pool, one worker: a file that crashes the child, then one that doesn't."""
    code = f"('evil.jpg' in job['source']) and os.kill(os.getpid(), 11); {LEFT_ALONE}"
    pool = pools(workers=1, server=worker_astray(code))
    good = photo_job(tmp_path)
    evil = CompressJob(making.jpeg(tmp_path / "evil.jpg"), tmp_path / "c.jpg", "photo")
    jobs = (pool.compress(job) for job in (good, evil, good, evil, good))
    results = await asyncio.gather(*jobs, return_exceptions=True)
    assert [type(result).__name__ for result in results] == [
        "CompressResult", "MediaWorkerCrashed", "CompressResult", "MediaWorkerCrashed",
        "CompressResult",
    ]  # fmt: skip


async def started(partial: Path) -> None:
    for _ in range(500):
        if partial.exists():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the child did not start")


async def test_cancelling_leaves_no_child_and_no_file(tmp_path: Path, pools: Pools) -> None:
    pool = pools(server=worker_astray(LEAVE + "os.system('sleep 100')"))
    before = workers()
    task = asyncio.create_task(pool.compress(photo_job(tmp_path)))
    await started(tmp_path / ".b.jpg.mp-part")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert workers() <= before
    assert [path.name for path in tmp_path.iterdir()] == ["a.jpg"]


async def test_cancelling_a_real_transcode(tmp_path: Path, pool: MediaPool) -> None:
    source = making.video(tmp_path / "a.mov", frames=90, size=(640, 480), crf=5)
    before = workers()
    task = asyncio.create_task(pool.compress(CompressJob(source, tmp_path / "b.mov", "video")))
    await started(tmp_path / ".b.mov.mp-part")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert workers() <= before
    assert [path.name for path in tmp_path.iterdir()] == ["a.mov"]


async def test_closing_stops_all(tmp_path: Path, pools: Pools) -> None:
    pool = pools(server=worker_astray(LEAVE + "time.sleep(100)"))
    task = asyncio.create_task(pool.compress(photo_job(tmp_path)))
    waiting = asyncio.create_task(pool.compress(photo_job(tmp_path)))
    await started(tmp_path / ".b.jpg.mp-part")
    await pool.close()
    for one in (task, waiting):
        with pytest.raises(EngineStopped):
            await one
    with pytest.raises(EngineStopped):
        await pool.probe(tmp_path / "a.jpg")
    assert [path.name for path in tmp_path.iterdir()] == ["a.jpg"]


async def test_real_child_runs_out_of_memory(tmp_path: Path, pools: Pools) -> None:
    source = making.jpeg(tmp_path / "a.jpg", 4000, 3000, quality=90)
    small = pools(memory_bytes=60 << 20)
    with pytest.raises(MediaWorkerMemory):
        await small.compress(CompressJob(source, tmp_path / "b.jpg", "photo"))
    assert [path.name for path in tmp_path.iterdir()] == ["a.jpg"]


async def test_real_child_tells_what_is_wrong(tmp_path: Path, pool: MediaPool) -> None:
    for content, error in (
        (b"", BrokenContainer),
        (b'{"error": 1}', ErrorBody),
        (making.jpeg(tmp_path / "x.jpg").read_bytes()[:-9], BrokenContainer),
    ):
        source = tmp_path / "a.jpg"
        source.write_bytes(content)
        with pytest.raises(error):
            await pool.compress(CompressJob(source, tmp_path / "b.jpg", "photo"))
    with pytest.raises(FileVanished):
        await pool.compress(CompressJob(tmp_path / "gone.jpg", tmp_path / "b.jpg", "photo"))
    with pytest.raises(FileVanished):
        await pool.probe(tmp_path / "gone.jpg")
    with pytest.raises(ValueError, match="replace its source"):
        await pool.compress(CompressJob(tmp_path / "x.jpg", tmp_path / "x.jpg", "photo"))
    (tmp_path / "text.bin").write_bytes(b"nothing")
    with pytest.raises(MediaUnreadable):
        await pool.probe(tmp_path / "text.bin")


async def test_full_disk(tmp_path: Path, pool: MediaPool, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = output_module.shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(output_module.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(TargetFull):
        await pool.compress(photo_job(tmp_path))


async def test_child_never_sees_home_assistant(tmp_path: Path, pools: Pools) -> None:
    """The real worker, with an import blocker in front and a look at all modules at the end."""
    *command, start, engine = default_command()
    blocker = (
        "import sys\n"
        "class Blocker:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in {'homeassistant', 'custom_components', 'asyncio'}:\n"
        "            raise RuntimeError('forbidden import: ' + name)\n"
        "sys.meta_path.insert(0, Blocker())\n"
    )
    pool = pools(server=(*command, blocker + start, engine))
    assert (await pool.compress(photo_job(tmp_path))).kept
    film = making.video(tmp_path / "a.mov", frames=5)
    assert (await pool.compress(CompressJob(film, tmp_path / "b.mov", "video"))).reason
    assert (await pool.probe(film)).kind == "video"
    assert (await pool.probe(making.heic(tmp_path / "a.heic"))).container == "heif"


async def test_child_ends_with_its_parent(tmp_path: Path, pools: Pools) -> None:
    """When standard input closes (Home Assistant is gone), the child goes, and its file too."""
    source = making.video(tmp_path / "a.mov", frames=90, size=(640, 480), crf=5)
    seen: list[Child] = []
    real = Forks.start

    async def spy(forks: Forks) -> Child:
        seen.append(await real(forks))
        return seen[-1]

    pool = pools()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Forks, "start", spy)
        job = CompressJob(source, tmp_path / "b.mov", "video")
        task = asyncio.create_task(pool.compress(job))
        await started(tmp_path / ".b.mov.mp-part")
    seen[0].stdin.close()
    begun = time.monotonic()
    with pytest.raises(MediaWorkerCrashed, match="code 3"):
        await task
    assert time.monotonic() - begun < 5
    assert [path.name for path in tmp_path.iterdir()] == ["a.mov"]


async def test_probe_of_a_photo(tmp_path: Path, pool: MediaPool) -> None:
    result = await pool.probe(making.full_jpeg(tmp_path / "a.jpg"))
    assert (result.kind, result.container, result.codec) == ("photo", "jpeg", "jpeg")
    assert (result.width, result.height, result.orientation) == (480, 640, 6)
    assert result.captured == "2024-05-06T07:08:09.123+02:00"
    assert result.latitude == pytest.approx(-33.8534722)
    assert result.longitude == pytest.approx(151.2083333)
    assert (result.make, result.model, result.duration) == ("Maker", "Camera 1", 0)


@making.needs_samples
async def test_probe_pairs_a_live_photo(pool: MediaPool) -> None:
    still = await pool.probe(making.SAMPLES / "IMG_4394.HEIC")
    film = await pool.probe(making.SAMPLES / "IMG_4394.mov")
    assert still.content_id is not None
    assert still.content_id == film.content_id
    assert (still.width, still.height) == (3024, 4032)
    assert (film.width, film.height, film.orientation) == (1308, 1744, 90)
    assert film.duration == pytest.approx(1.798, abs=0.01)
