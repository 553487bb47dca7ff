"""Media Pipeline: copies a photo library to places its owner trusts, and proves every copy."""

import shutil

from homeassistant.const import EVENT_HOMEASSISTANT_STOP, Platform
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryError, ConfigEntryNotReady
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.typing import ConfigType

from .code_reply import async_listen_for_codes
from .const import DOMAIN
from .coordinator import MediaPipelineConfigEntry, MediaPipelineCoordinator
from .engine.errors import PermanentError, PipelineError
from .engine_config import build_engine_config, make_private_dir, private_dir
from .entity import source_device_info
from .gates import async_keep_gates
from .issues import IssueKeeper
from .services import async_setup_services
from .views import MediaView

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)
PLATFORMS = [Platform.BINARY_SENSOR, Platform.BUTTON, Platform.EVENT, Platform.SENSOR]


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Register the actions and the view; they exist even while no entry is loaded."""
    async_setup_services(hass)
    hass.http.register_view(MediaView(hass))
    return True


async def async_setup_entry(hass: HomeAssistant, entry: MediaPipelineConfigEntry) -> bool:
    """Start the engine; no network is touched, so Home Assistant's start is never held up."""
    config = build_engine_config(hass, entry)
    try:
        await hass.async_add_executor_job(make_private_dir, config.private_dir)
    except OSError as err:
        raise ConfigEntryNotReady(
            translation_domain=DOMAIN, translation_key="private_dir_unusable"
        ) from err
    coordinator = MediaPipelineCoordinator(hass, entry, config)
    try:
        await coordinator.engine.start()
    except PipelineError as err:
        await coordinator.engine.stop()
        coordinator.issues.async_show_setup_problem(err.key)
        error = ConfigEntryError if isinstance(err, PermanentError) else ConfigEntryNotReady
        raise error(
            translation_domain=DOMAIN,
            translation_key=err.key,
            translation_placeholders=err.placeholders,
        ) from err

    async def stop_engine(_event: Event) -> None:
        await coordinator.engine.stop()

    entry.async_on_unload(hass.bus.async_listen_once(EVENT_HOMEASSISTANT_STOP, stop_engine))
    try:
        await coordinator.async_config_entry_first_refresh()
    except Exception:  # whatever failed, the thread must not stay behind
        await coordinator.engine.stop()
        raise
    entry.runtime_data = coordinator
    entry.async_on_unload(coordinator.async_follow_state())
    # Targets' devices link to this one, so it must exist before their entities do.
    dr.async_get(hass).async_get_or_create(
        config_entry_id=entry.entry_id, **source_device_info(entry)
    )
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    entry.async_on_unload(async_listen_for_codes(hass, entry))
    _async_follow_gates(hass, entry)
    entry.async_on_unload(entry.add_update_listener(_async_entry_changed))
    return True


@callback
def _async_follow_gates(hass: HomeAssistant, entry: MediaPipelineConfigEntry) -> None:
    """Also after a change of times or conditions only, for which the engine is not started anew."""
    stop = async_keep_gates(hass, entry)

    async def follow_anew(_hass: HomeAssistant, _entry: MediaPipelineConfigEntry) -> None:
        nonlocal stop
        stop()
        stop = async_keep_gates(hass, entry)

    entry.async_on_unload(entry.add_update_listener(follow_anew))
    entry.async_on_unload(lambda: stop())  # noqa: PLW0108 - whichever is the last one then


async def async_unload_entry(hass: HomeAssistant, entry: MediaPipelineConfigEntry) -> bool:
    """Stop the engine; an interrupted run goes on with the next one."""
    unloaded = await hass.config_entries.async_unload_platforms(entry, PLATFORMS)
    if unloaded:
        await entry.runtime_data.engine.stop()
    return unloaded


async def async_remove_entry(hass: HomeAssistant, entry: MediaPipelineConfigEntry) -> None:
    """Remove session and catalog. The user's photos, archive and targets are never touched."""
    IssueKeeper(hass, entry).async_clear()
    folder = private_dir(hass, entry.unique_id or entry.entry_id)
    await hass.async_add_executor_job(lambda: shutil.rmtree(folder, ignore_errors=True))


async def _async_entry_changed(hass: HomeAssistant, entry: MediaPipelineConfigEntry) -> None:
    """Reload when the engine must know of the change; a new title alone interrupts no run."""
    if build_engine_config(hass, entry) != entry.runtime_data.engine_config:
        hass.config_entries.async_schedule_reload(entry.entry_id)
