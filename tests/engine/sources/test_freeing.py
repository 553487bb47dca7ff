"""Deleting and restoring: every answer is read record by record, and not believed blindly."""

import pytest

from custom_components.media_pipeline.engine.model import FreeResult
from custom_components.media_pipeline.engine.sources.base import FreeRequest
from custom_components.media_pipeline.engine.sources.icloud.source import ICloudSource
from tests.icloud_server.client import StandIn

MONTH_MS = 30 * 24 * 3600 * 1000


def wanted(server: StandIn, *indices: int) -> list[FreeRequest]:
    assets = server.assets()
    return [
        FreeRequest(f"PrimarySync/{assets[i]['recordName']}", assets[i]["recordChangeTag"])
        for i in indices
    ]


def deleted(server: StandIn) -> set[str]:
    return {f"PrimarySync/{each['recordName']}" for each in server.assets() if each["deleted"]}


def outcomes(results: list[FreeResult]) -> list[str]:
    return [result.outcome for result in results]


async def test_free_and_restore(source: ICloudSource, server: StandIn) -> None:
    requests = wanted(server, 3, 1, 2)
    results = await source.free(requests)
    assert [result.key for result in results] == [request.key for request in requests]
    assert outcomes(results) == ["ok"] * 3
    assert deleted(server) == {request.key for request in requests}
    truth = {f"PrimarySync/{each['recordName']}": each for each in server.assets()}
    for result in results:
        assert result.purge_at == truth[result.key]["dateExpunged"]
        assert result.asset_tag == truth[result.key]["recordChangeTag"]
    assert server.counts()["modify"] == 1

    keys = [request.key for request in requests]
    restored = await source.restore([*keys, "PrimarySync/never"])
    assert outcomes(restored) == ["ok", "ok", "ok", "gone"]
    assert not deleted(server)
    again = await source.restore(keys)
    assert [(result.outcome, result.detail) for result in again] == [("ok", "not_deleted")] * 3


async def test_batches(source: ICloudSource, server: StandIn) -> None:
    results = await source.free(wanted(server, *range(210)))
    assert outcomes(results) == ["ok"] * 210
    assert server.counts()["modify"] == 3
    assert len(deleted(server)) == 210


async def test_conflict_and_gone(source: ICloudSource, server: StandIn) -> None:
    requests = wanted(server, 0, 1, 2, 3)
    server.control("favorite", index=1)
    server.control("purge", index=2)
    results = await source.free(requests)
    assert outcomes(results) == ["ok", "conflict", "gone", "ok"]
    assert deleted(server) == {requests[0].key, requests[3].key}


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        ({"lie": True}, "unknown"),
        ({"omit": True}, "unknown"),
        ({"mute": True}, "unknown"),
        ({"record_error": "CONFLICT"}, "conflict"),
        ({"record_error": "NOT_FOUND"}, "gone"),
        ({"record_error": "ACCESS_DENIED"}, "denied"),
        ({"record_error": "ATOMIC_ERROR"}, "unknown"),
        ({"record_error": "SOMETHING_NEW"}, "unknown"),
        ({"record_error": "TRY_AGAIN_LATER", "retry_after": 17}, "throttled"),
    ],
)
async def test_one_record_goes_wrong(
    source: ICloudSource, server: StandIn, fault: dict[str, object], outcome: str
) -> None:
    server.fault("modify", times=1, **fault)
    requests = wanted(server, *range(150))
    results = await source.free(requests)
    assert outcomes(results)[:100] == [outcome] + ["ok"] * 99
    if outcome == "throttled":
        assert results[0].retry_after == 17
    if outcome in {"conflict", "gone"}:
        assert set(outcomes(results)[100:]) == {"ok"}
    else:  # nothing more is sent
        assert {(r.outcome, r.detail) for r in results[100:]} == {("throttled", "not_sent")}
        assert server.counts()["modify"] == 1


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        ({"drop": True}, "unknown"),
        ({"status": 500}, "unknown"),
        ({"json": {}}, "unknown"),
        ({"json": {"records": "none"}}, "unknown"),
        ({"status": 503, "headers": {"Retry-After": "17"}}, "throttled"),
        ({"status": 403, "json": {"serverErrorCode": "ACCESS_DENIED"}}, "denied"),
    ],
)
async def test_a_batch_goes_wrong(
    source: ICloudSource, server: StandIn, fault: dict[str, object], outcome: str
) -> None:
    server.fault("modify", **fault)
    results = await source.free(wanted(server, *range(120)))
    assert set(outcomes(results)[:100]) == {outcome}
    assert {(r.outcome, r.detail) for r in results[100:]} == {("throttled", "not_sent")}
    assert not deleted(server)


async def test_no_look_afterwards_no_ok(source: ICloudSource, server: StandIn) -> None:
    server.fault("lookup", status=500)
    requests = wanted(server, 0)
    assert outcomes(await source.free(requests)) == ["unknown"]
    assert outcomes(await source.restore([requests[0].key])) == ["unknown"]


async def test_not_ours(source: ICloudSource, server: StandIn) -> None:
    (request,) = wanted(server, 0)
    results = await source.free(
        [FreeRequest("Elsewhere/x", "1"), FreeRequest(request.key, ""), FreeRequest("odd", "1")]
    )
    assert outcomes(results) == ["denied"] * 3
    assert outcomes(await source.restore(["Elsewhere/x"])) == ["denied"]
    assert "modify" not in server.counts()


async def test_session_ends_before_a_delete(source: ICloudSource, server: StandIn) -> None:
    requests = wanted(server, 0, 1)
    server.control("logout_all")
    assert outcomes(await source.free(requests)) == ["ok", "ok"]
    server.control("untrust")
    assert outcomes(await source.free(wanted(server, 2, 3))) == ["denied", "denied"]


async def test_answers_with_two_results_for_one_name(source: ICloudSource, server: StandIn) -> None:
    """The same asset twice in one call is one operation."""
    (request,) = wanted(server, 0)
    results = await source.free([request, request])
    assert outcomes(results) == ["ok", "ok"]
    assert server.counts()["modify"] == 1
