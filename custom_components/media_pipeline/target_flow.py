"""Adding and changing a target."""

from functools import partial
from pathlib import Path
from typing import Any

from homeassistant.config_entries import SubentryFlowResult
from homeassistant.const import CONF_PATH

from .action_target_steps import ActionTargetSteps
from .archive_check import FolderRefused, check_destination
from .http_target_steps import HttpTargetSteps
from .object_store_steps import ObjectStoreSteps
from .pixel_target_steps import PixelTargetSteps
from .places import folders_in_use
from .target_kinds.folder import FOLDER
from .target_rules_steps import TargetRulesSteps


class TargetFlow(
    TargetRulesSteps, ActionTargetSteps, PixelTargetSteps, ObjectStoreSteps, HttpTargetSteps
):
    """One step per kind (named as the kind), and those that some kinds need besides."""

    async def async_step_folder(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Choose the folder; it is written to and read back at once."""
        errors: dict[str, str] = {}
        if user_input is not None:
            self._take(FOLDER, user_input)
            try:
                folder = await self._async_check_folder(user_input[CONF_PATH])
            except FolderRefused as err:
                errors[CONF_PATH] = err.key
            else:
                self._data[CONF_PATH] = str(folder)
                if not (errors := await self._async_probe()):
                    return self._finish(FOLDER)
        return self._show(FOLDER, errors)

    async def _async_check_folder(self, path: str) -> Path:
        taken = folders_in_use(self.hass, self._get_entry(), self._changing or "")
        return await self.hass.async_add_executor_job(
            partial(
                check_destination,
                path,
                config_dir=self.hass.config.config_dir,
                apart_from=taken,
            )
        )
