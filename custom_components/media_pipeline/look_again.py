"""The plainest fix flow, and the base of the others: a person acted, so look again."""

from pathlib import Path
from typing import Any, Final

import voluptuous as vol
from homeassistant.components.repairs import RepairsFlow, RepairsFlowResult
from homeassistant.config_entries import ConfigEntryState
from homeassistant.helpers import issue_registry as ir

from .archive_check import FolderRefused, check_destination, check_source
from .const import CONF_ARCHIVE, CONF_ARCHIVE_DEVICE, CONF_ARCHIVE_ID, CONF_FOLDER, DOMAIN
from .coordinator import MediaPipelineConfigEntry
from .engine.errors import PipelineError
from .engine.marker import FolderIdentity, check_folder
from .engine.sources.icloud.session import SignInState
from .issues import ARCHIVE_ISSUES

STILL_THERE: Final = "still_there"


class LookAgainFlow(RepairsFlow):
    """The owner put something right; look whether it is."""

    def __init__(self, entry: MediaPipelineConfigEntry, key: str) -> None:
        """Remember what it is about."""
        self.entry = entry
        self.key = key

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Start with the explanation."""
        return await self.async_step_confirm()

    async def async_step_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> RepairsFlowResult:
        """Look again when asked to."""
        errors: dict[str, str] = {}
        if user_input is not None:
            if await self._async_is_fixed():
                return self.async_create_entry(data={})
            errors["base"] = STILL_THERE
        return self.async_show_form(
            step_id="confirm",
            data_schema=vol.Schema({}),
            errors=errors,
            description_placeholders=self.placeholders,
        )

    @property
    def placeholders(self) -> dict[str, str]:
        """What the issue's own text is filled with."""
        issue = ir.async_get(self.hass).async_get_issue(DOMAIN, self.issue_id)
        return dict(issue.translation_placeholders or {}) if issue else {}

    async def _async_is_fixed(self) -> bool:
        """Whether the problem is gone; an entry that could not be set up is set up again."""
        if self.entry.state is not ConfigEntryState.LOADED:
            return await self.hass.config_entries.async_reload(self.entry.entry_id)
        try:
            if self.key in ARCHIVE_ISSUES:
                await self.hass.async_add_executor_job(self._try_archive)
            elif self.key == "source_folder_missing":
                await self.hass.async_add_executor_job(check_source, self.entry.data[CONF_FOLDER])
            else:
                await self._async_try_icloud()
        except FolderRefused, PipelineError:
            return False
        await self.entry.runtime_data.async_look_again()
        return True

    def _try_archive(self) -> None:
        """Everything a run needs of the archive. Blocking; raises FolderRefused, PipelineError."""
        data = self.entry.data
        folder = Path(data[CONF_ARCHIVE])
        check_folder(folder, FolderIdentity(data[CONF_ARCHIVE_ID], data[CONF_ARCHIVE_DEVICE]))
        check_destination(str(folder), config_dir=self.hass.config.config_dir, make=False)

    async def _async_try_icloud(self) -> None:
        session = self.entry.runtime_data.engine.icloud_session
        if session is not None and await session.sign_in(asked=True) is SignInState.SIGNED_IN:
            await session.libraries()
