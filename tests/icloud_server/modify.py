"""records/modify: one result for every record, in the manner of the real service."""

import asyncio
import base64
from typing import Any

from aiohttp import web

from .answers import Json, body_of, reply
from .changes import current
from .faults import Fault
from .library import Library
from .query import Query, error_item
from .records import record
from .zone import ASSET, Zone

Change = tuple[str, int, dict[str, Any]]


class Modify:
    """Answers records/modify."""

    def __init__(self, library: Library, query: Query) -> None:
        self.library = library
        self.query = query

    async def __call__(self, request: web.BaseRequest, faults: list[Fault]) -> web.Response:
        """Check every operation, then carry out those that passed."""
        data = await body_of(request)
        zone = self.query.zone_of(data, request)
        if zone is None:
            return self.query.no_zone()
        operations = data.get("operations", ())
        names = [str(operation["record"]["recordName"]) for operation in operations]
        struck = {name: fault for fault in faults for name in names[: fault.records or None]}
        outcomes: list[Json | Change] = []
        for operation, name in zip(operations, names, strict=True):
            fault = struck.get(name)
            if fault is not None and fault.record_error:
                outcomes.append(error_item(name, fault.record_error, fault.retry_after))
            else:
                outcomes.append(self._check(zone, operation, name))
        if data.get("atomic") and any(isinstance(outcome, dict) for outcome in outcomes):
            outcomes = [
                outcome if isinstance(outcome, dict) else error_item(outcome[0], "ATOMIC_ERROR")
                for outcome in outcomes
            ]
        records = [self._result(zone, outcome, struck) for outcome in outcomes]
        changed = [outcome[1] for outcome in outcomes if isinstance(outcome, tuple)]
        await asyncio.to_thread(zone.prepare, changed)
        answer = [item() if callable(item) else item for item in records]
        return reply(
            {
                "records": [item for item in answer if item is not None],
                "syncToken": current(self.library, zone),
            }
        )

    def _check(self, zone: Zone, operation: Json, name: str) -> Json | Change:
        if operation.get("operationType") not in {"update", "forceUpdate"}:
            return error_item(name, "BAD_REQUEST")
        found = zone.find(name)
        if found is None:
            return error_item(name, "NOT_FOUND")
        index, part = found
        wanted = operation["record"]
        tag = wanted.get("recordChangeTag")
        if operation["operationType"] == "update" and tag != zone.tag(index, part):
            error = error_item(name, "CONFLICT")
            error["serverRecord"] = {"recordName": name, "recordChangeTag": zone.tag(index, part)}
            return error
        if part != ASSET:
            return error_item(name, "BAD_REQUEST")
        return name, index, wanted.get("fields") or {}

    def _result(self, zone: Zone, outcome: Json | Change, struck: dict[str, Fault]) -> Any:
        if isinstance(outcome, dict):
            return outcome
        name, index, fields = outcome
        fault = struck.get(name, Fault())
        if fault.omit:
            return None
        if fault.lie:
            return lambda: self._pretend(zone, index, fields)
        self._apply(zone, index, fields)
        if fault.mute:
            return None
        return lambda: record(self.library, zone, index, ASSET)

    def _pretend(self, zone: Zone, index: int, fields: dict[str, Any]) -> Json:
        answer = record(self.library, zone, index, ASSET)
        for key, field in fields.items():
            answer["fields"][key] = {**answer["fields"].get(key, {}), "value": field.get("value")}
        answer["recordChangeTag"] += "x"
        return answer

    @staticmethod
    def _apply(zone: Zone, index: int, fields: dict[str, Any]) -> None:
        values = {key: field.get("value") for key, field in fields.items()}
        state = zone.state(index)
        if values.get("isExpunged") == 1:
            zone.purge(index)
        elif values.get("isDeleted") == 1 and not state.deleted:
            zone.trash(index)
        elif values.get("isDeleted") == 0 and state.deleted:
            zone.restore(index)
        else:
            changes: dict[str, Any] = {}
            if "isHidden" in values:
                changes["hidden"] = bool(values["isHidden"])
            if "isFavorite" in values:
                changes["favorite"] = bool(values["isFavorite"])
            if "captionEnc" in values:
                changes["caption"] = base64.b64decode(str(values["captionEnc"])).decode()
            zone.change(index, **changes)
