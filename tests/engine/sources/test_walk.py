"""Full walks, the change feed, and what interrupts them."""

import asyncio
import contextlib

import pytest

from custom_components.media_pipeline.engine.errors import (
    CodeRequired,
    SourceAccessDenied,
    SourceBadAnswer,
    SourceUnreachable,
    ThrottledError,
)
from custom_components.media_pipeline.engine.model import ORIGINAL_ROLES, Role
from custom_components.media_pipeline.engine.sources.icloud.source import ICloudSource
from tests.icloud_server.client import StandIn

from .conftest import ASSETS, MakeSource, Reader


def keys(server: StandIn, zone: str = "PrimarySync", **states: bool) -> set[str]:
    states = {"deleted": False, "hidden": False, "purged": False, **states}
    return {
        f"{zone}/{asset['recordName']}"
        for asset in server.assets(zone)
        if all(asset[name] is wanted for name, wanted in states.items())
    }


def requests(server: StandIn) -> dict[str, int]:
    counts = server.counts()
    return {
        name: counts[name]
        for name in ("query", "changes_database", "changes_zone", "lookup")
        if counts.get(name)
    }


@pytest.mark.parametrize("index", range(5))
@pytest.mark.parametrize("answer", [{"records": []}, {}, [], {"serverErrorCode": "INTERNAL"}])
async def test_no_wrong_answer_hides_assets(
    source: ICloudSource, server: StandIn, answer: object, index: int
) -> None:
    """Whichever page is wrong: the walk says so or finds everything, hidden ones too."""
    server.control("hide", index=[1, 2])
    server.fault("query", json=answer, skip=index, times=1)
    reader = Reader(source)
    with contextlib.suppress(SourceBadAnswer):
        await reader.read()
    await reader.read()
    hidden = keys(server, hidden=True)
    if index == 3 and answer == {"records": []}:
        return  # that there are none hidden is believed
    assert set(reader.assets) >= keys(server) | hidden


async def test_full_walk(source: ICloudSource, server: StandIn) -> None:
    reader = Reader(source)
    pages = await reader.read()
    assert set(reader.assets) == keys(server)
    assert len(reader.seen) <= ASSETS + 10
    assert (pages[0].started_walk, pages[-1].complete_walk) == (True, True)
    assert sum(page.started_walk or page.complete_walk for page in pages) == 2
    assert set(reader.cursor) == {"db", "token:PrimarySync"}
    # Three pages of the library, one each of the hidden and the deleted, one album, and the feed.
    assert requests(server) == {"query": 6, "changes_database": 1, "changes_zone": 1}
    assert server.counts()["albums"] == 1
    assert await source.count() == ASSETS
    truth = {asset["recordName"]: asset for asset in server.assets()}
    for key, asset in reader.assets.items():
        expected = truth[key.partition("/")[2]]
        assert asset.filename == expected["filename"]
        assert asset.captured == expected["asset_date"]
        assert asset.asset_tag == expected["recordChangeTag"]
        assert asset.master_key == f"PrimarySync/{expected['master']}"
        assert {(each.size, each.checksum) for each in asset.resources} == {
            (role["size"], role["checksum"]) for role in expected["roles"].values()
        }
    roles = {each.role for asset in reader.assets.values() for each in asset.resources}
    assert roles == ORIGINAL_ROLES


async def test_hidden_and_deleted_are_walked_too(source: ICloudSource, server: StandIn) -> None:
    server.control("delete", index=[3, 4])
    server.control("hide", index=[5])
    reader = Reader(source)
    await reader.read()
    assert {k for k, a in reader.assets.items() if a.trashed} == keys(server, deleted=True)
    assert {k for k, a in reader.assets.items() if a.hidden} == keys(server, hidden=True)
    assert len(reader.assets) == ASSETS


async def test_nothing_new_is_one_request(source: ICloudSource, server: StandIn) -> None:
    reader = Reader(source)
    await reader.read()
    server.control("reset_counts")
    assert not await reader.read()
    assert requests(server) == {"changes_database": 1}


async def test_ten_new_are_two_requests(source: ICloudSource, server: StandIn) -> None:
    reader = Reader(source)
    await reader.read()
    new = server.control("add", count=10)
    server.control("reset_counts")
    await reader.read()
    assert {key.partition("/")[2] for key in reader.seen} == set(new["assets"])
    assert requests(server) == {"changes_database": 1, "changes_zone": 1}
    server.control("reset_counts")
    await reader.read()
    assert requests(server) == {"changes_database": 1}


async def test_all_sorts_of_changes(source: ICloudSource, server: StandIn) -> None:
    reader = Reader(source)
    await reader.read()
    before = dict(reader.assets)
    (deleted,) = server.control("delete", index=1)["assets"]
    (hidden,) = server.control("hide", index=2)["assets"]
    (loved,) = server.control("favorite", index=6)["assets"]
    (edited,) = server.control("edit", index=0)["assets"]
    (twin,) = server.control("duplicate", index=8)["assets"]
    (purged,) = server.control("delete", index=9)["assets"]
    server.control("purge", index=9)
    server.control("reset_counts")
    pages = await reader.read()
    fresh = {key.partition("/")[2]: asset for key, asset in reader.assets.items()}
    assert fresh[deleted].trashed
    assert fresh[hidden].hidden
    assert fresh[loved].favorite
    assert Role.EDITED in {each.role for each in fresh[edited].resources}
    assert fresh[edited].asset_tag != before[f"PrimarySync/{edited}"].asset_tag
    assert fresh[twin].master_key
    assert purged not in fresh
    assert f"PrimarySync/{purged}" in {key for page in pages for key in page.gone}
    # Only the assets changed: their masters are looked up at once.
    assert requests(server) == {"changes_database": 1, "changes_zone": 1, "lookup": 1}
    server.control("restore", name=deleted)
    await reader.read()
    assert not reader.assets[f"PrimarySync/{deleted}"].trashed


async def test_duplicates_on_one_master(source: ICloudSource, server: StandIn) -> None:
    for index in range(0, 100, 3):
        server.control("duplicate", index=index)
    reader = Reader(source)
    await reader.read()
    assert set(reader.assets) == keys(server)
    assert len(reader.assets) == ASSETS + 34


async def test_changes_while_walking(source: ICloudSource, server: StandIn) -> None:
    """What comes and goes moves all ranks; the walk must not miss an asset over it."""
    reader = Reader(source)
    walk = source.walk({})
    number = 0
    async for page in walk:
        reader.store(page.cursor)
        reader.assets |= {asset.key: asset for asset in page.assets}
        if number == 1:
            server.control("delete", index=list(range(5, 85)))
            server.control("add", count=3)
        number += 1
    assert keys(server) <= set(reader.assets)
    assert reader.in_library() == keys(server)


async def test_interrupted_walk_goes_on(source: ICloudSource, server: StandIn) -> None:
    reader = Reader(source)
    started = 0
    for _ in range(20):
        pages = await reader.read(stop_after=2 if "done" in reader.cursor.values() else 1)
        started += sum(page.started_walk for page in pages)
        if not pages or pages[-1].complete_walk:
            break
    assert started == 1
    assert set(reader.assets) == keys(server)
    assert "walk" not in reader.cursor
    server.control("reset_counts")
    assert not await reader.read()


async def test_deletions_between_two_halves(source: ICloudSource, server: StandIn) -> None:
    reader = Reader(source)
    await reader.read(stop_after=2)
    server.control("delete", index=list(range(60)))
    server.control("add", count=5)
    await reader.read()
    assert reader.in_library() == keys(server)


async def test_rejected_token(source: ICloudSource, server: StandIn) -> None:
    reader = Reader(source)
    await reader.read()
    server.control("reject_tokens")
    pages = await reader.read()
    assert pages[0].started_walk
    assert pages[-1].complete_walk
    assert len(set(reader.seen)) == ASSETS
    server.control("reset_counts")
    assert not await reader.read()


async def test_token_rejected_in_the_middle_of_a_walk(
    source: ICloudSource, server: StandIn
) -> None:
    reader = Reader(source)
    await reader.read(stop_after=3)
    server.control("reject_tokens")
    pages = await reader.read()
    assert any(page.started_walk for page in pages)
    assert pages[-1].complete_walk
    assert "walk" not in reader.cursor


async def test_empty_pages(source: ICloudSource, server: StandIn) -> None:
    reader = Reader(source)
    await reader.read()
    new = server.control("add", count=3)
    server.control("empty_pages", count=15)
    await reader.read()
    assert {key.partition("/")[2] for key in reader.seen} == set(new["assets"])


async def test_throttled_in_the_middle(source: ICloudSource, server: StandIn) -> None:
    reader = Reader(source)
    answer = {"zones": [{"serverErrorCode": "THROTTLED", "reason": "slow", "retryAfter": 2}]}
    server.fault("changes_zone", json=answer, times=1)
    server.fault("query", status=503, headers={"Retry-After": "1"}, skip=2, times=1)
    with pytest.raises(ThrottledError) as caught:
        await reader.read()
    assert 1 <= caught.value.retry_after <= 1.1
    await asyncio.sleep(caught.value.retry_after)
    with pytest.raises(ThrottledError) as caught:
        await reader.read()
    assert caught.value.retry_after == 2
    await asyncio.sleep(4.5)
    pages = await reader.read()
    assert pages[-1].complete_walk
    assert set(reader.assets) == keys(server)


async def test_session_ends_in_the_middle(source: ICloudSource, server: StandIn) -> None:
    reader = Reader(source)
    await reader.read(stop_after=2)
    server.control("logout_all")
    await reader.read()
    assert set(reader.assets) == keys(server)
    server.control("untrust")
    with pytest.raises(CodeRequired):
        await reader.read()


async def test_a_feed_that_stands_still(source: ICloudSource, server: StandIn) -> None:
    reader = Reader(source)
    await reader.read()
    server.control("add", count=1)
    token = reader.cursor["token:PrimarySync"]
    answer = {"zones": [{"records": [], "syncToken": token, "moreComing": True}]}
    server.fault("changes_zone", json=answer)
    with pytest.raises(Exception, match="does not move on"):
        await reader.read()


async def test_shared_library(make_source: MakeSource, server: StandIn) -> None:
    zone = next(name for name in server.state()["zones"] if name.startswith("SharedSync-"))
    source = await make_source("PrimarySync", zone)
    reader = Reader(source)
    await reader.read()
    assert set(reader.assets) == keys(server) | keys(server, zone)
    assert {asset.library for asset in reader.assets.values()} == {"PrimarySync", zone}
    assert await source.count() == ASSETS + 5
    (new,) = server.control("add", zone=zone)["assets"]
    server.control("reset_counts")
    await reader.read()
    assert reader.seen == [f"{zone}/{new}"]
    assert requests(server) == {"changes_database": 1, "changes_zone": 1}
    found = await source.lookup(reader.seen)
    assert found[f"{zone}/{new}"] is not None


async def test_library_chosen_later(make_source: MakeSource, server: StandIn) -> None:
    zone = next(name for name in server.state()["zones"] if name.startswith("SharedSync-"))
    reader = Reader(await make_source())
    await reader.read()
    reader.source = await make_source("PrimarySync", zone)
    server.control("reset_counts")
    pages = await reader.read()
    assert not any(page.started_walk or page.complete_walk for page in pages)
    assert set(reader.seen) == keys(server, zone)
    assert requests(server)["query"] <= 3
    assert set(reader.cursor) == {"db", "token:PrimarySync", f"token:{zone}"}


async def test_library_that_is_not_there(make_source: MakeSource) -> None:
    source = await make_source("SharedSync-00000000")
    with pytest.raises(SourceAccessDenied):
        await Reader(source).read()


async def test_odd_records(source: ICloudSource, server: StandIn) -> None:
    from tests.icloud_server.odd import ODDITIES

    odd = {what: 20 + number for number, what in enumerate(ODDITIES)}
    odd_names = {
        server.control("odd", index=index, what=what)["assets"][0]: what
        for what, index in odd.items()
    }
    reader = Reader(source)
    pages = await reader.read()
    malformed = dict(entry for page in pages for entry in page.malformed)
    assert {odd_names[name] for name in malformed} == {"no_master_reference"}
    assert len(reader.assets) == ASSETS - 1
    by_oddity = {
        odd_names[name]: asset
        for key, asset in reader.assets.items()
        if (name := key.partition("/")[2]) in odd_names
    }
    assert by_oddity["not_uploaded"].incomplete == "not_uploaded"
    assert by_oddity["edit_pending"].incomplete == "edit_not_rendered"
    assert by_oddity["absurd_date"].captured is None
    assert by_oddity["no_date"].captured is None
    assert by_oddity["plain_filename"].filename == "Plain name.JPG"


async def test_lookup(source: ICloudSource, server: StandIn) -> None:
    reader = Reader(source)
    await reader.read()
    wanted = sorted(reader.assets)
    server.control("delete", index=0)
    (purged,) = server.control("delete", index=1)["assets"]
    server.control("purge", index=1)
    server.control("reset_counts")
    found = await source.lookup([*wanted, "PrimarySync/never", "Elsewhere/x"])
    assert found.pop("PrimarySync/never") is None
    assert found.pop(f"PrimarySync/{purged}") is None
    assert set(found) == set(wanted) - {f"PrimarySync/{purged}"}
    assert sum(asset is not None and asset.trashed for asset in found.values()) == 1
    assert requests(server) == {"lookup": 6}
    server.fault("lookup", omit=True, times=1)
    assert len(await source.lookup(wanted[3:6])) == 2
    server.fault("lookup", drop=True, times=1)
    with pytest.raises(SourceUnreachable):
        await source.lookup(wanted[:3])
    server.fault("lookup", record_error="THROTTLED", retry_after=9)
    with pytest.raises(ThrottledError):
        await source.lookup(wanted[:3])
