"""The actions ``restore`` and ``restore_drill``: where files may go, what is asked, the answers."""

from datetime import date, datetime, time, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import voluptuous as vol
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import config_validation as cv
from homeassistant.util import dt as dt_util

from .archive_check import FolderRefused, check_destination
from .const import DOMAIN
from .coordinator import MediaPipelineCoordinator
from .engine.model import DrillResult, RestoreChoice, RestoreReport, RestoreRequest
from .places import folders_in_use

ATTR_PATH: Final = "path"
ATTR_FILENAME: Final = "filename"
ATTR_FROM: Final = "from_date"
ATTR_TO: Final = "to_date"
ATTR_ALBUM: Final = "album"
ATTR_LIBRARY: Final = "library"
ATTR_FAVORITES: Final = "favorites"
ATTR_LIMIT: Final = "limit"
ATTR_DRY_RUN: Final = "dry_run"
ATTR_FILES: Final = "files"
ATTR_MAX_MINUTES: Final = "max_minutes"

_TEXT = vol.All(cv.string, vol.Length(min=1))
RESTORE_FIELDS: Final = {
    vol.Required(ATTR_PATH): _TEXT,
    vol.Optional(ATTR_FILENAME): _TEXT,
    vol.Optional(ATTR_FROM): cv.date,
    vol.Optional(ATTR_TO): cv.date,
    vol.Optional(ATTR_ALBUM): _TEXT,
    vol.Optional(ATTR_LIBRARY): _TEXT,
    vol.Optional(ATTR_FAVORITES, default=False): cv.boolean,
    vol.Optional(ATTR_LIMIT, default=1000): vol.All(vol.Coerce(int), vol.Range(min=1, max=1000000)),
    vol.Optional(ATTR_DRY_RUN, default=True): cv.boolean,
}
DRILL_FIELDS: Final = {
    vol.Optional(ATTR_FILES, default=5): vol.All(vol.Coerce(int), vol.Range(min=1, max=100)),
    vol.Optional(ATTR_MAX_MINUTES, default=30): vol.All(
        vol.Coerce(float), vol.Range(min=0.1, max=1440)
    ),
}


async def async_restore(
    coordinator: MediaPipelineCoordinator, data: dict[str, Any], actor: str | None
) -> dict[str, Any]:
    """Restore what was asked for. Raises ServiceValidationError, PipelineError kinds."""
    hass = coordinator.hass
    folder = Path(data[ATTR_PATH].strip())
    await _async_check(hass, folder, make=not data[ATTR_DRY_RUN])
    since, until = data.get(ATTR_FROM), data.get(ATTR_TO)
    report = await coordinator.engine.restore(
        RestoreRequest(
            folder=folder,
            choice=RestoreChoice(
                filename=data.get(ATTR_FILENAME),
                since=_midnight(since) if since else None,
                until=_midnight(until + timedelta(days=1)) if until else None,
                album=data.get(ATTR_ALBUM),
                library=data.get(ATTR_LIBRARY),
                favorites=data[ATTR_FAVORITES],
            ),
            limit=data[ATTR_LIMIT],
            dry_run=data[ATTR_DRY_RUN],
        ),
        actor=actor,
    )
    return _report_response(coordinator, report)


async def _async_check(hass: HomeAssistant, folder: Path, *, make: bool) -> None:
    """Automations may call this, so Home Assistant's own list of folders holds here, too."""
    if not await hass.async_add_executor_job(hass.config.is_allowed_path, str(folder)):
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="restore_folder_not_allowed",
            translation_placeholders={"path": str(folder)},
        )
    try:
        await hass.async_add_executor_job(
            partial(_try_folder, folder, hass.config.config_dir, folders_in_use(hass), keep=make)
        )
    except FolderRefused as err:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="restore_folder_refused",
            translation_placeholders={"path": str(folder), "reason": err.key},
        ) from err


def _try_folder(folder: Path, config_dir: str, taken: list[Path], *, keep: bool) -> None:
    """Make and try the folder; what a dry run made is removed. Blocking; raises FolderRefused."""
    existed = folder.exists()
    check_destination(str(folder), config_dir=config_dir, apart_from=taken)
    if not existed and not keep:
        folder.rmdir()


def _midnight(day: date) -> int:
    """When a day begins here, in milliseconds since 1970."""
    begins = datetime.combine(day, time.min, dt_util.get_default_time_zone())
    return round(begins.timestamp() * 1000)


def _report_response(
    coordinator: MediaPipelineCoordinator, report: RestoreReport
) -> dict[str, Any]:
    return {
        "dry_run": report.dry_run,
        "complete": report.complete,
        "matched": report.matched,
        "assets": report.assets,
        "files": report.files,
        "bytes": report.bytes,
        "restored": report.restored,
        "restored_bytes": report.restored_bytes,
        "already_there": report.there,
        "from": {_name(coordinator, key): count for key, count in report.origins.items()},
        "not_restored": dict(report.reasons),
    }


def _name(coordinator: MediaPipelineCoordinator, place: str) -> str:
    """A target by its name; ``archive`` and ``nowhere`` as they are."""
    subentry = coordinator.config_entry.subentries.get(place)
    return subentry.title if subentry else place


async def async_drill(
    coordinator: MediaPipelineCoordinator, data: dict[str, Any], actor: str | None
) -> dict[str, Any]:
    """Practise restoring. Raises PipelineError kinds."""
    results = await coordinator.engine.restore_drill(
        files=data[ATTR_FILES], seconds=data[ATTR_MAX_MINUTES] * 60, actor=actor
    )
    return {
        "targets": {
            _name(coordinator, target_id): _drill_response(result)
            for target_id, result in results.items()
        }
    }


def _drill_response(result: DrillResult) -> dict[str, Any]:
    return {
        "files": result.files,
        "passed": result.passed,
        "bytes": result.bytes,
        "score": result.score,
        "error": result.error,
    }
