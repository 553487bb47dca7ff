"""The actions that fetch files back: where they may write, what they ask, what they answer."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import voluptuous as vol
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import ServiceValidationError, Unauthorized
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser

from custom_components.media_pipeline.const import DOMAIN
from custom_components.media_pipeline.engine.model import RestoreChoice, RestoreRequest

from .conftest import Places
from .fake_engine import FakeEngine


async def call(hass: HomeAssistant, name: str, **data: Any) -> Any:
    return await hass.services.async_call(DOMAIN, name, data, blocking=True, return_response=True)


@pytest.fixture
def engine(fake_entry: MockConfigEntry, fake_engines: list[FakeEngine]) -> FakeEngine:
    fake_engines[0].calls.clear()
    return fake_engines[0]


@pytest.fixture
def folder(hass: HomeAssistant, places: Places) -> Path:
    hass.config.allowlist_external_dirs = {str(places.root)}
    return places.root / "restored"


async def test_what_is_asked_and_answered(
    hass: HomeAssistant, engine: FakeEngine, folder: Path
) -> None:
    answer = await call(
        hass,
        "restore",
        path=str(folder),
        from_date="2024-05-01",
        to_date="2024-05-31",
        album="Trip",
        favorites=True,
        filename="IMG_*.HEIC",
        library="PrimarySync",
        limit=7,
        dry_run=False,
    )
    zone = dt_util.get_default_time_zone()

    def midnight(year: int, month: int, day: int) -> int:
        return round(datetime(year, month, day, tzinfo=zone).timestamp() * 1000)

    assert engine.calls == [
        (
            "restore",
            {
                "request": RestoreRequest(
                    folder=folder,
                    choice=RestoreChoice(
                        filename="IMG_*.HEIC",
                        since=midnight(2024, 5, 1),
                        until=midnight(2024, 6, 1),
                        album="Trip",
                        library="PrimarySync",
                        favorites=True,
                    ),
                    limit=7,
                    dry_run=False,
                ),
                "actor": None,
            },
        )
    ]
    assert answer == {
        "dry_run": False,
        "complete": True,
        "matched": 3,
        "assets": 2,
        "files": 4,
        "bytes": 4000,
        "restored": 2,
        "restored_bytes": 2000,
        "already_there": 1,
        "from": {"archive": 1, "gone": 1},
        "not_restored": {"no_good_copy": 1},
    }
    assert folder.is_dir()


async def test_a_dry_run_is_the_default_and_leaves_no_folder(
    hass: HomeAssistant, engine: FakeEngine, folder: Path
) -> None:
    assert (await call(hass, "restore", path=str(folder)))["dry_run"] is True
    assert not folder.exists()


async def test_folders_that_nothing_is_restored_to(
    hass: HomeAssistant, engine: FakeEngine, folder: Path, places: Places
) -> None:
    for path, key, reason in (
        ("/not/allowed", "restore_folder_not_allowed", None),
        (str(places.archive), "restore_folder_refused", "overlaps"),
        (str(places.archive / "inside"), "restore_folder_refused", "overlaps"),
        (str(folder / "a" / "b"), "restore_folder_refused", "parent_missing"),
    ):
        with pytest.raises(ServiceValidationError) as caught:
            await call(hass, "restore", path=path, dry_run=False)
        assert caught.value.translation_key == key, path
        placeholders = caught.value.translation_placeholders or {}
        assert placeholders["path"] == path
        assert placeholders.get("reason") == reason
    assert engine.calls == []


async def test_for_admins_who_are_named_in_the_journal(
    hass: HomeAssistant,
    engine: FakeEngine,
    folder: Path,
    hass_admin_user: MockUser,
    hass_read_only_user: MockUser,
) -> None:
    async def restore(user: MockUser) -> None:
        context = Context(user_id=user.id)
        data = {"path": str(folder)}
        await hass.services.async_call(DOMAIN, "restore", data, blocking=True, context=context)

    with pytest.raises(Unauthorized):
        await restore(hass_read_only_user)
    assert engine.calls == []
    hass_admin_user.name = "Paula"
    await restore(hass_admin_user)
    assert engine.calls[0][1]["actor"] == "Paula"


async def test_drill(hass: HomeAssistant, engine: FakeEngine) -> None:
    assert await call(hass, "restore_drill", files=4, max_minutes=2) == {
        "targets": {
            "gone": {
                "files": 4,
                "passed": 3,
                "bytes": 900,
                "score": 75.0,
                "error": "copy_mismatch",
            }
        }
    }
    assert engine.calls == [("restore_drill", {"files": 4, "seconds": 120.0, "actor": None})]


async def test_verify_everything(hass: HomeAssistant, engine: FakeEngine) -> None:
    await call(hass, "verify", all=True, max_minutes=30)
    (asked,) = engine.calls
    assert asked[1]["prove_all"] is True
    assert asked[1]["seconds"] == 1800


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("restore", {}),
        ("restore", {"path": "/x", "limit": 0}),
        ("restore", {"path": "/x", "from_date": "soon"}),
        ("restore_drill", {"files": 0}),
        ("restore_drill", {"files": 1000}),
        ("verify", {"all": "perhaps"}),
    ],
)
async def test_wrong_fields(
    hass: HomeAssistant, engine: FakeEngine, name: str, data: dict[str, Any]
) -> None:
    with pytest.raises(vol.Invalid):
        await call(hass, name, **data)
    assert engine.calls == []
