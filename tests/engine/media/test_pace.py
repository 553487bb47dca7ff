"""How many children work, when they rest, and that rest stops them in the middle."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from custom_components.media_pipeline.engine.media import pace as pace_module
from custom_components.media_pipeline.engine.media.jobs import CompressJob
from custom_components.media_pipeline.engine.media.pace import Pace
from custom_components.media_pipeline.engine.media.pool import MediaPool
from custom_components.media_pipeline.engine.media.strain import (
    BUSY,
    HOT,
    Reading,
    Sensors,
    Strain,
)
from tests.support.pools import Pools

from . import making
from .processes import photo_astray

MANY = 8 << 30


def judged(*readings: tuple[float, Reading]) -> list[str | None]:
    strain = Strain()
    return [strain.judge(reading, now) for now, reading in readings]


def test_heat() -> None:
    degrees = [79.0, 80.0, 75.0, 70.5, 69.0, 75.0]
    assert judged(*((0.0, Reading(temperature=t)) for t in degrees)) == [
        None, HOT, HOT, HOT, None, None,
    ]  # fmt: skip


def test_others_at_work() -> None:
    """Only what lasts counts; it ends below a lower limit."""
    used = [0.95, 0.5, 0.95, 0.95, 0.95, 0.75, 0.6, 0.75]
    assert judged(*((0.0, Reading(others=part)) for part in used)) == [
        None, None, None, None, BUSY, BUSY, None, None,
    ]  # fmt: skip
    assert judged(*[(0.0, Reading(pressure=50.0))] * 3) == [None, None, BUSY]


def test_a_machine_that_is_always_busy_stops_nothing_for_ever() -> None:
    found = judged(*((float(at), Reading(others=1.0)) for at in range(0, 1000, 5)))
    resting = found.count(BUSY) / len(found)
    assert 0.1 < resting < 0.25
    assert found[2:14] == [BUSY] * 12
    assert found[14] is None


def test_sensors_of_a_made_up_machine(tmp_path: Path) -> None:
    def write(path: str, text: str) -> None:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)

    sensors = Sensors(tmp_path)
    read = sensors.read()
    assert read == Reading(memory_free=read.memory_free)  # that is this machine's
    #             user nice system idle iowait irq softirq steal
    write("proc/stat", "cpu 1000 5000 1000 3000 0 0 0 0 0 0\ncpu0 1 1 1 1\n")
    write("proc/pressure/memory", "some avg10=9.0 x\nfull avg10=3.50 avg60=1.0 total=5\n")
    write("sys/class/thermal/thermal_zone0/temp", "61500\n")
    write("sys/class/thermal/thermal_zone1/temp", "-273000\n")
    write("sys/class/thermal/thermal_zone2/temp", "nonsense")
    first = sensors.read()
    assert (first.others, first.pressure, first.temperature) == (None, 3.5, 61.5)
    # niced work is ours and counts for nothing: 300 of 1000 ticks are others'
    write("proc/stat", "cpu 1200 5500 1100 3200 0 0 0 0 0 0\n")
    others = sensors.read().others
    assert others is not None
    assert 0.0 < others <= 0.3


def test_this_machine_can_be_read() -> None:
    sensors = Sensors()
    sensors.read()
    time.sleep(0.2)
    others = sensors.read().others
    assert others is not None
    assert 0.0 <= others <= 1.0


@pytest.mark.parametrize(
    ("reading", "expected"),
    [
        (Reading(), 4),
        (Reading(others=0.5, memory_free=MANY), 2),
        (Reading(others=0.95, memory_free=MANY), 1),
        (Reading(others=0.0, memory_free=1100 << 20), 1),
        (Reading(others=0.0, memory_free=1120 << 20), 2),
        (Reading(others=0.0, memory_free=0), 1),
    ],
)
async def test_how_many_work(reading: Reading, expected: int) -> None:
    pace = Pace(4, sense=lambda: reading)
    most = now = 0

    async def work() -> None:
        nonlocal most, now
        async with pace.turn():
            now += 1
            most = max(most, now)
            await asyncio.sleep(0.05)
            now -= 1

    async with pace.turn():  # the first look is taken meanwhile, and sees what this one uses
        await asyncio.sleep(0.05)
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(work())
    assert most == expected
    await pace.close()


async def test_rests_while_hot_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace_module, "_LOOK", 0.02)
    degrees = 90.0
    pace = Pace(1, sense=lambda: Reading(temperature=degrees))
    begun: list[str] = []

    async def work(name: str) -> None:
        async with pace.turn():
            begun.append(name)
            await asyncio.sleep(0.1)

    first = asyncio.create_task(work("a"))
    await asyncio.sleep(0.05)
    second = asyncio.create_task(work("b"))
    await asyncio.sleep(0.3)
    assert begun == ["a"]
    assert pace.resting == HOT
    degrees = 60.0
    async with asyncio.timeout(5):
        await asyncio.gather(first, second)
    assert begun == ["a", "b"]
    await pace.close()
    assert not pace.hold.reasons


def state_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return ""


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.01)


async def test_rest_stops_a_child_and_its_clocks(tmp_path: Path, pools: Pools) -> None:
    """Stopped for longer than it may go without progress, it still ends well."""
    note = tmp_path / "pid"
    code = (
        f"pathlib.Path({str(note)!r}).write_text(str(os.getpid()))\ntime.sleep(0.6)\n"
        "from engine.errors import MediaUnreadable\nraise MediaUnreadable('at its end')"
    )
    pool = pools(server=photo_astray(code), timeout=1.5)
    source = making.jpeg(tmp_path / "a.jpg")
    task = asyncio.create_task(pool.compress(CompressJob(source, tmp_path / "b.jpg", "photo")))
    await until(lambda: note.exists() and note.read_text() != "")
    pool.pace.put("test")
    await until(lambda: state_of(int(note.read_text())) == "T")
    await asyncio.sleep(2.0)
    assert not task.done()
    pool.pace.lift("test")
    with pytest.raises(Exception, match="at its end"):
        await task


async def test_a_stopped_child_can_be_cancelled(tmp_path: Path, pools: Pools) -> None:
    note = tmp_path / "pid"
    code = f"pathlib.Path({str(note)!r}).write_text(str(os.getpid()))\ntime.sleep(60)"
    pool = pools(server=photo_astray(code))
    source = making.jpeg(tmp_path / "a.jpg")
    task = asyncio.create_task(pool.compress(CompressJob(source, tmp_path / "b.jpg", "photo")))
    await until(lambda: note.exists() and note.read_text() != "")
    pool.pace.put("test")
    await until(lambda: state_of(int(note.read_text())) == "T")
    await pool.close()
    await asyncio.gather(task, return_exceptions=True)
    assert state_of(int(note.read_text())) in {"", "Z"}


_PARENT = """
import asyncio, sys
from pathlib import Path
from tests.engine.media.processes import photo_astray
from custom_components.media_pipeline.engine.media.jobs import CompressJob
from custom_components.media_pipeline.engine.media.pool import MediaPool
folder = Path(sys.argv[1])
async def main():
    code = f"pathlib.Path({str(folder / 'pid')!r}).write_text(str(os.getpid()))\\ntime.sleep(60)"
    pool = MediaPool(server=photo_astray(code))
    task = asyncio.create_task(
        pool.compress(CompressJob(folder / "a.jpg", folder / "b.jpg", "photo"))
    )
    while not (folder / "pid").exists():
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    pool.pace.put("test")
    await asyncio.sleep(60)
asyncio.run(main())
"""


async def test_a_stopped_child_ends_with_its_parent(tmp_path: Path) -> None:
    making.jpeg(tmp_path / "a.jpg")
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT, str(tmp_path)], cwd=Path(__file__).parents[3]
    )
    note = tmp_path / "pid"
    await until(lambda: note.exists() and note.read_text() != "")
    child = int(note.read_text())
    await until(lambda: state_of(child) == "T")
    parent.kill()
    parent.wait()
    await until(lambda: state_of(child) in {"", "Z"})
    assert state_of(child) in {"", "Z"}


async def test_progress_inside_a_film(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = making.video(tmp_path / "a.mov", frames=90, size=(640, 480), crf=5)
    heard: list[float] = []
    pool = MediaPool(workers=1, timeout=60)
    job = CompressJob(source, tmp_path / "b.mov", "video")
    assert (await pool.compress(job, heard.append)).reason
    assert heard
    assert heard == sorted(heard)
    assert 0.0 <= heard[0] <= heard[-1] <= 1.0
    await pool.close()
