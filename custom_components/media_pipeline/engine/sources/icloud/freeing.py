"""Delete and restore, read record by record: HTTP 200 is not success."""

from collections.abc import Mapping, Sequence
from itertools import batched
from typing import Any, Final

from ...errors import NeedsUserError, PipelineError, ThrottledError
from ...model import FreeResult
from ..base import FreeRequest
from ..http import retry_after
from .answers import THROTTLED_CODES
from .client import PhotosClient, Zone
from .records import ASSET, is_gone, purge_time
from .values import field_of, int_of, text_of

type Record = Mapping[str, Any]

_BATCH: Final = 100
_NOT_SENT: Final = "not_sent"
_OUTCOMES: Final = {
    "NOT_FOUND": "gone",
    "UNKNOWN_ITEM": "gone",
    "CONFLICT": "conflict",
    "ACCESS_DENIED": "denied",
    "NOT_AUTHORIZED": "denied",
}


class Freeing:
    """Batches of 100, one at a time; after anything unexpected nothing more is sent."""

    def __init__(self, client: PhotosClient, zones: Mapping[str, Zone]) -> None:
        self._client, self._zones = client, zones

    async def free(self, requests: Sequence[FreeRequest]) -> list[FreeResult]:
        """One result for every request, in their order."""
        results: dict[str, FreeResult] = {}
        by_zone: dict[str, dict[str, str]] = {}
        for request in requests:
            library, _, name = request.key.partition("/")
            if library in self._zones and request.asset_tag:
                by_zone.setdefault(library, {})[name] = request.asset_tag
            else:
                results[request.key] = FreeResult(request.key, "denied", "unknown_library_or_tag")
        await self._each_batch(by_zone, results, deleted=True)
        return [results[request.key] for request in requests]

    async def restore(self, keys: Sequence[str]) -> list[FreeResult]:
        """One result for every key, in their order; what is not deleted counts as restored."""
        results: dict[str, FreeResult] = {}
        by_zone: dict[str, dict[str, str]] = {}
        names: dict[str, list[str]] = {}
        for key in dict.fromkeys(keys):
            library, _, name = key.partition("/")
            if library in self._zones:
                names.setdefault(library, []).append(name)
            else:
                results[key] = FreeResult(key, "denied", "unknown_library")
        for library, wanted in names.items():
            for batch in batched(wanted, _BATCH, strict=False):
                tags = await self._deleted_tags(self._zones[library], batch, results)
                by_zone.setdefault(library, {}).update(tags)
        await self._each_batch(by_zone, results, deleted=False)
        return [results[key] for key in keys]

    async def _deleted_tags(
        self, zone: Zone, names: Sequence[str], results: dict[str, FreeResult]
    ) -> dict[str, str]:
        """Fresh change tags of those that can be restored; the others get their result."""
        tags: dict[str, str] = {}
        try:
            answered = _by_name(await self._client.lookup(zone, names))
        except PipelineError as error:
            results |= {f"{zone.name}/{n}": _failed(f"{zone.name}/{n}", error) for n in names}
            return tags
        for name in names:
            key, record = f"{zone.name}/{name}", answered.get(name)
            tag = text_of(record.get("recordChangeTag")) if record else None
            if record is None or record.get("serverErrorCode") or is_gone(record) or tag is None:
                results[key] = _read(key, record, deleted=False)
            elif int_of(field_of(record, "isDeleted")) == 1:
                tags[name] = tag
            else:
                results[key] = FreeResult(key, "ok", "not_deleted", asset_tag=tag)
        return tags

    async def _each_batch(
        self,
        by_zone: Mapping[str, Mapping[str, str]],
        results: dict[str, FreeResult],
        *,
        deleted: bool,
    ) -> None:
        stopped = False
        for library, tags in by_zone.items():
            zone = self._zones[library]
            for batch in batched(tags.items(), _BATCH, strict=False):
                keys = [f"{library}/{name}" for name, _ in batch]
                if stopped:
                    results |= {key: FreeResult(key, "throttled", _NOT_SENT) for key in keys}
                    continue
                answers = await self._one_batch(zone, dict(batch), deleted=deleted)
                results |= {answer.key: answer for answer in answers}
                stopped = any(
                    answer.outcome in {"unknown", "throttled", "denied"} for answer in answers
                )

    async def _one_batch(
        self, zone: Zone, tags: Mapping[str, str], *, deleted: bool
    ) -> list[FreeResult]:
        try:
            records = _by_name(await self._client.set_deleted(zone, tags, deleted=deleted))
        except PipelineError as error:
            return [_failed(f"{zone.name}/{name}", error) for name in tags]
        results = [
            _read(f"{zone.name}/{name}", records.get(name), deleted=deleted) for name in tags
        ]
        return await self._looked_at(zone, results, deleted=deleted)

    async def _looked_at(
        self, zone: Zone, results: list[FreeResult], *, deleted: bool
    ) -> list[FreeResult]:
        """Believe an ``ok`` only when a fresh record shows the same."""
        names = [result.key.partition("/")[2] for result in results if result.outcome == "ok"]
        if not names:
            return results
        try:
            # also when a record just said "slow down": what is gone must be known
            records = _by_name(await self._client.lookup(zone, names, urgent=True))
        except PipelineError as error:
            detail = f"not looked at: {error.key}"
            return [
                FreeResult(result.key, "unknown", detail) if result.outcome == "ok" else result
                for result in results
            ]
        looked: list[FreeResult] = []
        for result in results:
            if result.outcome == "ok":
                record = records.get(result.key.partition("/")[2])
                fresh = _read(result.key, record, deleted=deleted)
                if fresh.outcome != "ok":
                    fresh = FreeResult(result.key, "unknown", f"afterwards: {fresh.outcome}")
                looked.append(fresh)
            else:
                looked.append(result)
        return looked


def _by_name(records: Sequence[Record]) -> dict[str, Record]:
    named: dict[str, Record] = {}
    for record in records:
        name = text_of(record.get("recordName"))
        if name is not None:
            named.setdefault(name, record)
    return named


def _read(key: str, record: Record | None, *, deleted: bool) -> FreeResult:
    """What the answer says about one asset."""
    if record is None:
        return FreeResult(key, "unknown", "not_in_answer")
    code = record.get("serverErrorCode")
    if code:
        code = str(code)
        if code in THROTTLED_CODES:
            return FreeResult(key, "throttled", code, retry_after=retry_after(None, record))
        return FreeResult(key, _OUTCOMES.get(code, "unknown"), code)
    if is_gone(record):
        return FreeResult(key, "gone", "deleted")
    flag = int_of(field_of(record, "isDeleted"))
    if record.get("recordType") != ASSET or (flag == 1) is not deleted:
        return FreeResult(key, "unknown", "unchanged")
    return FreeResult(
        key,
        "ok",
        purge_at=purge_time(record) if deleted else None,
        asset_tag=text_of(record.get("recordChangeTag")),
    )


def _failed(key: str, error: PipelineError) -> FreeResult:
    """What a failed request says about each asset in it."""
    if isinstance(error, ThrottledError):
        return FreeResult(key, "throttled", error.key, retry_after=error.retry_after)
    outcome = "denied" if isinstance(error, NeedsUserError) else "unknown"
    return FreeResult(key, outcome, error.key)
