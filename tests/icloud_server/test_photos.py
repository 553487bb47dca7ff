"""Listing, the change feed and changes with pyicloud as it is."""

import base64
import time
from pathlib import Path
from typing import Any

import pytest

from .client import ControlError, StandIn
from .conftest import Pyicloud, PyicloudError
from .odd import ODDITIES

ZONE = {"zoneName": "PrimarySync"}
LISTING = "CPLAssetAndMasterByAssetDateWithoutHiddenOrDeleted"


def page(api: Pyicloud, rank: int, direction: str = "ASCENDING", **more: Any) -> Any:
    filters = [
        {"fieldName": name, "comparator": "EQUALS", "fieldValue": {"type": kind, "value": value}}
        for name, kind, value in (("startRank", "INT64", rank), ("direction", "STRING", direction))
    ]
    query = {"recordType": LISTING, "filterBy": filters}
    data = {"query": query, "resultsLimit": 200, "zoneID": ZONE, **more}
    return api("post", operation="records/query", data=data)


def change(name: str, tag: str, **fields: int) -> dict[str, Any]:
    record = {
        "recordName": name,
        "recordType": "CPLAsset",
        "recordChangeTag": tag,
        "fields": {key: {"value": value} for key, value in fields.items()},
    }
    return {"operationType": "update", "record": record}


def modify(api: Pyicloud, *operations: dict[str, Any], atomic: bool = False) -> Any:
    data = {"operations": list(operations), "zoneID": ZONE, "atomic": atomic}
    return api("post", operation="records/modify", data=data)


def feed(api: Pyicloud, token: str | None, **more: Any) -> Any:
    wanted = {"zoneID": ZONE, "resultsLimit": 200, **more}
    if token is not None:
        wanted["syncToken"] = token
    return api("post", operation="changes/zone", data={"zones": [wanted]})["zones"][0]


def test_own_listing(api: Pyicloud, server: StandIn) -> None:
    photos = api("listing")
    assets = {asset["recordName"]: asset for asset in server.assets()}
    assert {photo["id"] for photo in photos} == set(assets)
    assert api("count") == 130
    assert "Holidays" in api("albums")
    for photo in photos:
        asset = assets[photo["id"]]
        assert photo["filename"] == asset["filename"]
        assert photo["versions"]["original"]["size"] == asset["roles"]["resOriginal"]["size"]


def test_smart_albums(api: Pyicloud, server: StandIn) -> None:
    server.control("favorite", index=[3, 4])
    server.control("hide", index=5)
    server.control("delete", index=[6, 7, 8])
    counts = {name: len(api("listing", album=name)) for name in ("Favorites", "Hidden")}
    assert counts == {"Favorites": 2, "Hidden": 1}
    assert (
        len(api("listing", album="Recently Deleted")) == api("count", album="Recently Deleted") == 3
    )
    assert len(api("listing", album="Videos")) == 130 // 20 * 4 + 2
    assert len(api("listing")) == 126


def test_shared_library(api: Pyicloud, server: StandIn) -> None:
    (name,) = [key for key in api("libraries") if key.startswith("shared:")]
    assert len(api("listing", library=name)) == 5
    assert server.state(name.removeprefix("shared:"))["present"] == 5


def test_pages(api: Pyicloud, server: StandIn) -> None:
    first, second = page(api, 0), page(api, 100)
    kinds = [record["recordType"] for record in first["records"]]
    assert kinds == ["CPLMaster"] * 100 + ["CPLAsset"] * 100
    assert "continuationMarker" in first
    assert "continuationMarker" not in second
    assert len(second["records"]) == 60
    assert not page(api, 130)["records"]
    names = [
        r["recordName"]
        for r in first["records"] + second["records"]
        if r["recordType"] == "CPLAsset"
    ]
    assert names == [asset["recordName"] for asset in server.assets()]
    dates = [r["fields"]["assetDate"]["value"] for r in first["records"][100:]]
    assert dates == sorted(dates, reverse=True)

    back = [r["recordName"] for r in page(api, 129, "DESCENDING")["records"][100:]]
    assert back == names[:29:-1]
    thin = page(api, 0, desiredKeys=["masterRef", "resOriginalRes"])["records"]
    assert {frozenset(record["fields"]) for record in thin} == {
        frozenset({"masterRef"}),
        frozenset({"resOriginalRes"}),
    }


def test_resources_are_where_apple_puts_them(api: Pyicloud, server: StandIn) -> None:
    records = {record["recordName"]: record for record in page(api, 0)["records"]}
    for asset in server.assets()[:100]:
        for role, facts in asset["roles"].items():
            owner = "recordName" if role in {"resJPEGFull", "resVidFull"} else "master"
            fields = records[asset[owner]]["fields"]
            assert fields[role + "Res"]["value"]["fileChecksum"] == facts["checksum"]
            assert fields[role + "Fingerprint"]["value"] == facts["checksum"]
            assert fields[role + "Res"]["value"]["size"] == facts["size"]


def test_lookup(api: Pyicloud, server: StandIn) -> None:
    asset = server.assets()[0]
    names = [asset["recordName"], asset["master"], "NOT-THERE"]
    wanted = {"records": [{"recordName": name} for name in names], "zoneID": ZONE}
    records = api("post", operation="records/lookup", data=wanted)["records"]
    assert [record.get("recordType") for record in records] == ["CPLAsset", "CPLMaster", None]
    assert records[2]["serverErrorCode"] == "NOT_FOUND"


def test_own_download_and_checksum(api: Pyicloud, server: StandIn) -> None:
    assets = {asset["recordName"]: asset for asset in server.assets()}
    for photo in api("listing")[-22:]:
        facts = assets[photo["id"]]["roles"]["resOriginal"]
        assert api("download", name=photo["id"])["size"] == facts["size"]
    assert base64.b64decode(facts["checksum"])[:1] == b"\x01"
    assert server.counts()["content"] == 22


def test_own_delete_and_restore(api: Pyicloud, server: StandIn) -> None:
    before = server.state()
    first = api("listing")[0]["id"]
    assert api("delete", name=first)
    (asset,) = [asset for asset in server.assets() if asset["recordName"] == first]
    assert asset["deleted"]
    assert abs(asset["dateExpunged"] / 1000 - time.time() - 30 * 86_400) < 60
    after = server.state()
    assert (after["present"], after["trashed"]) == (129, 1)
    assert after["bytes_present"] + after["bytes_trashed"] == before["bytes_present"]
    assert [photo["id"] for photo in api("listing", album="Recently Deleted")] == [first]

    restored = modify(api, change(first, asset["recordChangeTag"], isDeleted=0))["records"][0]
    assert restored["fields"]["isDeleted"]["value"] == 0
    assert server.state() == before


def test_quota_is_freed_by_the_purge_only(pyicloud: Pyicloud, server: StandIn, home: Path) -> None:
    def used() -> int:
        pyicloud.sign_in_fully(server, home)  # pyicloud remembers the first answer
        return int(pyicloud("storage")[0])

    shared = server.state(server.state()["zones"][1])["bytes_present"]
    before = server.state()["bytes_present"]
    assert used() == before + shared
    server.control("delete", index=list(range(10)))
    assert used() == before + shared
    assert server.state()["bytes_trashed"] > 0
    assert server.control("purge") == {"purged": 10}
    assert used() == server.state()["bytes_present"] + shared < before + shared
    assert server.state()["trashed"] == 0


def test_conflict_and_atomic(api: Pyicloud, server: StandIn) -> None:
    one, two, three = server.assets()[:3]
    bad = change(one["recordName"], "old", isDeleted=1)
    good = [change(a["recordName"], a["recordChangeTag"], isDeleted=1) for a in (two, three)]
    codes = [r.get("serverErrorCode") for r in modify(api, bad, *good, atomic=True)["records"]]
    assert codes == ["CONFLICT", "ATOMIC_ERROR", "ATOMIC_ERROR"]
    assert server.state()["trashed"] == 0
    records = modify(api, bad, *good, change("NOBODY", "x", isDeleted=1))["records"]
    assert [r.get("serverErrorCode") for r in records] == ["CONFLICT", None, None, "NOT_FOUND"]
    assert [r["fields"]["isDeleted"]["value"] for r in records[1:3]] == [1, 1]
    assert records[1]["recordChangeTag"] != two["recordChangeTag"]
    assert server.state()["trashed"] == 2


def test_own_favorite(api: Pyicloud, server: StandIn) -> None:
    first = api("listing")[0]["id"]
    assert api("favorite", name=first)
    assert [a["recordName"] for a in server.assets() if a["favorite"]] == [first]


def test_change_feed(api: Pyicloud, server: StandIn) -> None:
    token = page(api, 0)["syncToken"]
    assert feed(api, token)["records"] == []
    (new,) = server.control("add", kind="live")["assets"]
    gone = server.control("purge", index=20)
    hidden = server.control("hide", index=1)["assets"][0]
    server.control("favorite", index=1)
    edited = server.control("edit", index=0)["assets"][0]
    assert gone == {"purged": 1}
    answer = feed(api, token)
    assert not answer["moreComing"]
    names = [record["recordName"] for record in answer["records"]]
    assert names.count(hidden) == 1
    assert names.index(new) == 1
    assert {record["recordType"] for record in answer["records"]} == {"CPLMaster", "CPLAsset", None}
    dead = [record for record in answer["records"] if record["deleted"]]
    assert [record["recordType"] for record in dead] == [None, None]
    (render,) = [record for record in answer["records"] if record["recordName"] == edited]
    assert "resJPEGFullRes" in render["fields"]
    # the same token gives the same answer, but for addresses that end an hour from now
    again = feed(api, token)
    assert [record["recordName"] for record in again["records"]] == names
    assert again["syncToken"] == answer["syncToken"]
    assert feed(api, answer["syncToken"])["records"] == []
    assert feed(api, "")["records"] == []


def test_whole_history(api: Pyicloud, server: StandIn) -> None:
    records: list[Any] = []
    token, more, split = None, True, False
    while more:
        answer = feed(api, token)
        token, more = answer["syncToken"], answer["moreComing"]
        masters = {r["recordName"] for r in answer["records"] if r["recordType"] == "CPLMaster"}
        for record in answer["records"]:
            if record["recordType"] == "CPLAsset":
                split |= record["fields"]["masterRef"]["value"]["recordName"] not in masters
        records += answer["records"]
    assert len({record["recordName"] for record in records}) == len(records) == 260
    assert split


def test_own_changes(api: Pyicloud, server: StandIn) -> None:
    cursor = api("cursor")
    names = server.control("add", count=3)["assets"]
    assert {name for name, _ in api("changes", since=cursor)} >= set(names)


def test_database_changes(api: Pyicloud, server: StandIn) -> None:
    first = api("post", operation="changes/database", data={})
    assert len(first["zones"]) == 2
    again = {"syncToken": first["syncToken"]}
    assert api("post", operation="changes/database", data=again)["zones"] == []
    server.control("edit", index=0)
    (zone,) = api("post", operation="changes/database", data=again)["zones"]
    assert zone["zoneID"]["zoneName"] == "PrimarySync"


def test_refused_tokens_and_empty_pages(api: Pyicloud, server: StandIn) -> None:
    token = page(api, 0)["syncToken"]
    server.control("empty_pages", count=2)
    server.control("add")
    sizes = []
    more, at = True, token
    while more:
        answer = feed(api, at)
        sizes.append(len(answer["records"]))
        more, at = answer["moreComing"], answer["syncToken"]
    assert sizes == [0, 0, 2]
    server.control("reject_tokens")
    with_error = feed(api, token)
    assert with_error["serverErrorCode"] == "BAD_REQUEST"
    assert feed(api, "nonsense")["reason"] == "Invalid continuation format"


def test_duplicates_share_a_master(api: Pyicloud, server: StandIn) -> None:
    copy = server.control("duplicate", index=2)
    records = page(api, 0)["records"]
    kinds = [record["recordType"] for record in records]
    assert (kinds.count("CPLMaster"), kinds.count("CPLAsset")) == (99, 100)
    assert copy["masters"][0] == server.assets()[2]["master"]
    assert server.state()["bytes_present"] == sum(
        facts["size"]
        for asset in server.assets()
        if asset["recordName"] not in copy["assets"]
        for facts in asset["roles"].values()
    )


def test_odd_records(api: Pyicloud, server: StandIn) -> None:
    def both(index: int) -> Any:
        records = page(api, index)["records"]
        (asset,) = [record for record in records if record["recordName"] == name]
        fields = {**records[0]["fields"], **asset["fields"]}
        for field in fields.values():
            if isinstance(field.get("value"), dict):
                field["value"].pop("downloadURL", None)  # another one every time
        return fields

    (name,) = server.control("odd", index=7, what="")["assets"]  # an edited photo
    normal = both(7)
    for what in ODDITIES:
        server.control("odd", index=7, what=what)
        odd = both(7)
        different = {key for key in normal if odd.get(key, {}).get("value") != normal[key]["value"]}
        assert different, what
    with pytest.raises(ControlError):
        server.control("odd", index=7, what="nonsense")


def test_unknown_zone(api: Pyicloud) -> None:
    with pytest.raises(PyicloudError) as caught:
        api("post", operation="records/lookup", data={"records": [], "zoneID": {"zoneName": "X"}})
    assert caught.value.code in {404, "ZONE_NOT_FOUND"}
