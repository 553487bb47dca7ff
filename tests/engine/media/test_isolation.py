"""The real worker with its real limits, led astray inside: the parent survives all of it."""

import asyncio
import contextlib
import io
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from PIL import Image

from custom_components.media_pipeline.engine.errors import (
    BrokenContainer,
    FileVanished,
    MediaUnreadable,
    MediaWorkerCrashed,
    MediaWorkerMemory,
    MediaWorkerTimeout,
    PipelineError,
    TargetFull,
)
from custom_components.media_pipeline.engine.media.jobs import (
    CompressJob,
    DeriveJob,
    VideoCodec,
    VideoPreset,
)
from custom_components.media_pipeline.engine.media.pool import MediaPool
from tests.corpus.judging import judge_all
from tests.support.pools import Pools

from . import making
from .processes import photo_astray, workers

_MALLOC = """libc = ctypes.CDLL(None)
while libc.malloc(1 << 24): pass
from engine.errors import MediaUnreadable
raise MediaUnreadable('odd colours')"""


@pytest.fixture
async def good(tmp_path: Path) -> AsyncIterator[CompressJob]:
    """A job; afterwards its source is as before and nothing lies beside it."""
    source = making.full_jpeg(tmp_path / "a.jpg")
    raw = source.read_bytes()
    yield CompressJob(source, tmp_path / "b.jpg", "photo")
    assert [path.name for path in tmp_path.iterdir()] == ["a.jpg"]
    assert source.read_bytes() == raw


@pytest.mark.parametrize(
    ("code", "error", "text"),
    [
        ("ctypes.string_at(0)", MediaWorkerCrashed, "SIGSEGV"),
        ("os.abort()", MediaWorkerCrashed, "SIGABRT"),
        ("sys.setrecursionlimit(1 << 30)\nf = lambda: f()\nf()", MediaWorkerCrashed, ""),
        # what waits forever holding the interpreter, as C code may
        ("ctypes.PyDLL(None).pause()", MediaWorkerTimeout, "too long"),
        ("x = [bytearray(1 << 24) for _ in range(1000)]", MediaWorkerMemory, "memory"),
        (
            # a library short of memory says anything
            _MALLOC,
            MediaWorkerMemory,
            "odd colours",
        ),
        (
            "with partial.open('ab') as file:\n    while True: file.write(bytes(1 << 20))",
            MediaUnreadable,
            "File too large",
        ),
        ("x = [open('/dev/null') for _ in range(100)]", MediaUnreadable, "Too many open files"),
        ("partial.write_bytes(b'half')\nraise OSError(28, 'no room')", TargetFull, "no room"),
        ("os._exit(0)", MediaWorkerCrashed, "without an answer"),
    ],
)
async def test_parent_survives(
    code: str, error: type[PipelineError], text: str, good: CompressJob, pools: Pools
) -> None:
    # what fails by itself may take its time on a busy machine
    timeout = 3.0 if error is MediaWorkerTimeout else 30.0
    pool = pools(server=photo_astray(code), timeout=timeout, memory_bytes=1 << 30)
    with pytest.raises(error) as raised:
        await pool.compress(good)
    assert text.lower() in str(raised.value.detail).lower()


async def test_processor_time_is_limited(
    good: CompressJob, monkeypatch: pytest.MonkeyPatch, pools: Pools
) -> None:
    pool = pools(server=photo_astray("while True: pass"), timeout=60.0)
    monkeypatch.setattr(pool, "_processors", 0)  # leaves one second
    with pytest.raises(MediaWorkerTimeout, match="processor time"):
        await pool.compress(good)


async def test_source_vanishes_while_it_is_read(tmp_path: Path, pools: Pools) -> None:
    source = making.full_jpeg(tmp_path / "a.jpg")
    pool = pools(server=photo_astray("source.unlink()\nsource.open()"))
    with pytest.raises(FileVanished):
        await pool.compress(CompressJob(source, tmp_path / "b.jpg", "photo"))
    assert list(tmp_path.iterdir()) == []


def png_of(width: int, height: int) -> bytes:
    """A whole PNG of few bytes that says it is of this size and holds only zeros."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + zlib.crc32(kind + body).to_bytes(4)

    packer = zlib.compressobj(9)
    line = b"\0" * (1 + (width + 7) // 8)
    packed = b"".join(packer.compress(line) for _ in range(height)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    )


def huge_jpeg() -> bytes:
    """A small JPEG whose frame says 65,500 by 65,500."""
    file = io.BytesIO()
    Image.new("RGB", (64, 64)).save(file, "JPEG")
    raw = bytearray(file.getvalue())
    at = raw.index(b"\xff\xc0") + 5
    raw[at : at + 4] = struct.pack(">HH", 65500, 65500)
    return bytes(raw)


async def test_bombs(tmp_path: Path, pool: MediaPool) -> None:
    """A few kilobytes that unpack to gigabytes are refused or left alone, within the limits."""
    (tmp_path / "a.png").write_bytes(png_of(60000, 60000))
    (tmp_path / "b.jpg").write_bytes(huge_jpeg())
    assert max(path.stat().st_size for path in tmp_path.iterdir()) < 1_000_000
    result = await pool.compress(CompressJob(tmp_path / "b.jpg", tmp_path / "c.jpg", "photo"))
    assert (result.kept, result.reason) == (False, "too_many_pixels")
    shared = DeriveJob("share", tmp_path / "a.png", tmp_path / "d.jpg")
    result = await pool.derive(shared)
    assert (result.kept, result.reason) == (False, "too_many_pixels")
    assert result.peak_rss < 300 << 20
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.jpg"]


async def test_corpus_run(tmp_path: Path, pool: MediaPool) -> None:
    """``scripts/test --corpus``: every outcome, and the folder stays as it was."""
    making.full_jpeg(tmp_path / "one.jpg")
    making.heic(tmp_path / "two.heic")
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "cut.mov").write_bytes(
        making.video(tmp_path / "deeper" / "film.mov", frames=5).read_bytes()[:-50]
    )
    (tmp_path / "note.txt").write_text("nothing")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    table = await judge_all(tmp_path, pool, parallel=2)
    found = {one.path.name: (one.outcome, one.reason) for one in table.verdicts}
    film = found.pop("film.mov")
    assert film[0] in {"kept", "compressed"}
    assert found == {
        "one.jpg": ("compressed", "jpeg"),
        "two.heic": ("kept", "efficient_format"),
        "cut.mov": ("refused", "broken_container"),
        "note.txt": ("kept", "no_media"),
    }
    assert list(table.lines())[-1].endswith("refused 1, crashed 0")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


async def test_corpus_run_counts_a_crash(tmp_path: Path, pools: Pools) -> None:
    making.full_jpeg(tmp_path / "one.jpg")
    table = await judge_all(tmp_path, pools(server=photo_astray("os.abort()")), parallel=1)
    assert list(table.lines())[-1] == "kept 0, compressed 0, refused 0, crashed 1"


async def test_a_cut_film_is_refused_before_it_is_decoded(tmp_path: Path, pool: MediaPool) -> None:
    whole = making.video(tmp_path / "a.mov", frames=5).read_bytes()
    (tmp_path / "b.mov").write_bytes(whole[:-30])
    with pytest.raises(BrokenContainer):
        await pool.compress(CompressJob(tmp_path / "b.mov", tmp_path / "c.mov", "video"))


def test_a_child_never_works_in_real_time() -> None:
    """An encoder that asks for it, as SVT-AV1 does when it is root, is refused."""
    code = (
        "from custom_components.media_pipeline.engine.children import never_in_real_time\n"
        "import os, sys, threading\n"
        "found = []\n"
        "def ask():\n"
        "    try:\n"
        "        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))\n"
        "        found.append('real time')\n"
        "    except PermissionError:\n"
        "        found.append('refused')\n"
        "{}\n"
        "thread = threading.Thread(target=ask)\n"
        "thread.start(); thread.join()\n"
        "print(found[0])\n"
    )

    def ask(before: str) -> str:
        command = [sys.executable, "-c", code.format(before)]
        return subprocess.run(command, capture_output=True, check=True, text=True).stdout.strip()

    if ask("pass") == "refused":
        pytest.skip("this user may ask for nothing anyway")
    assert ask("never_in_real_time()") == "refused"


async def test_av1_is_encoded_without_real_time(tmp_path: Path, pool: MediaPool) -> None:
    """The real encoder; what its threads got is read while it works."""
    film = making.video(tmp_path / "a.mp4", frames=60, size=(640, 480))
    preset = VideoPreset(codec=VideoCodec.AV1, floor_mbps=0.1)
    out = tmp_path / "out.mp4"
    task = asyncio.create_task(pool.compress(CompressJob(film, out, "video", preset=preset)))
    policies: list[int] = []
    while not task.done():
        await asyncio.sleep(0.02)
        for child in workers():
            with contextlib.suppress(OSError):
                threads = Path(f"/proc/{child}/task").iterdir()
                policies += [os.sched_getscheduler(int(one.name)) for one in threads]
    assert (await task).kept
    assert len(policies) > 20
    assert set(policies) <= {os.SCHED_OTHER, os.SCHED_BATCH}
