"""The actions. All of them change something or tell of the library, so all need an admin."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import voluptuous as vol
from homeassistant.core import (
    HomeAssistant,
    ServiceCall,
    ServiceResponse,
    SupportsResponse,
    callback,
)
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers import service

from .actor import async_actor
from .adopt_action import async_adopt
from .const import DOMAIN
from .coordinator import MediaPipelineConfigEntry, MediaPipelineCoordinator
from .engine.adopt.report import Mode
from .engine.engine import Engine
from .engine.errors import PipelineError
from .engine.model import DEFAULT_STAGES, RunOutcome, Stage
from .errors import service_error
from .moments import iso
from .responses import plan_response, run_response
from .restore_actions import DRILL_FIELDS, RESTORE_FIELDS, async_drill, async_restore
from .target_actions import async_setup_target_actions

ATTR_CONFIG_ENTRY_ID = "config_entry_id"
ATTR_STAGES = "stages"
ATTR_ALL = "all"
ATTR_WAIT = "wait"
ATTR_MAX_MINUTES = "max_minutes"
ATTR_LIMIT = "limit"
ATTR_PLAN_ID = "plan_id"
ATTR_DRY_RUN = "dry_run"
ATTR_CODE = "code"
ATTR_PATH = "path"
ATTR_MODE = "mode"
ATTR_KEI_DATABASE = "kei_database"
ATTR_SMS = "sms"

RUN_STAGES = tuple(stage for stage in Stage if stage is not Stage.CLEANUP)
"""Cleanup needs a plan and an approval, so it is no part of a plain run."""

_ENTRY = {vol.Optional(ATTR_CONFIG_ENTRY_ID): cv.string}
_WAIT = {vol.Optional(ATTR_WAIT, default=False): cv.boolean}
_PLAN = {vol.Required(ATTR_PLAN_ID): vol.All(cv.string, vol.Length(min=1))}
_TREE = {
    vol.Required(ATTR_PATH): vol.All(cv.string, vol.Length(min=1)),
    vol.Optional(ATTR_MODE, default=Mode.LINK.value): vol.In([mode.value for mode in Mode]),
    vol.Optional(ATTR_KEI_DATABASE): vol.All(cv.string, vol.Length(min=1)),
}


@dataclass(frozen=True, slots=True)
class Request:
    """An action call with its engine found and its caller named."""

    coordinator: MediaPipelineCoordinator
    call: ServiceCall
    actor: str | None

    @property
    def engine(self) -> Engine:
        """The engine that shall do it."""
        return self.coordinator.engine


type Handler = Callable[[Request], Awaitable[ServiceResponse]]


@callback
def async_setup_services(hass: HomeAssistant) -> None:
    """Register the actions."""

    def register(
        name: str, handler: Handler, fields: dict[Any, Any], response: SupportsResponse
    ) -> None:
        async def handle(call: ServiceCall) -> ServiceResponse:
            entry: MediaPipelineConfigEntry = service.async_get_config_entry(
                hass, DOMAIN, call.data.get(ATTR_CONFIG_ENTRY_ID)
            )
            actor = await async_actor(hass, call.context)
            try:
                answer = await handler(Request(entry.runtime_data, call, actor))
            except PipelineError as err:
                raise service_error(err) from err
            return answer if call.return_response else None

        service.async_register_admin_service(
            hass, DOMAIN, name, handle, vol.Schema({**_ENTRY, **fields}), response
        )

    optional, none = SupportsResponse.OPTIONAL, SupportsResponse.NONE
    stages = vol.All(cv.ensure_list, vol.Length(min=1), [vol.In([s.value for s in RUN_STAGES])])
    minutes = vol.All(vol.Coerce(float), vol.Range(min=0.1, max=10080))
    run = {vol.Optional(ATTR_STAGES): stages, vol.Optional(ATTR_MAX_MINUTES): minutes, **_WAIT}
    register("run", _run, run, optional)
    for stage in RUN_STAGES:
        more = {}
        if stage is Stage.VERIFY:
            more = {
                vol.Optional(ATTR_ALL, default=False): cv.boolean,
                vol.Optional(ATTR_MAX_MINUTES): minutes,
            }
        register(stage.value, _run, {**_WAIT, **more}, optional)
    register("restore", _restore, RESTORE_FIELDS, optional)
    register("restore_drill", _restore_drill, DRILL_FIELDS, optional)
    limit = {vol.Optional(ATTR_LIMIT): vol.All(vol.Coerce(int), vol.Range(min=1))}
    register("plan_cleanup", _plan_cleanup, limit, optional)
    register("approve_cleanup", _approve_cleanup, _PLAN, optional)
    dry_run = {vol.Optional(ATTR_DRY_RUN, default=True): cv.boolean}
    register("cleanup", _cleanup, {**_PLAN, **dry_run}, optional)
    register("undo_cleanup", _undo_cleanup, _PLAN, optional)
    register("adopt", _adopt, {**_TREE, **dry_run}, optional)
    register("quarantine", _quarantine, {}, SupportsResponse.ONLY)
    register("retry_quarantined", _retry_quarantined, {}, optional)
    register("estimate", _estimate, {}, SupportsResponse.ONLY)
    register("reconcile", _reconcile, {}, optional)
    register("pause", _pause, {}, none)
    register("resume", _resume, {}, none)
    register("cancel", _cancel, {}, none)
    code = {vol.Required(ATTR_CODE): vol.All(cv.string, vol.Match(r"^\s*\d(\s?\d){5}\s*$"))}
    register("submit_verification_code", _submit_code, code, none)
    sms = {vol.Optional(ATTR_SMS, default=False): cv.boolean}
    register("request_verification_code", _request_code, sms, none)
    async_setup_target_actions(hass)


async def _run(request: Request) -> ServiceResponse:
    data = request.call.data
    if request.call.service == "run":
        stages = tuple(Stage(stage) for stage in data.get(ATTR_STAGES, DEFAULT_STAGES))
    else:
        stages = (Stage(request.call.service),)
    minutes = data.get(ATTR_MAX_MINUTES)
    run_id = await request.engine.start_run(
        stages,
        actor=request.actor,
        seconds=minutes and minutes * 60,
        prove_all=data.get(ATTR_ALL, False),
    )
    if not data[ATTR_WAIT]:
        return {"run_id": run_id}
    summary = await request.engine.wait_run(run_id)
    if summary.outcome is RunOutcome.FAILED:
        raise HomeAssistantError(
            translation_domain=DOMAIN,
            translation_key="run_failed",
            translation_placeholders={"reason": summary.error or "unknown"},
        )
    return run_response(summary)


async def _restore(request: Request) -> ServiceResponse:
    return await async_restore(request.coordinator, request.call.data, request.actor)


async def _restore_drill(request: Request) -> ServiceResponse:
    return await async_drill(request.coordinator, request.call.data, request.actor)


async def _plan_cleanup(request: Request) -> ServiceResponse:
    plan, reasons = await request.engine.plan_cleanup(
        limit=request.call.data.get(ATTR_LIMIT), actor=request.actor
    )
    return {"plan": plan_response(plan), "reasons": dict(reasons)}


async def _approve_cleanup(request: Request) -> ServiceResponse:
    plan = await request.engine.approve_cleanup(
        request.call.data[ATTR_PLAN_ID], actor=request.actor
    )
    return {"plan": plan_response(plan)}


async def _cleanup(request: Request) -> ServiceResponse:
    dry_run = request.call.data[ATTR_DRY_RUN]
    plan, refused = await request.engine.cleanup(
        request.call.data[ATTR_PLAN_ID], dry_run=dry_run, actor=request.actor
    )
    return {"dry_run": dry_run, "plan": plan_response(plan), "refused": dict(refused)}


async def _undo_cleanup(request: Request) -> ServiceResponse:
    plan = await request.engine.undo_cleanup(request.call.data[ATTR_PLAN_ID], actor=request.actor)
    return {"plan": plan_response(plan)}


async def _quarantine(request: Request) -> ServiceResponse:
    names = {
        subentry.subentry_id: subentry.title
        for subentry in request.coordinator.config_entry.subentries.values()
    }
    return {
        "files": [
            {
                "filename": file.filename,
                "part": file.role.value,
                "captured": iso(file.captured),
                "stage": file.stage.value,
                "target": names.get(file.target_id) if file.target_id else None,
                "reason": file.reason,
                "next_try": iso(file.next_attempt),
            }
            for file in await request.engine.quarantine()
        ]
    }


async def _retry_quarantined(request: Request) -> ServiceResponse:
    return {"files": await request.engine.retry_quarantined(actor=request.actor)}


async def _estimate(request: Request) -> ServiceResponse:
    kinds = await request.engine.estimate()
    return {
        f"{kind}s": {
            "files": one.files,
            "bytes": one.bytes,
            "minutes": round(one.seconds / 60, 1),
            "saved_bytes": one.saved_bytes,
            "measured": one.measured,
        }
        for kind, one in kinds.items()
    }


async def _reconcile(request: Request) -> ServiceResponse:
    libraries, found = await request.engine.reconcile(actor=request.actor)
    return {
        "found": found,
        "libraries": {
            name: {
                "ours": census.ours,
                "icloud": census.theirs,
                "difference": census.difference,
                "checked": iso(census.at),
            }
            for name, census in libraries.items()
        },
    }


async def _adopt(request: Request) -> ServiceResponse:
    data = request.call.data
    return await async_adopt(
        request.coordinator,
        path=data[ATTR_PATH],
        mode=data[ATTR_MODE],
        dry_run=data[ATTR_DRY_RUN],
        kei_database=data.get(ATTR_KEI_DATABASE),
        actor=request.actor,
    )


async def _pause(request: Request) -> None:
    await request.engine.pause(actor=request.actor)


async def _resume(request: Request) -> None:
    await request.engine.resume(actor=request.actor)


async def _cancel(request: Request) -> None:
    await request.engine.cancel(actor=request.actor)


async def _submit_code(request: Request) -> None:
    await request.coordinator.async_submit_code(request.call.data[ATTR_CODE])


async def _request_code(request: Request) -> None:
    await request.engine.request_code(sms=request.call.data[ATTR_SMS])
