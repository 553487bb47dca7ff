"""The actions: what they ask of the engine, what they answer, whom they refuse."""

import inspect
from typing import Any

import pytest
import voluptuous as vol
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError, Unauthorized
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser

from custom_components.media_pipeline.const import DOMAIN
from custom_components.media_pipeline.engine import errors
from custom_components.media_pipeline.engine.errors import (
    HeldBack,
    NeedsUserError,
    PermanentError,
    PipelineError,
)
from custom_components.media_pipeline.engine.model import DEFAULT_STAGES, RunOutcome, Stage

from .conftest import Places
from .fake_engine import FakeEngine
from .helpers import folder_entry

PLAN = {
    "plan_id": "plan-1",
    "digest": "abc",
    "state": "proposed",
    "created": "2026-09-21T14:13:20+00:00",
    "assets": 12,
    "bytes": 3400,
    "freed_assets": 0,
    "freed_bytes": 0,
    "purge_at": None,
    "stop_reason": None,
}
CALLS: dict[str, dict[str, Any]] = {
    "run": {},
    "ingest": {},
    "compress": {},
    "sync": {},
    "verify": {},
    "plan_cleanup": {},
    "approve_cleanup": {"plan_id": "plan-1"},
    "cleanup": {"plan_id": "plan-1"},
    "undo_cleanup": {"plan_id": "plan-1"},
    "adopt": {"path": "/nowhere"},
    "retry_quarantined": {},
    "restore_drill": {},
    "reconcile": {},
    "pause": {},
    "resume": {},
    "cancel": {},
    "submit_verification_code": {"code": "123456"},
    "request_verification_code": {"sms": True},
}


async def call(hass: HomeAssistant, name: str, response: bool = True, **data: Any) -> Any:
    return await hass.services.async_call(
        DOMAIN, name, data, blocking=True, return_response=response
    )


@pytest.fixture
def engine(fake_entry: MockConfigEntry, fake_engines: list[FakeEngine]) -> FakeEngine:
    fake_engines[0].calls.clear()
    return fake_engines[0]


@pytest.mark.parametrize(
    ("name", "data", "stages"),
    [
        ("run", {}, DEFAULT_STAGES),
        ("run", {"stages": "sync"}, (Stage.SYNC,)),
        ("run", {"stages": ["ingest", "verify"]}, (Stage.INGEST, Stage.VERIFY)),
        ("ingest", {}, (Stage.INGEST,)),
        ("compress", {}, (Stage.COMPRESS,)),
        ("sync", {}, (Stage.SYNC,)),
        ("verify", {}, (Stage.VERIFY,)),
    ],
)
async def test_run(
    hass: HomeAssistant,
    engine: FakeEngine,
    name: str,
    data: dict[str, Any],
    stages: tuple[Stage, ...],
) -> None:
    assert await call(hass, name, **data) == {"run_id": "run-1"}
    assert engine.calls == [("start_run", {"stages": stages, "actor": None})]


async def test_run_with_a_time_limit(hass: HomeAssistant, engine: FakeEngine) -> None:
    await call(hass, "run", max_minutes=2)
    assert engine.calls == [
        ("start_run", {"stages": DEFAULT_STAGES, "actor": None, "seconds": 120.0})
    ]
    with pytest.raises(vol.Invalid):
        await call(hass, "run", max_minutes=0)


async def test_run_and_wait(hass: HomeAssistant, engine: FakeEngine) -> None:
    assert await call(hass, "run", wait=True) == {
        "run_id": "run-1",
        "outcome": "completed",
        "started": "2026-09-21T14:13:20+00:00",
        "ended": "2026-09-21T14:14:20+00:00",
        "stages": [],
        "counts": {"archived": 3},
        "error": None,
    }
    engine.outcome = RunOutcome.FAILED
    with pytest.raises(HomeAssistantError) as caught:
        await call(hass, "run", wait=True)
    assert caught.value.translation_key == "run_failed"
    assert caught.value.translation_placeholders == {"reason": "source_unreachable"}


async def test_without_asking_for_an_answer(hass: HomeAssistant, engine: FakeEngine) -> None:
    assert await call(hass, "run", response=False) is None


async def test_cleanup(hass: HomeAssistant, engine: FakeEngine) -> None:
    answer = await call(hass, "plan_cleanup", limit=5)
    assert answer == {"plan": PLAN, "reasons": {"too_young": 4}}
    assert await call(hass, "approve_cleanup", plan_id="plan-1") == {"plan": PLAN}
    answer = await call(hass, "cleanup", plan_id="plan-1")
    assert answer == {"dry_run": True, "plan": PLAN, "refused": {"changed": 1}}
    answer = await call(hass, "cleanup", plan_id="plan-1", dry_run=False)
    assert answer["dry_run"] is False
    assert await call(hass, "undo_cleanup", plan_id="plan-1") == {"plan": PLAN}
    assert engine.calls == [
        ("plan_cleanup", {"limit": 5, "actor": None}),
        ("approve_cleanup", {"plan_id": "plan-1", "actor": None}),
        ("cleanup", {"plan_id": "plan-1", "dry_run": True, "actor": None}),
        ("cleanup", {"plan_id": "plan-1", "dry_run": False, "actor": None}),
        ("undo_cleanup", {"plan_id": "plan-1", "actor": None}),
    ]


async def test_what_was_put_aside(
    hass: HomeAssistant, engine: FakeEngine, hass_read_only_user: MockUser
) -> None:
    first, second = (await call(hass, "quarantine"))["files"]
    assert first == {
        "filename": "IMG_1.HEIC",
        "part": "original",
        "captured": "1970-01-01T00:00:00.001000+00:00",
        "stage": "ingest",
        "target": None,
        "reason": "checksum_mismatch",
        "next_try": "1970-01-01T00:00:02+00:00",
    }
    assert (second["stage"], second["target"], second["captured"]) == ("sync", None, None)
    assert await call(hass, "retry_quarantined") == {"files": 2}
    with pytest.raises(Unauthorized):  # file names are for admins
        await hass.services.async_call(
            DOMAIN,
            "quarantine",
            {},
            blocking=True,
            return_response=True,
            context=Context(user_id=hass_read_only_user.id),
        )
    assert [name for name, _ in engine.calls] == ["quarantine", "retry_quarantined"]


async def test_estimate(hass: HomeAssistant, engine: FakeEngine) -> None:
    assert await call(hass, "estimate") == {
        "photos": {
            "files": 3,
            "bytes": 9_000_000,
            "minutes": 1.5,
            "saved_bytes": 3_000_000,
            "measured": True,
        },
        "videos": {"files": 0, "bytes": 0, "minutes": 0.0, "saved_bytes": 0, "measured": False},
    }


async def test_reconcile(hass: HomeAssistant, engine: FakeEngine) -> None:
    assert await call(hass, "reconcile") == {
        "found": 3,
        "libraries": {
            "PrimarySync": {
                "ours": 23,
                "icloud": 24,
                "difference": 1,
                "checked": "2026-09-21T14:13:20+00:00",
            }
        },
    }
    assert engine.calls == [("reconcile", {"actor": None})]


@pytest.mark.parametrize("until", [1_790_000_000])
async def test_a_run_while_apple_wants_us_slow_is_refused_with_the_time(
    hass: HomeAssistant, engine: FakeEngine, until: int
) -> None:
    engine.error = HeldBack(until=until)
    with pytest.raises(HomeAssistantError) as caught:
        await call(hass, "run")
    assert caught.value.translation_key == "throttled_until"
    assert caught.value.translation_placeholders is not None
    moment = dt_util.as_local(dt_util.utc_from_timestamp(until))
    assert caught.value.translation_placeholders["until"] == f"{moment:%Y-%m-%d %H:%M:%S}"


@pytest.mark.parametrize("name", ["pause", "resume", "cancel"])
async def test_control(hass: HomeAssistant, engine: FakeEngine, name: str) -> None:
    await call(hass, name, response=False)
    assert engine.calls == [(name, {"actor": None})]


async def test_code(hass: HomeAssistant, fake_entry: MockConfigEntry, engine: FakeEngine) -> None:
    fake_entry.async_start_reauth(hass)
    await hass.async_block_till_done()
    assert hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    await call(hass, "submit_verification_code", response=False, code=" 123 456 ")
    assert engine.calls == [("submit_code", {"code": "123456"})]
    assert not hass.config_entries.flow.async_progress_by_handler(DOMAIN), (
        "nobody needs to be asked"
    )


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("run", {"stages": []}),
        ("run", {"stages": ["cleanup"]}),
        ("run", {"stages": ["everything"]}),
        ("plan_cleanup", {"limit": 0}),
        ("cleanup", {}),
        ("cleanup", {"plan_id": ""}),
        ("submit_verification_code", {"code": "12345"}),
        ("submit_verification_code", {"code": "12345a"}),
        ("pause", {"surprise": 1}),
    ],
)
async def test_wrong_fields(
    hass: HomeAssistant, engine: FakeEngine, name: str, data: dict[str, Any]
) -> None:
    with pytest.raises(vol.Invalid):
        await call(hass, name, response=False, **data)
    assert engine.calls == []


@pytest.mark.parametrize("name", list(CALLS))
async def test_only_admins(
    hass: HomeAssistant, engine: FakeEngine, hass_read_only_user: MockUser, name: str
) -> None:
    with pytest.raises(Unauthorized):
        await hass.services.async_call(
            DOMAIN,
            name,
            CALLS[name],
            blocking=True,
            context=Context(user_id=hass_read_only_user.id),
        )
    assert engine.calls == []


@pytest.mark.parametrize("name", [name for name in CALLS if "verification_code" not in name])
async def test_the_journal_gets_a_name(
    hass: HomeAssistant, engine: FakeEngine, hass_admin_user: MockUser, name: str
) -> None:
    hass_admin_user.name = "Paula"
    await hass.services.async_call(
        DOMAIN, name, CALLS[name], blocking=True, context=Context(user_id=hass_admin_user.id)
    )
    assert engine.calls[0][1]["actor"] == "Paula"


@pytest.mark.parametrize(
    "error",
    [
        member
        for _, member in inspect.getmembers(errors, inspect.isclass)
        if issubclass(member, PipelineError)
    ],
)
async def test_every_refusal_is_translated(
    hass: HomeAssistant, engine: FakeEngine, error: type[PipelineError]
) -> None:
    engine.error = error("why")
    wrong_request = issubclass(error, PermanentError | NeedsUserError)
    with pytest.raises(HomeAssistantError) as caught:
        await call(hass, "run")
    assert isinstance(caught.value, ServiceValidationError) is wrong_request
    assert (caught.value.translation_domain, caught.value.translation_key) == (DOMAIN, error.key)


async def test_which_source(
    hass: HomeAssistant, places: Places, fake_entry: MockConfigEntry, fake_engines: list[FakeEngine]
) -> None:
    second = folder_entry(places.photos, places.root / "archive 2")
    second.add_to_hass(hass)
    assert await hass.config_entries.async_setup(second.entry_id)
    with pytest.raises(ServiceValidationError):
        await call(hass, "run")
    await call(hass, "run", config_entry_id=second.entry_id)
    assert fake_engines[1].calls[-1][0] == "start_run"
    assert await hass.config_entries.async_unload(second.entry_id)
    with pytest.raises(ServiceValidationError) as caught:
        await call(hass, "run", config_entry_id=second.entry_id)
    assert caught.value.translation_key == "service_config_entry_not_loaded"
    with pytest.raises(ServiceValidationError) as caught:
        await call(hass, "run", config_entry_id="nothing")
    assert caught.value.translation_key == "service_config_entry_not_found"


@pytest.mark.parametrize(
    ("button", "asked"), [("run", "start_run"), ("plan_cleanup", "plan_cleanup")]
)
async def test_buttons(
    hass: HomeAssistant, engine: FakeEngine, hass_admin_user: MockUser, button: str, asked: str
) -> None:
    async def press() -> None:
        await hass.services.async_call(
            "button",
            "press",
            {"entity_id": f"button.icloud_photos_{button}"},
            blocking=True,
            context=Context(user_id=hass_admin_user.id),
        )

    await press()
    assert [name for name, _ in engine.calls] == [asked]
    assert engine.calls[0][1]["actor"] == hass_admin_user.name
    engine.error = errors.RunActive("why")
    with pytest.raises(ServiceValidationError) as caught:
        await press()
    assert caught.value.translation_key == "run_active"
