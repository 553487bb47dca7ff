"""The archive's disk died: an empty one takes its place and is filled from the targets."""

import shutil
from pathlib import Path
from typing import Any, Final, override

import voluptuous as vol
from homeassistant.components.repairs import RepairsFlowResult
from homeassistant.config_entries import ConfigEntryState

from .archive_check import FolderRefused, check_destination
from .const import CONF_ARCHIVE, CONF_ARCHIVE_DEVICE, CONF_ARCHIVE_ID
from .engine.marker import device_of, write_marker
from .look_again import LookAgainFlow

ERRORS: Final = (
    "not_empty",
    "folder_missing",
    "not_a_folder",
    "in_config",
    "not_writable",
    "no_space",
    "read_back_differs",
)
"""What may be wrong with the folder."""
_OF_THE_SYSTEM: Final = frozenset({"lost+found", "@eadir", "#recycle", "$recycle.bin"})


class NewDiskFlow(LookAgainFlow):
    """The archive is not there: not mounted, or its disk is gone for good."""

    @override
    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Ask which of the two it is."""
        return self.async_show_menu(
            step_id="init",
            menu_options=["confirm", "new_disk"],
            description_placeholders=self.placeholders,
        )

    async def async_step_new_disk(
        self, user_input: dict[str, Any] | None = None
    ) -> RepairsFlowResult:
        """Take an empty folder as the archive; the next run brings everything back."""
        errors: dict[str, str] = {}
        if user_input is not None:
            try:
                device = await self.hass.async_add_executor_job(self._take)
            except FolderRefused as err:
                errors["base"] = err.key
            else:
                loaded = self.entry.state is ConfigEntryState.LOADED
                self.hass.config_entries.async_update_entry(
                    self.entry, data={**self.entry.data, CONF_ARCHIVE_DEVICE: device}
                )
                if not loaded:
                    await self.hass.config_entries.async_reload(self.entry.entry_id)
                return self.async_create_entry(data={})
        size = await self.hass.async_add_executor_job(self._size)
        return self.async_show_form(
            step_id="new_disk",
            data_schema=vol.Schema({}),
            errors=errors,
            description_placeholders={**self.placeholders, "size": size},
        )

    def _take(self) -> str:
        """Mark the folder as the archive it replaces. Blocking; raises FolderRefused."""
        folder = Path(self.entry.data[CONF_ARCHIVE])
        check_destination(str(folder), config_dir=self.hass.config.config_dir, make=False)
        try:
            if any(file.name.lower() not in _OF_THE_SYSTEM for file in folder.iterdir()):
                raise FolderRefused("not_empty")
            write_marker(folder, self.entry.data[CONF_ARCHIVE_ID])
            return device_of(folder)
        except OSError as err:
            raise FolderRefused("not_writable") from err

    def _size(self) -> str:
        """How big the disk there is, to tell it from an empty mount point. Blocking."""
        try:
            usage = shutil.disk_usage(self.entry.data[CONF_ARCHIVE])
        except OSError:
            return "?"
        return f"{usage.free / 1e9:.1f} / {usage.total / 1e9:.1f} GB"
