"""The line to an object store: busy, cut or slow; how much is under way, and how fast."""

import asyncio
from pathlib import Path

import pytest

from custom_components.media_pipeline.engine import errors
from custom_components.media_pipeline.engine.marker import MARKER_NAME
from custom_components.media_pipeline.engine.targets.object_store_pace import MEMORY, Pace
from tests.support.object_stores.moto_server import s3_bucket
from tests.support.relay import Relay, answer

from .bucket_targets import direct, through
from .place import PATH, make_sample, send


async def test_storm_of_503_is_waited_out(relay: Relay, tmp_path: Path) -> None:
    bucket, sample = s3_bucket(), make_sample(tmp_path, 4000)
    target = through(relay, bucket)
    await target.open()
    relay.cut()
    relay.refuse = [answer("503 Slow Down", "<Error><Code>SlowDown</Code></Error>")] * 4

    delivery = await send(target, sample, PATH)

    assert relay.refused == 4
    assert bucket.read(delivery.path) == sample.data


async def test_storm_without_end_has_a_name(relay: Relay) -> None:
    bucket = s3_bucket()
    relay.refuse = [answer("503 Slow Down", "<Error><Code>SlowDown</Code></Error>")] * 50

    with pytest.raises(errors.TargetBusy):
        await through(relay, bucket).open()


async def test_connection_cut_while_sending(relay: Relay, tmp_path: Path) -> None:
    bucket, sample = s3_bucket(), make_sample(tmp_path, 3_000_000)
    target = through(relay, bucket)
    await target.open()
    relay.cut_after = relay.sent + 1_000_000

    try:
        delivery = await send(target, sample, PATH)
    except errors.TargetUnreachable:
        assert bucket.files() == {MARKER_NAME}  # whole, or not at all
        delivery = await send(target, sample, PATH)

    assert bucket.files() == {MARKER_NAME, delivery.path}
    assert bucket.read(delivery.path) == sample.data


async def test_slow_uplink(relay: Relay, tmp_path: Path) -> None:
    """4 MB/s here stand for 8 Mbit/s: all arrives, with few at a time and time enough for each."""
    bucket, target_files = s3_bucket(), [make_sample(tmp_path, 700_000, n) for n in range(8)]
    target = through(relay, bucket)
    await target.open()
    relay.up_rate = 4e6

    await asyncio.gather(*(send(target, s, f"{n}.jpg") for n, s in enumerate(target_files)))

    assert len(bucket.files()) == 9
    rate = target._link.sending.rate
    assert rate is not None
    assert 1e6 < rate < 1.2e7
    assert target._link.sending.timeout >= 2 * MEMORY / rate or target._link.sending.timeout == 60


def test_pace_on_a_slow_line_stays_low() -> None:
    pace = Pace(8)
    for _ in range(20):
        pace.arrived(8_000_000, 8.0)  # 8 Mbit/s
    assert pace.limit == 2
    assert 120 < pace.timeout < 150  # four times what all that may be in memory takes
    pace.failed(timed_out=True)
    assert pace.limit == 1
    for _ in range(20):
        pace.arrived(8_000_000, 0.1)
    assert pace.limit == 8
    assert pace.timeout == 60


async def test_pace_holds_memory() -> None:
    pace = Pace(8)
    pace.limit = 8
    inside: list[int] = []

    async def one() -> None:
        async with pace.place(MEMORY // 2):
            inside.append(1)
            assert len(inside) <= 2
            await asyncio.sleep(0.01)
            inside.pop()

    tasks = [asyncio.create_task(one()) for _ in range(6)]
    await asyncio.sleep(0)
    tasks[3].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    async with asyncio.timeout(1), pace.place(MEMORY):
        pass


async def test_upload_limit(tmp_path: Path) -> None:
    bucket, target_files = s3_bucket(), [make_sample(tmp_path, 200_000, n) for n in range(4)]
    target = direct(bucket, bandwidth=1_000_000)
    await target.open()
    begun = asyncio.get_running_loop().time()

    await asyncio.gather(*(send(target, s, f"{n}.jpg") for n, s in enumerate(target_files)))

    assert asyncio.get_running_loop().time() - begun > 0.4
