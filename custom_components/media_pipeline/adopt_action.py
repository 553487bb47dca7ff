"""The action ``adopt``: which folders it may read, what it asks of the engine, how it answers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from homeassistant.exceptions import ServiceValidationError

from .const import CONF_ARCHIVE, DOMAIN
from .coordinator import MediaPipelineCoordinator
from .engine.adopt.report import Mode, Report, Request, Tally


async def async_adopt(
    coordinator: MediaPipelineCoordinator,
    *,
    path: str,
    mode: str,
    dry_run: bool,
    kei_database: str | None,
    actor: str | None,
) -> dict[str, Any]:
    """Ask the engine and shape its answer. Raises ServiceValidationError, PipelineError kinds.

    Actions can be called by automations, so Home Assistant's own list of readable folders holds
    here; the archive is ours to read, whatever the list says.
    """
    hass = coordinator.hass
    archive = Path(coordinator.config_entry.data[CONF_ARCHIVE])

    def may_read(file: Path) -> bool:
        return file.resolve().is_relative_to(archive.resolve()) or hass.config.is_allowed_path(
            str(file)
        )

    root = Path(path.strip())
    database = Path(kei_database.strip()) if kei_database else None
    for place in (root, database):
        if place is not None and not await hass.async_add_executor_job(_allowed, place, may_read):
            raise ServiceValidationError(
                translation_domain=DOMAIN,
                translation_key="adopt_folder_not_allowed",
                translation_placeholders={"path": str(place)},
            )
    report = await coordinator.engine.adopt(
        Request(root, Mode(mode), dry_run, database, may_read), actor=actor
    )
    return report_response(report)


def _allowed(place: Path, may_read: Callable[[Path], bool]) -> bool:
    """A folder that does not exist is refused for that, and by the engine."""
    return not place.is_absolute() or not place.exists() or may_read(place)


def _tally(tally: Tally) -> dict[str, int]:
    return {"files": tally.files, "bytes": tally.bytes}


def report_response(report: Report) -> dict[str, Any]:
    """A report for an action's response."""
    return {
        "dry_run": report.dry_run,
        "complete": report.complete,
        "mode": report.mode.value,
        "way": report.way.value,
        "adopted": _tally(report.adopted),
        "left": _tally(report.left),
        "unproven": _tally(report.unproven),
        "read": _tally(report.read),
        "files": {kind.value: _tally(tally) for kind, tally in report.files.items() if tally.files},
        "samples": {
            kind.value: list(paths)
            for kind, paths in report.samples.items()
            if report.files[kind].files
        },
        "tools": dict(report.tools),
        "kei": dict(report.kei),
        "notes": list(report.notes),
    }
