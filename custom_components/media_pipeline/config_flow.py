"""Setting up a source: iCloud or a folder, its archive, and the rules of safety."""

from functools import partial
from pathlib import Path
from typing import Any, override

from homeassistant.config_entries import (
    SOURCE_USER,
    ConfigEntry,
    ConfigFlowResult,
    ConfigSubentryFlow,
    FlowType,
    OptionsFlow,
    SubentryFlowContext,
)
from homeassistant.const import CONF_PASSWORD
from homeassistant.core import callback

from . import flow_schemas
from .archive_check import (
    FolderRefused,
    check_destination,
    check_source,
    claim_archive,
    find_archive,
)
from .const import (
    CONF_APPLE_ID,
    CONF_ARCHIVE,
    CONF_ARCHIVE_DEVICE,
    CONF_ARCHIVE_ID,
    CONF_ARCHIVE_OFF_MACHINE,
    CONF_FOLDER,
    CONF_SOURCE,
    DOMAIN,
    SOURCE_FOLDER,
    SOURCE_ICLOUD,
    SUBENTRY_TARGET,
)
from .engine.errors import PipelineError
from .options_flow import MediaPipelineOptionsFlow
from .places import folders_in_use
from .sign_in_flow import SignInFlow, sign_in_errors
from .target_flow import TargetFlow

TITLES = {SOURCE_ICLOUD: "iCloud Photos", SOURCE_FOLDER: "Photo folder"}
"""Neutral on purpose: titles become entity ids, which every user of Home Assistant can see."""


class MediaPipelineConfigFlow(SignInFlow, domain=DOMAIN):
    """Sets up a source, signs in again, and changes what was set up."""

    VERSION = 1

    def __init__(self) -> None:
        """Start with nothing known."""
        super().__init__()
        self._options: dict[str, Any] = {}

    @staticmethod
    @callback
    @override
    def async_get_options_flow(config_entry: ConfigEntry) -> OptionsFlow:
        """All rules and limits can be changed later."""
        return MediaPipelineOptionsFlow()

    @classmethod
    @callback
    @override
    def async_get_supported_subentry_types(
        cls, config_entry: ConfigEntry
    ) -> dict[str, type[ConfigSubentryFlow]]:
        """Targets are subentries."""
        return {SUBENTRY_TARGET: TargetFlow}

    # --- a new source -----------------------------------------------------------------------------

    @override
    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Choose where the photos come from."""
        return self.async_show_menu(step_id="user", menu_options=[SOURCE_ICLOUD, SOURCE_FOLDER])

    async def async_step_icloud(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Sign in to iCloud."""
        errors: dict[str, str] = {}
        if user_input is not None:
            apple_id = user_input[CONF_APPLE_ID].strip().lower()
            await self.async_set_unique_id(apple_id)
            self._abort_if_unique_id_configured()
            self._data = {CONF_SOURCE: SOURCE_ICLOUD, **user_input, CONF_APPLE_ID: apple_id}
            try:
                return await self._async_sign_in(await self._async_open_session(self._data))
            except PipelineError as err:
                errors = sign_in_errors(err)
        return self.async_show_form(
            step_id="icloud",
            data_schema=self.add_suggested_values_to_schema(
                flow_schemas.ICLOUD, _without(user_input, CONF_PASSWORD)
            ),
            errors=errors,
        )

    async def async_step_folder(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Choose the folder to read from."""
        errors: dict[str, str] = {}
        if user_input is not None:
            try:
                folder = await self.hass.async_add_executor_job(
                    check_source, user_input[CONF_FOLDER]
                )
            except FolderRefused as err:
                errors[CONF_FOLDER] = err.key
            else:
                await self.async_set_unique_id(f"folder:{folder}")
                self._abort_if_unique_id_configured()
                self._data = {CONF_SOURCE: SOURCE_FOLDER, CONF_FOLDER: str(folder)}
                return await self.async_step_archive()
        return self.async_show_form(
            step_id="folder",
            data_schema=self.add_suggested_values_to_schema(flow_schemas.FOLDER, user_input),
            errors=errors,
        )

    @override
    async def async_step_archive(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Choose the archive; it is written to, renamed in and read back at once."""
        errors: dict[str, str] = {}
        if user_input is not None:
            taken = folders_in_use(self.hass)
            if self._data[CONF_SOURCE] == SOURCE_FOLDER:
                taken.append(Path(self._data[CONF_FOLDER]))
            try:
                folder = await self.hass.async_add_executor_job(
                    partial(
                        check_destination,
                        user_input[CONF_ARCHIVE],
                        config_dir=self.hass.config.config_dir,
                        apart_from=taken,
                    )
                )
                identity = await self.hass.async_add_executor_job(claim_archive, folder)
            except FolderRefused as err:
                errors[CONF_ARCHIVE] = err.key
            else:
                self._data[CONF_ARCHIVE] = str(folder)
                self._data[CONF_ARCHIVE_ID] = identity.marker_id
                self._data[CONF_ARCHIVE_DEVICE] = identity.device_id
                self._options[CONF_ARCHIVE_OFF_MACHINE] = user_input[CONF_ARCHIVE_OFF_MACHINE]
                return await self.async_step_safety()
        return self.async_show_form(
            step_id="archive",
            data_schema=self.add_suggested_values_to_schema(flow_schemas.ARCHIVE, user_input),
            errors=errors,
        )

    async def async_step_safety(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """The rules that decide when a photo is safe."""
        source = self._data[CONF_SOURCE]
        if user_input is None:
            return self.async_show_form(
                step_id="safety",
                data_schema=flow_schemas.safety(can_free=source == SOURCE_ICLOUD),
                last_step=True,
            )
        # The engine opens the stored session itself; two at a time would disturb each other.
        await self._async_close_session()
        return self.async_create_entry(
            title=self._free_title(TITLES[source]),
            data=self._data,
            options={**self._options, **flow_schemas.whole_numbers(user_input)},
        )

    @override
    async def async_on_create_entry(self, result: ConfigFlowResult) -> ConfigFlowResult:
        """Go on with the first target."""
        subentry_flow = await self.hass.config_entries.subentries.async_init(
            (result["result"].entry_id, SUBENTRY_TARGET),
            context=SubentryFlowContext(source=SOURCE_USER),
        )
        result["next_flow"] = (FlowType.CONFIG_SUBENTRIES_FLOW, subentry_flow["flow_id"])
        return result

    # --- changing what was set up -----------------------------------------------------------------

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Choose what to change."""
        self._data = dict(self._get_reconfigure_entry().data)
        if self._data[CONF_SOURCE] == SOURCE_FOLDER:
            return await self.async_step_move_archive()
        return self.async_show_menu(step_id="reconfigure", menu_options=["account", "move_archive"])

    async def async_step_move_archive(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Follow an archive that its owner moved; only a folder with its marker is taken."""
        errors: dict[str, str] = {}
        entry = self._get_reconfigure_entry()
        if user_input is not None:
            try:
                identity = await self.hass.async_add_executor_job(
                    self._find_archive, user_input[CONF_ARCHIVE], folders_in_use(self.hass, entry)
                )
            except FolderRefused as err:
                errors[CONF_ARCHIVE] = err.key
            else:
                self._data.update(identity)
                return await self._async_finish()
        return self.async_show_form(
            step_id="move_archive",
            data_schema=self.add_suggested_values_to_schema(
                flow_schemas.MOVE_ARCHIVE, user_input or {CONF_ARCHIVE: entry.data[CONF_ARCHIVE]}
            ),
            errors=errors,
        )

    # --- helpers ----------------------------------------------------------------------------------

    def _free_title(self, title: str) -> str:
        """The title, numbered when another entry has it."""
        titles = {entry.title for entry in self._async_current_entries(include_ignore=False)}
        number = 1
        free = title
        while free in titles:
            number += 1
            free = f"{title} {number}"
        return free

    def _find_archive(self, path: str, taken: list[Path]) -> dict[str, Any]:
        """Try a moved archive. Blocking; raises FolderRefused."""
        folder = check_destination(
            path, config_dir=self.hass.config.config_dir, apart_from=taken, make=False
        )
        identity = find_archive(folder, self._data.get(CONF_ARCHIVE_ID))
        return {
            CONF_ARCHIVE: str(folder),
            CONF_ARCHIVE_ID: identity.marker_id,
            CONF_ARCHIVE_DEVICE: identity.device_id,
        }


def _without(values: dict[str, Any] | None, key: str) -> dict[str, Any] | None:
    """Form values to suggest again, except a secret."""
    return None if values is None else {k: v for k, v in values.items() if k != key}
