"""The action ``test_target``: tries out all that a target must be able to do."""

from typing import Any, Final

import voluptuous as vol
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import ATTR_DEVICE_ID
from homeassistant.core import (
    HomeAssistant,
    ServiceCall,
    ServiceResponse,
    SupportsResponse,
    callback,
)
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import service

from .const import DOMAIN
from .coordinator import MediaPipelineConfigEntry
from .engine.errors import PipelineError
from .engine.targets.trial import Finding
from .engine_config import target_subentries
from .errors import service_error

TEST_TARGET: Final = "test_target"
_SCHEMA: Final = vol.Schema({vol.Required(ATTR_DEVICE_ID): cv.string})


@callback
def async_setup_target_actions(hass: HomeAssistant) -> None:
    """Register the actions on one target."""

    async def test_target(call: ServiceCall) -> ServiceResponse:
        entry, target_id = async_target_of(hass, call.data[ATTR_DEVICE_ID])
        try:
            findings = await entry.runtime_data.engine.test_target(target_id)
        except PipelineError as err:
            raise service_error(err) from err
        return test_response(entry.subentries[target_id].title, findings)

    service.async_register_admin_service(
        hass, DOMAIN, TEST_TARGET, test_target, _SCHEMA, SupportsResponse.ONLY
    )


@callback
def async_target_of(hass: HomeAssistant, device_id: str) -> tuple[MediaPipelineConfigEntry, str]:
    """The loaded entry and the id of the target that a device stands for.

    Raises ServiceValidationError when it is no target of ours, or its source is not running.
    """
    device = dr.async_get(hass).async_get(device_id)
    for entry_id, subentry_ids in (
        device.config_entries_subentries.items() if device is not None else ()
    ):
        entry = hass.config_entries.async_get_entry(entry_id)
        if entry is None or entry.domain != DOMAIN or entry.state is not ConfigEntryState.LOADED:
            continue
        for subentry in target_subentries(entry):
            if subentry.subentry_id in subentry_ids:
                return entry, subentry.subentry_id
    raise ServiceValidationError(translation_domain=DOMAIN, translation_key="no_target_device")


def test_response(name: str, findings: list[Finding]) -> dict[str, Any]:
    """A trial for an action's response: the whole table, and whether anything failed."""
    return {
        "target": name,
        "passed": all(finding.error is None for finding in findings),
        "capabilities": [
            {
                "capability": finding.capability,
                "works": finding.works,
                "value": finding.value,
                "error": finding.error,
                "seconds": finding.seconds,
            }
            for finding in findings
        ],
    }
