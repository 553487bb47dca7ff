"""Raw records of all shapes, as recorded and as nobody expects them."""

import base64
import copy
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custom_components.media_pipeline.engine.errors import SourceBadAnswer
from custom_components.media_pipeline.engine.model import AssetRecord, Kind, Role
from custom_components.media_pipeline.engine.sources.icloud.answers import parse_json
from custom_components.media_pipeline.engine.sources.icloud.client import Page, Zone
from custom_components.media_pipeline.engine.sources.icloud.pairing import Pairing
from custom_components.media_pipeline.engine.sources.icloud.records import (
    asset_record,
    expiry_of,
    filename_of,
)
from custom_components.media_pipeline.engine.sources.icloud.values import int_of, text_of

CHECKSUM = "AY6c+BsE0jjaXx9tmVGJM1D2VcEO"
URL = "https://cvws.icloud-content.com/B/AY6c-Bs/${f}?o=1&v=1&x=3&e=1533044225&k=2&s=3"


def resource(prefix: str, kind: str, size: int = 10, url: str | None = URL) -> dict[str, Any]:
    value: dict[str, Any] = {"fileChecksum": CHECKSUM, "size": size, "wrappingKey": "k"}
    if url is not None:
        value["downloadURL"] = url
    return {
        f"{prefix}Res": {"type": "ASSETID", "value": value},
        f"{prefix}FileType": {"type": "STRING", "value": kind},
    }


def master(name: str = "IMG_7409.HEIC", **fields: Any) -> dict[str, Any]:
    return {
        "recordName": CHECKSUM,
        "recordType": "CPLMaster",
        "recordChangeTag": "49lb",
        "created": {"timestamp": 1533021772093},
        "fields": {
            "filenameEnc": {
                "type": "ENCRYPTED_BYTES",
                "value": base64.b64encode(name.encode()).decode(),
            },
            "itemType": {"type": "STRING", "value": "public.heic"},
            **resource("resOriginal", "public.heic", 1884695),
            **fields,
        },
    }


def asset(**fields: Any) -> dict[str, Any]:
    return {
        "recordName": "F2A23C38-0020-42FE-A273-2923ADE3CAED",
        "recordType": "CPLAsset",
        "recordChangeTag": "49lh",
        "created": {"timestamp": 1533021772000},
        "modified": {"timestamp": 1533021999000},
        "fields": {
            "masterRef": {
                "type": "REFERENCE",
                "value": {"recordName": CHECKSUM, "action": "DELETE_SELF"},
            },
            "assetDate": {"type": "TIMESTAMP", "value": 1533021744816},
            "addedDate": {"type": "TIMESTAMP", "value": 1533021773000},
            "isFavorite": {"value": 1},
            **fields,
        },
    }


def value(item: Any) -> dict[str, Any]:
    return {"value": item, "type": "STRING"}


def described(own: Mapping[str, Any], of: Mapping[str, Any]) -> AssetRecord:
    record = asset_record("PrimarySync", own, of)
    assert isinstance(record, AssetRecord)
    return record


def names(record: AssetRecord) -> dict[Role, str]:
    return {each.role: each.filename for each in record.resources}


def test_plain_photo() -> None:
    record = described(asset(), master())
    assert record.key == "PrimarySync/F2A23C38-0020-42FE-A273-2923ADE3CAED"
    assert record.master_key == f"PrimarySync/{CHECKSUM}"
    assert (record.kind, record.filename) == (Kind.PHOTO, "IMG_7409.HEIC")
    assert (record.captured, record.added, record.modified) == (
        1533021744816,
        1533021773000,
        1533021999000,
    )
    assert (record.asset_tag, record.master_tag) == ("49lh", "49lb")
    assert record.favorite
    assert (record.hidden, record.trashed) == (False, False)
    assert record.incomplete is None
    (original,) = record.resources
    assert (original.role, original.size, original.checksum) == (Role.ORIGINAL, 1884695, CHECKSUM)
    assert (original.url, original.url_expires) == (URL, 1533044225000)


def test_all_resources_have_names_of_their_own() -> None:
    live = described(
        asset(
            **resource("resJPEGFull", "public.jpeg"),
            **resource("resVidFull", "com.apple.quicktime-movie"),
            adjustmentType=value("com.apple.photo"),
        ),
        master(
            **resource("resOriginalAlt", "com.adobe.raw-image"),
            **resource("resOriginalVidCompl", "com.apple.quicktime-movie"),
            **resource("resSidecar", "com.apple.photos.apple-adjustment-envelope"),
        ),
    )
    assert names(live) == {
        Role.ORIGINAL: "IMG_7409.HEIC",
        Role.ALTERNATIVE: "IMG_7409.DNG",
        Role.LIVE_VIDEO: "IMG_7409.MOV",
        Role.SIDECAR: "IMG_7409.AAE",
        Role.EDITED: "IMG_7409_edited.JPG",
        Role.EDITED_VIDEO: "IMG_7409_edited.MOV",
    }
    assert live.incomplete is None
    twins = described(asset(), master(**resource("resOriginalAlt", "public.heic")))
    assert len(set(names(twins).values())) == 2


def test_addresses_are_not_kept() -> None:
    own = asset(**resource("resJPEGFull", "public.jpeg"))
    before = copy.deepcopy(own)
    record = described(own, master())
    assert own == before
    assert "downloadURL" not in str(record.raw)
    assert record.raw["master"]["fields"]["resOriginalRes"]["value"]["size"] == 1884695


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ({"type": "STRING", "value": "Plain.JPG"}, "Plain.JPG"),
        ({"type": "ENCRYPTED_BYTES", "value": "SU1HXzc0MDkuSlBH"}, "IMG_7409.JPG"),
        ({"type": "ENCRYPTED_BYTES", "value": "%%%"}, None),
        ({"type": "ENCRYPTED_BYTES", "value": "Wrongly marked.JPG"}, "Wrongly marked.JPG"),
        ({"type": "ENCRYPTED_BYTES", "value": "//79"}, None),
        ({"type": "ENCRYPTED_BYTES", "value": None}, None),
        ({"type": "STRING"}, None),
        (None, None),
        ("text", None),
    ],
)
def test_filenames(field: Any, expected: str | None) -> None:
    record = master(filenameEnc=field)
    assert filename_of(record) == expected
    shown = described(asset(), record).filename
    assert shown == (expected or CHECKSUM + ".HEIC")


def test_hostile_name_stays_one_name() -> None:
    record = described(asset(), master("../../etc/p:a*<b>.JPG"))
    assert "/" not in record.filename


@pytest.mark.parametrize(
    ("own", "of", "reason"),
    [
        ({}, {"resOriginalRes": None}, "not_uploaded"),
        ({}, resource("resOriginal", "public.heic", url=None), "not_uploaded"),
        (
            resource("resJPEGFull", "public.jpeg", url=None),
            {},
            "not_uploaded",
        ),
        ({"adjustmentType": value("com.apple.photo")}, {}, "edit_not_rendered"),
        ({"adjustmentType": value("com.apple.video.slomo")}, {}, None),
        ({"adjustmentType": {"type": "STRING"}}, {}, None),
        ({}, {"resOriginalRes": {"value": {"downloadURL": URL}}}, "size_unknown"),
    ],
)
def test_incomplete(own: dict[str, Any], of: dict[str, Any], reason: str | None) -> None:
    assert described(asset(**own), master(**of)).incomplete == reason


@pytest.mark.parametrize(
    ("item_type", "file_type", "name", "kind"),
    [
        ("com.apple.quicktime-movie", "", "a.MOV", Kind.VIDEO),
        ("com.example.movie", "", "a", Kind.VIDEO),
        (None, "public.mpeg-4", "a", Kind.VIDEO),
        (None, "", "a.mp4", Kind.VIDEO),
        ("com.sony.arw-raw-image", "", "a", Kind.PHOTO),
        ("com.example.new-image", "", "a", Kind.PHOTO),
        ("com.example.new-thing", "", "a.jpg", Kind.PHOTO),
        ("com.example.new-thing", "", "a.xyz", Kind.OTHER),
    ],
)
def test_kinds(item_type: str | None, file_type: str, name: str, kind: Kind) -> None:
    fields = {**resource("resOriginal", file_type), "itemType": value(item_type)}
    assert described(asset(), master(name, **fields)).kind is kind


def test_odd_values() -> None:
    assert [int_of(x) for x in (3, 3.7, "12", True, None, "x", 1e300, float("nan"), 2**70)] == [
        *(3, 3, 12, 1),
        *(None,) * 5,
    ]
    assert text_of("a\ud800b") == "a?b"
    assert [text_of(x) for x in ("", None, 5, b"x")] == [None] * 4
    assert [expiry_of(x) for x in (None, "", "https://[", "https://a/?e=x")] == [None] * 4
    record = described(asset(assetDate=value(-62_135_769_600_000)), master())
    assert record.captured is None


def test_answers_that_are_hardly_json() -> None:
    assert parse_json(b'{"a": "\\ud83d!"}') == {"a": "\ufffd!"}
    assert parse_json(b'{"a": "\xff"}') == {"a": "\ufffd"}
    assert parse_json(b'["\\ud83d\\ude00", NaN]')[0] == "\U0001f600"
    for content in (b"", b"<html>", b"[" * 100_000):
        with pytest.raises(SourceBadAnswer):
            parse_json(content)


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None), max_size=8)
    | st.sampled_from(["CPLAsset", "CPLMaster", CHECKSUM, URL, "SU1HXzc0MDkuSlBH"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["value", "type", "recordName", "size", "downloadURL", "timestamp"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
FIELDS = st.dictionaries(
    st.sampled_from([*asset()["fields"], *master()["fields"], "isDeleted", "adjustmentType"]),
    ANYTHING,
    max_size=4,
)
OUTSIDE = st.dictionaries(
    st.sampled_from(["recordName", "recordType", "fields", "created", "modified", "deleted"]),
    ANYTHING,
    max_size=2,
)


@given(FIELDS, FIELDS, OUTSIDE, OUTSIDE)
@settings(max_examples=400, deadline=None)
def test_nothing_raises(
    own: dict[str, Any], of: dict[str, Any], outside: dict[str, Any], around: dict[str, Any]
) -> None:
    one, other = {**asset(**own), **outside}, {**master(**of), **around}
    record = asset_record("PrimarySync", one, other)
    if isinstance(record, AssetRecord):
        for text in (record.key, record.filename, *(each.filename for each in record.resources)):
            assert text.encode()
            assert "/" not in text.removeprefix("PrimarySync/") or text == record.key
    else:
        assert record


class _Client:
    """Knows one master; everything else is answered with an error item."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []

    async def lookup(
        self, _zone: Zone, names: tuple[str, ...], *, urgent: bool = False
    ) -> list[Mapping[str, Any]]:
        assert not urgent
        self.asked.append(tuple(names))
        return [
            master() if name == CHECKSUM else {"recordName": name, "serverErrorCode": "NOT_FOUND"}
            for name in names
        ]


@given(st.lists(st.one_of(st.builds(lambda f: {**asset(), **f}, OUTSIDE), OUTSIDE), max_size=6))
@settings(max_examples=150, deadline=None)
async def test_one_odd_record_costs_itself_only(odd: list[dict[str, Any]]) -> None:
    good = {**asset(), "recordName": "GOOD"}
    page = Page([*odd, good, master()], None, more=False)
    paired = await Pairing(_Client()).pair(Zone("PrimarySync"), page.records)  # type: ignore[arg-type]
    assert "PrimarySync/GOOD" in {each.key for each in paired.assets}


async def test_missing_masters_are_looked_up_together() -> None:
    client = _Client()
    pairing = Pairing(client)  # type: ignore[arg-type]
    lonely = [{**asset(), "recordName": f"A{number}"} for number in range(3)]
    lost = {**asset(masterRef=value({"recordName": "lost"})), "recordName": "B"}
    paired = await pairing.pair(Zone("PrimarySync"), [*lonely, lost])
    assert [each.key for each in paired.assets] == [f"PrimarySync/A{n}" for n in range(3)]
    assert paired.malformed == [("B", "no_master")]
    assert client.asked == [(CHECKSUM, "lost")]
    alone = await pairing.pair(Zone("PrimarySync"), [master()])
    assert alone.masters_alone == [f"PrimarySync/{CHECKSUM}"]
    await pairing.pair(Zone("PrimarySync"), lonely)
    assert len(client.asked) == 1  # it is remembered from the page before
    gone = {"recordName": "A0", "recordType": None, "deleted": True}
    assert (await pairing.pair(Zone("PrimarySync"), [gone])).gone == ["PrimarySync/A0"]
