"""The content host, and every fault as a client sees it."""

import base64
import hashlib
import time
from typing import Any

import pytest

from .client import ControlError, StandIn
from .conftest import Pyicloud, PyicloudError
from .test_photos import ZONE, change, modify, page

SALT = b"com.apple.XattrObjectSalt\0com.apple.DataObjectSalt\0"


def resource(api: Pyicloud, index: int = 1) -> tuple[str, dict[str, Any]]:
    """Address and facts of the original of an asset; index 1 is a JPEG."""
    value = page(api, index)["records"][0]["fields"]["resOriginalRes"]["value"]
    return value["downloadURL"], value


def fetch(api: Pyicloud, url: str, range_: str = "") -> tuple[int, dict[str, str], bytes]:
    answer = api("fetch", url=url, range_=range_)
    return answer["status"], answer["headers"], base64.b64decode(answer["data"])


def test_checksum_and_ranges(api: Pyicloud) -> None:
    url, facts = resource(api)
    status, headers, whole = fetch(api, url)
    assert (status, len(whole)) == (200, facts["size"])
    assert headers["accept-ranges"] == "bytes"
    digest = hashlib.sha1(SALT + whole, usedforsecurity=False).digest()
    assert base64.b64decode(facts["fileChecksum"]) == b"\x01" + digest
    for text, part in (
        ("bytes=1000-", whole[1000:]),
        ("bytes=10-19", whole[10:20]),
        ("bytes=-5", whole[-5:]),
    ):
        status, headers, data = fetch(api, url, text)
        assert (status, data) == (206, part)
    size = len(whole)
    assert headers["content-range"] == f"bytes {size - 5}-{size - 1}/{size}"
    assert fetch(api, url, f"bytes={size}-")[0] == 416


def test_addresses_expire(api: Pyicloud, server: StandIn) -> None:
    url, _ = resource(api)
    expires = int(url.partition("&e=")[2].partition("&")[0])
    assert abs(expires - time.time() - 3600) < 10
    assert fetch(api, url.replace(f"e={expires}", f"e={expires + 60}"))[0] == 403
    photo = api("listing")[-1]["id"]
    server.control("expire_urls")
    assert fetch(api, url)[0] == 410
    with pytest.raises(PyicloudError) as caught:
        api("download", name=photo)
    assert caught.value.kind == "PyiCloudEndpointGoneException"
    assert fetch(api, resource(api)[0])[0] == 200


def test_many_at_once_with_aiohttp(api: Pyicloud, server: StandIn) -> None:
    server.control("latency", ms=40)
    urls, sizes = [], []
    for rank in (0, 100):
        for record in page(api, rank)["records"]:
            if record["recordType"] == "CPLMaster":
                value = record["fields"]["resOriginalRes"]["value"]
                urls.append(value["downloadURL"])
                sizes.append(value["size"])
    begin = time.monotonic()
    assert api("fetch_many", urls=urls) == sizes
    assert (
        time.monotonic() - begin < 3
    )  # one after the other it is 130 times 40 ms = 5.2 s and more
    assert server.counts()["content_bytes"] == sum(sizes)


def test_damaged_bodies(api: Pyicloud, server: StandIn) -> None:
    url, facts = resource(api)
    whole = fetch(api, url)[2]

    server.fault("content", cut_after=1000, times=1)
    with pytest.raises(PyicloudError) as caught:
        fetch(api, url)
    assert caught.value.kind == "ChunkedEncodingError"

    server.fault("content", truncate_at=1000, times=1)
    status, headers, data = fetch(api, url)
    assert (status, headers["content-length"], data) == (200, "1000", whole[:1000])

    server.fault("content", flip=500, times=1)
    data = fetch(api, url)[2]
    assert len(data) == facts["size"]
    assert [at for at in range(len(data)) if data[at] != whole[at]] == [500]

    server.fault("content", html="<html>busy</html>", times=1)
    assert fetch(api, url)[::2] == (200, b"<html>busy</html>")

    server.fault("content", ignore_range=True, times=1)
    assert fetch(api, url, "bytes=5-")[::2] == (200, whole)
    server.fault("content", shift_range=7, times=1)
    assert fetch(api, url, "bytes=5-9")[0] == 206

    server.fault("content", expired=True, times=1)
    assert fetch(api, url)[0] == 410
    server.fault("content", drop=True, times=1)
    with pytest.raises(PyicloudError):
        fetch(api, url)
    assert fetch(api, url)[::2] == (200, whole)


def test_refusals(api: Pyicloud, server: StandIn) -> None:
    server.fault("query", status=503, headers={"Retry-After": "7"}, times=1)
    with pytest.raises(PyicloudError) as caught:
        page(api, 0)
    assert caught.value.code == 503
    assert caught.value.headers["Retry-After"] == "7"

    busy = {"serverErrorCode": "THROTTLED", "reason": "too many", "retryAfter": 3}
    server.fault("query", status=429, json=busy, skip=1, times=1)
    page(api, 0)
    with pytest.raises(PyicloudError):
        page(api, 0)
    server.fault("query", json={**busy, "serverErrorCode": "TRY_AGAIN_LATER"}, times=1)
    with pytest.raises(PyicloudError) as caught:
        page(api, 0)
    assert caught.value.code == "TRY_AGAIN_LATER"
    server.fault(path="records/lookup", host="ckdatabasews", status=500)
    assert page(api, 0)["records"]
    assert server.counts()["faults"] == 3

    server.fault("query", latency_ms=300, times=1)
    begin = time.monotonic()
    page(api, 0)
    assert time.monotonic() - begin > 0.3


def test_lies_about_deletions(api: Pyicloud, server: StandIn) -> None:
    assets = server.assets()[:3]
    orders = [change(a["recordName"], a["recordChangeTag"], isDeleted=1) for a in assets]

    server.fault("modify", lie=True, records=0, times=1)
    records = modify(api, *orders)["records"]
    assert [record["fields"]["isDeleted"]["value"] for record in records] == [1, 1, 1]
    assert server.state()["trashed"] == 0

    server.fault("modify", omit=True, times=1)
    records = modify(api, *orders)["records"]
    assert [record["recordName"] for record in records] == [a["recordName"] for a in assets[1:]]
    assert server.state()["trashed"] == 2

    server.control("restore", index=[1, 2])
    (assets[1]["recordChangeTag"], assets[2]["recordChangeTag"]) = (
        asset["recordChangeTag"] for asset in server.assets()[1:3]
    )
    orders = [change(a["recordName"], a["recordChangeTag"], isDeleted=1) for a in assets]
    server.fault("modify", record_error="THROTTLED", retry_after=5, times=1)
    records = modify(api, *orders)["records"]
    assert (records[0]["serverErrorCode"], records[0]["retryAfter"]) == ("THROTTLED", 5)
    assert "serverErrorCode" not in records[1]
    server.fault("modify", mute=True, times=1)
    assert modify(api, orders[0])["records"] == []
    assert server.state()["trashed"] == 3


def test_control_over_http(api: Pyicloud, server: StandIn) -> None:
    assert api("http", url=server.control_url + "/counts")["requests"] > 0
    added = api("http", url=server.control_url + "/control", data={"op": "add", "count": 2})
    assert len(added["assets"]) == 2
    state = api("http", url=server.control_url + "/state?assets=1&start=130")
    assert state["total"] == 132
    assert [asset["recordName"] for asset in state["assets"]] == added["assets"]
    with pytest.raises(ControlError, match="unknown fields"):
        server.fault("content", nonsense=1)
    with pytest.raises(ControlError, match="no operation"):
        server.control("_zone")
    wanted = {"records": [{"recordName": name} for name in added["assets"]], "zoneID": ZONE}
    assert len(api("post", operation="records/lookup", data=wanted)["records"]) == 2
