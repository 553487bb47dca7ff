"""One pacer per account: what Apple asks for is honoured, wherever it hides, over restarts."""

import asyncio
import contextlib
import json
import time
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from custom_components.media_pipeline.engine.errors import ThrottledError
from custom_components.media_pipeline.engine.sources.icloud.pacing import Pacer
from custom_components.media_pipeline.engine.sources.icloud.session import SignInState
from custom_components.media_pipeline.engine.sources.icloud.source import ICloudSource
from tests.icloud_server.client import StandIn

from .conftest import MakeSession, Reader

HELD = 7


def throttled(path: str = "") -> dict[str, Any]:
    item: dict[str, Any] = {"serverErrorCode": "THROTTLED", "retryAfter": HELD}
    return {path: [item]} if path else item


PLACES: list[tuple[str, dict[str, Any]]] = [
    ("changes_database", {"status": 503, "headers": {"Retry-After": str(HELD)}}),
    ("changes_database", {"status": 429, "json": throttled()}),
    ("changes_database", {"json": throttled()}),
    ("query", {"status": 429, "headers": {"Retry-After": "DATE"}}),
    ("query", {"json": {"records": [throttled()]}}),
    ("changes_zone", {"json": throttled("zones")}),
    ("count", {"json": throttled("batch")}),
]


@pytest.mark.parametrize(("operation", "fault"), PLACES)
async def test_retry_after_wherever_it_hides(
    source: ICloudSource, server: StandIn, operation: str, fault: dict[str, Any]
) -> None:
    if "DATE" in str(fault):
        fault = {**fault, "headers": {"Retry-After": formatdate(time.time() + HELD + 1, True)}}
    server.fault(operation, **fault)
    began = time.time()

    async def ask() -> None:
        await Reader(source).read()
        await source.count()

    with contextlib.suppress(ThrottledError):  # a count just says that it does not know
        await ask()
    until = source.throttled_until
    assert until is not None
    assert until - began >= HELD - 1
    assert until - time.time() <= HELD + 1
    server.control("reset_counts")
    with pytest.raises(ThrottledError) as caught:  # and nobody asks before that
        await ask()
    assert caught.value.retry_after <= HELD + 1
    assert "requests" not in server.counts()


async def test_a_record_of_a_lookup_or_a_delete(source: ICloudSource, server: StandIn) -> None:
    reader = Reader(source)
    await reader.read()
    server.fault("lookup", record_error="THROTTLED", retry_after=HELD, times=1)
    with pytest.raises(ThrottledError) as caught:
        await source.lookup(sorted(reader.assets)[:3])
    assert caught.value.retry_after == HELD
    assert source.throttled_until is not None


async def test_the_sign_in_pages_own_503(make_session: MakeSession, server: StandIn) -> None:
    page = "<html>Service Unavailable</html>"
    server.fault(host="idmsa", html=page, status=503, headers={"Retry-After": str(HELD)})
    session = make_session()
    with pytest.raises(ThrottledError):
        await session.sign_in()
    assert session.pacer.until is not None
    server.control("clear_faults")
    server.control("reset_counts")
    again = make_session()  # a restart
    for _ in range(3):
        with pytest.raises(ThrottledError):
            await again.sign_in()
    assert "requests" not in server.counts()


async def test_throttling_never_signs_in_or_asks_for_a_code(
    source: ICloudSource, server: StandIn
) -> None:
    reader = Reader(source)
    await reader.read()
    server.control("reset_counts")
    server.fault("changes_database", status=503, headers={"Retry-After": "1"})
    for _ in range(3):
        with pytest.raises(ThrottledError) as caught:
            await reader.read()
        await asyncio.sleep(min(caught.value.retry_after, 2.3))
    counts = server.counts()
    for operation in ("signin", "signin_init", "account_login", "send_code", "validate"):
        assert operation not in counts, operation
    assert counts["codes_sent"] <= 1  # the one of the fixture
    assert source.session.state is SignInState.SIGNED_IN


async def test_downloads_have_a_time_of_their_own(source: ICloudSource, server: StandIn) -> None:
    reader = Reader(source)
    await reader.read(stop_after=2)
    url = next(iter(reader.assets.values())).resources[0].url
    assert url is not None
    server.fault("content", status=429, headers={"Retry-After": str(HELD)}, times=1)
    server.control("reset_counts")
    for _ in range(2):
        with pytest.raises(ThrottledError) as caught:
            async with source.fetch(url):
                pytest.fail("this is held back")
        assert HELD - 1 <= caught.value.retry_after <= HELD + 1
    assert server.counts()["content"] == 1
    await source.count()  # other hosts serve this
    assert source.throttled_until is None


async def test_a_host_that_names_no_time_holds_downloads_for_seconds(
    source: ICloudSource, server: StandIn
) -> None:
    """One busy host of many: seconds at first, doubled each time, never the minute of the rest."""
    reader = Reader(source)
    await reader.read(stop_after=2)
    url = next(iter(reader.assets.values())).resources[0].url
    assert url is not None
    pacer = source.session.content_pacer
    for status, least, most in ((503, 4, 4), (429, 8, 8.8), (503, 16, 17.6)):
        server.fault("content", status=status, times=1)
        with pytest.raises(ThrottledError) as caught:
            async with source.fetch(url):
                pytest.fail("the host is busy")
        assert least <= caught.value.retry_after <= most
        pacer._until = 0.0  # the time has passed
    server.fault("content", status=503, headers={"Retry-After": str(HELD)}, times=1)
    with pytest.raises(ThrottledError) as caught:
        async with source.fetch(url):
            pytest.fail("the host is busy")
    assert caught.value.retry_after >= HELD, "what the host names is never shortened"


def test_the_back_off_grows_is_kept_and_ends(tmp_path: Path) -> None:
    file = tmp_path / "private" / "pacing.json"
    pacer = Pacer(file)
    slow = ThrottledError("slow", retry_after=60)
    assert pacer.slow_down(slow).retry_after == 60
    # answers to what was under way already are the same trouble
    assert pacer.slow_down(slow).retry_after == pytest.approx(60, abs=1)
    assert file.stat().st_mode & 0o777 == 0o600
    waits = []
    for _ in range(14):
        kept = json.loads(file.read_text())
        assert kept["until"] > time.time()
        file.write_text(json.dumps({**kept, "until": time.time() - 1}))  # the time has passed
        pacer = Pacer(file)  # a restart
        pacer.check()
        waits.append(pacer.slow_down(slow).retry_after)
        with pytest.raises(ThrottledError):
            Pacer(file).check()
    for number, wait in enumerate(waits, 1):
        grown = min(60 * 2**number, 6 * 3600)
        assert grown <= wait <= grown * 1.1
    file.write_text(json.dumps({**json.loads(file.read_text()), "until": time.time() - 1}))
    pacer = Pacer(file)
    pacer.check()
    for _ in range(10):
        assert pacer.troubled or Pacer(file).until is None
        pacer.went_well()
    assert not pacer.troubled
    assert Pacer(file).slow_down(slow).retry_after == 60


def test_requests_are_spaced_only_after_a_trouble(tmp_path: Path) -> None:
    pacer = Pacer(tmp_path / "pacing.json")
    began = time.monotonic()
    for _ in range(2000):
        pacer.check()
        pacer.wait_turn()
        pacer.went_well()
    assert time.monotonic() - began < 0.5
    pacer.slow_down(ThrottledError("slow", retry_after=1))
    time.sleep(1.01)
    began = time.monotonic()
    for _ in range(10):
        pacer.check()
        pacer.wait_turn()
        pacer.went_well()
    assert 2.2 <= time.monotonic() - began < 3.5  # nine gaps of a quarter of a second
    began = time.monotonic()
    for _ in range(100):
        pacer.wait_turn()
    assert time.monotonic() - began < 0.2


@pytest.mark.parametrize("kept", ["", "[]", "{", '{"until": 1e12, "strikes": 3}', '{"until": "x"}'])
def test_a_broken_or_absurd_memory_holds_nobody_back(tmp_path: Path, kept: str) -> None:
    file = tmp_path / "pacing.json"
    file.write_text(kept)
    Pacer(file).check()
