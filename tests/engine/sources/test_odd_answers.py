"""Answers that make no sense end in one of our errors, never in another one or in a loop."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from custom_components.media_pipeline.engine.errors import PipelineError, SourceUnreachable
from custom_components.media_pipeline.engine.sources.base import FreeRequest
from custom_components.media_pipeline.engine.sources.icloud.client import PhotosClient, Zone
from custom_components.media_pipeline.engine.sources.icloud.freeing import Freeing
from custom_components.media_pipeline.engine.sources.icloud.walk import Walk

from .test_records import ANYTHING, asset, master

ZONE = Zone("PrimarySync")
RECORDS = st.lists(
    st.sampled_from([asset(), master(), {"recordName": "gone", "deleted": True}])
    | st.fixed_dictionaries(
        {}, optional={"recordName": ANYTHING, "recordType": ANYTHING, "serverErrorCode": ANYTHING}
    )
    | ANYTHING,
    max_size=4,
)
PARTS = {
    "records": RECORDS | ANYTHING,
    "syncToken": st.sampled_from(["a", "b"]) | ANYTHING,
    "moreComing": st.booleans() | ANYTHING,
    "continuationMarker": st.none() | st.text(max_size=2),
    "serverErrorCode": st.sampled_from(["THROTTLED", "BAD_REQUEST", "ZONE_NOT_FOUND"]) | ANYTHING,
    "reason": st.just("Unknown sync continuation type") | ANYTHING,
    "retryAfter": ANYTHING,
    "zoneID": st.just({"zoneName": "PrimarySync"}) | ANYTHING,
}
ZONES = st.lists(st.fixed_dictionaries({}, optional=PARTS) | ANYTHING, max_size=2)
ANSWERS = st.fixed_dictionaries({}, optional={**PARTS, "zones": ZONES, "batch": ZONES}) | ANYTHING


class _Session:
    def __init__(self, answers: list[Any]) -> None:
        self._answers = answers

    async def post(
        self, _path: str, _body: dict[str, Any], *, shared: bool, urgent: bool = False
    ) -> Any:
        if not self._answers:
            raise SourceUnreachable(str(shared))
        return self._answers.pop(0)


def client(answers: list[Any]) -> PhotosClient:
    return PhotosClient(_Session(list(answers)))  # type: ignore[arg-type]


@given(
    st.lists(ANSWERS, max_size=6),
    st.dictionaries(
        st.sampled_from(["walk", "walk:PrimarySync", "token:PrimarySync", "db"]),
        st.text(max_size=6) | st.sampled_from(["full", "done", "1:5:a,b", "9", "a"]),
    ),
)
@settings(max_examples=300, deadline=None)
async def test_walks(answers: list[Any], cursor: dict[str, str]) -> None:
    try:
        async for page in Walk(client(answers), [ZONE], cursor).pages():
            assert all(isinstance(value, str) for value in page.cursor.values())
    except PipelineError:
        pass


@given(st.lists(ANSWERS, max_size=3))
@settings(max_examples=200, deadline=None)
async def test_freeing(answers: list[Any]) -> None:
    freeing = Freeing(client(answers), {"PrimarySync": ZONE})
    request = FreeRequest("PrimarySync/x", "tag")
    (result,) = await freeing.free([request])
    assert result.key == request.key
    (result,) = await Freeing(client(answers), {"PrimarySync": ZONE}).restore([request.key])
    assert result.key == request.key


@given(ANSWERS)
@settings(max_examples=100, deadline=None)
async def test_counting(answer: Any) -> None:
    try:
        number = await client([answer]).count(ZONE)
    except PipelineError:
        return
    assert number is None or number >= 0
