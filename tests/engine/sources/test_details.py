"""What people know a photo by, out of fields as recorded and as nobody expects them."""

import base64
import plistlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custom_components.media_pipeline.engine.model import AlbumRecord, Details
from custom_components.media_pipeline.engine.sources.icloud.albums import album_record, membership
from custom_components.media_pipeline.engine.sources.icloud.details import details_of


def _encrypted(data: bytes | str) -> dict[str, Any]:
    raw = data.encode() if isinstance(data, str) else data
    return {"type": "ENCRYPTED_BYTES", "value": base64.b64encode(raw).decode()}


def _plist(value: Any, form: plistlib.PlistFormat = plistlib.FMT_BINARY) -> dict[str, Any]:
    return _encrypted(plistlib.dumps(value, fmt=form))


def _details(**fields: Any) -> Details:
    return details_of({"recordName": "A", "fields": fields}, live=False)


def test_everything_that_is_said() -> None:
    found = _details(
        captionEnc=_encrypted("Größe"),
        extendedDescEnc={"type": "STRING", "value": "plain"},
        keywordsEnc=_plist(["sea", " sky ", "sea", "", 7]),
        locationEnc=_plist({"lat": 48.1, "lon": -2, "alt": 31.5, "speed": 0.0}),
        timeZoneOffset={"value": -25200},
        timeZoneNameEnc=_encrypted("America/Denver"),
        burstId={"value": "B"},
        burstFlags={"value": 20},
        adjustmentType={"value": "com.apple.photo"},
    )
    assert found == Details(
        title="Größe",
        description="plain",
        keywords=("sea", "sky"),
        latitude=48.1,
        longitude=-2.0,
        altitude=31.5,
        tz_offset=-25200,
        tz_name="America/Denver",
        subtype="burst_pick",
        burst_id="B",
        adjustment="com.apple.photo",
    )


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"locationEnc": _plist({"lat": 1.5, "lon": 2}, plistlib.FMT_XML)}, (1.5, 2.0)),
        ({"locationEnc": _plist({"lat": -180, "lon": -180})}, (None, None)),
        ({"locationEnc": _plist({"lat": float("nan"), "lon": 2})}, (None, None)),
        ({"locationEnc": _plist({"lat": "1", "lon": 2})}, (None, None)),
        ({"locationEnc": _plist([1, 2])}, (None, None)),
        (
            {
                "locationEnc": _encrypted(b"bplist00" + b"\xff" * 40),
                "locationV2Enc": _plist({"lat": 3, "lon": 4}),
            },
            (3.0, 4.0),
        ),
        (
            {"locationLatitude": {"value": 5.5}, "locationLongitude": {"value": -6}},
            (5.5, -6.0),
        ),
        ({"locationLatitude": {"value": 10**400}, "locationLongitude": {"value": 6}}, (None, None)),
        (
            {
                "locationEnc": _encrypted(
                    '<?xml version="1.0"?><!DOCTYPE p [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'
                    "<plist><dict><key>lat</key><real>1</real></dict></plist>"
                )
            },
            (None, None),
        ),
    ],
)
def test_places(fields: dict[str, Any], place: tuple[float | None, float | None]) -> None:
    found = _details(captionEnc=_encrypted("kept"), **fields)
    assert (found.latitude, found.longitude) == place
    assert found.title == "kept"  # an odd field costs that field only


@pytest.mark.parametrize(
    ("fields", "subtype"),
    [
        ({"assetSubtype": {"value": 1}}, "panorama"),
        ({"assetSubtypeV2": {"value": 3}, "assetSubtype": {"value": 0}}, "screenshot"),
        ({"assetSubtypeV2": {"value": 0}, "assetSubtype": {"value": 101}}, "time_lapse"),
        ({"adjustmentRenderType": {"value": 2}}, "portrait"),
        ({"adjustmentRenderType": {"value": 4}}, "long_exposure"),
        ({"adjustmentRenderType": {"value": 19968}}, None),
        ({"assetSubtypeV2": {"value": 4711}}, None),
        ({"assetSubtypeV2": {"value": "x"}}, None),
        ({"burstId": {"value": "B"}, "burstFlags": {"value": None}}, "burst"),
    ],
)
def test_kinds(fields: dict[str, Any], subtype: str | None) -> None:
    assert _details(**fields).subtype == subtype


def test_what_is_too_long_is_left_out() -> None:
    assert _details(captionEnc=_encrypted("x" * 70_000)).title is None
    assert _details(timeZoneOffset={"value": 10**9}).tz_offset is None


NAMES = ("captionEnc", "keywordsEnc", "locationEnc", "locationV2Enc", "burstId", "assetSubtypeV2")
ANY_BYTES = st.one_of(
    st.binary(max_size=60),
    st.binary(max_size=60).map(lambda data: b"bplist00" + data),
    st.text(max_size=40).map(lambda text: f"<?xml version='1.0'?><plist>{text}".encode()),
)
ANY_FIELD = st.one_of(
    ANY_BYTES.map(_encrypted),
    st.builds(dict, value=st.one_of(st.none(), st.text(max_size=8), st.floats(), st.integers())),
    st.none(),
    st.lists(st.none(), max_size=1),
)


@given(st.dictionaries(st.sampled_from(NAMES), ANY_FIELD))
@settings(max_examples=400, deadline=None)
def test_nothing_raises(fields: dict[str, Any]) -> None:
    assert _details(**fields).tz_offset is None


def test_albums_and_memberships() -> None:
    fields = {"albumNameEnc": _encrypted("Rome"), "albumType": {"value": 0}}
    raw = {"recordName": "R", "fields": fields | {"parentId": {"value": "T"}}}
    assert album_record("Z", raw) == AlbumRecord("Z/R", "Z", "Rome", "Z/T")
    root = {"parentId": {"value": "----Root-Folder----"}, "albumType": {"value": 3}}
    folder = album_record("Z", {"recordName": "R", "fields": fields | root})
    assert folder == AlbumRecord("Z/R", "Z", "Rome", None, folder=True)
    assert album_record("Z", {"recordName": "R", "fields": {}}) == "no_album_name"
    gone = {"recordName": "R", "fields": fields | {"isDeleted": {"value": 1}}}
    assert album_record("Z", gone) is None
    assert membership("Z", {"recordName": "A-1-IN-B-2", "deleted": True}) == ("Z/B-2", "Z/A-1")
    named = {"itemId": {"value": "A"}, "containerId": {"value": "B"}}
    assert membership("Z", {"recordName": "whatever", "fields": named}) == ("Z/B", "Z/A")
    assert membership("Z", {"recordName": "whatever"}) is None
