"""Home Assistant is killed in the middle of a run; the next run finishes the job."""

import asyncio
import os
import time

import pytest

from scripts.demo_lib import DemoFailed
from scripts.demo_lib.catalog import archived_files, read_catalog
from scripts.demo_lib.demo import Demo
from scripts.demo_lib.measure import leftovers

from .hass_log import complaints

pytestmark = [pytest.mark.timeout(240), pytest.mark.usefixtures("socket_enabled")]

ASSETS = 30
DOWNLOADS = 16
"""At most so many files are being fetched at a time: they may be fetched again."""
UPLOADS = 8
"""At most so many files are being sent to a target at a time."""


async def test_power_cut() -> None:
    """Nothing is lost, nothing is done twice, nothing unfinished stays behind."""
    async with Demo(assets=ASSETS, latency_ms=100) as demo:
        await demo.stored()
        await demo.start_run()
        before = await _archived(demo, at_least=10)
        await demo.power_cut()
        assert archived_files(demo.places.catalog) >= before
        assert before < len(_resources(demo))
        demo.icloud.control("latency", ms=0)

        await demo.run()
        await demo.clean_up()
        report = await demo.report()
        assert report.agrees, report.table()

        fetched = demo.icloud.counts()["content"]
        files = len(read_catalog(demo.places.catalog).originals)
        assert files <= fetched <= files + DOWNLOADS
        await _unfinished_files_go(demo)
        await demo.hass.stop()
        assert complaints(demo.places.log_text()) == []


async def _unfinished_files_go(demo: Demo) -> None:
    """The archive has none left; targets keep them until nobody can be writing them any more."""
    assert leftovers(demo.places.archive) == []
    usb, nas = leftovers(demo.places.usb), leftovers(demo.places.nas)
    assert len(usb) <= UPLOADS
    assert len(nas) <= UPLOADS
    long_ago = time.time() - 8 * 86_400
    for part in nas:
        os.utime(part, (long_ago, long_ago))
    await demo.run()
    assert leftovers(demo.places.nas) == []
    # the folder target goes by the time of the last change, which can't be set
    assert leftovers(demo.places.usb) == usb


def _resources(demo: Demo) -> list[str]:
    return [role for asset in demo.icloud.assets() for role in asset["roles"]]


async def _archived(demo: Demo, at_least: int) -> int:
    for _ in range(600):
        demo.hass.check()
        count = archived_files(demo.places.catalog)
        if count >= at_least:
            return count
        await asyncio.sleep(0.02)
    raise DemoFailed("the run archived nothing")
