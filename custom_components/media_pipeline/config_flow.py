"""Setting up a source: iCloud or a folder, its archive, and the rules of safety."""

import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, override

import voluptuous as vol
from homeassistant.config_entries import (
    SOURCE_REAUTH,
    SOURCE_RECONFIGURE,
    SOURCE_USER,
    ConfigEntry,
    ConfigEntryState,
    ConfigFlow,
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
    CONF_CHINA,
    CONF_FOLDER,
    CONF_LIBRARIES,
    CONF_SOURCE,
    DOMAIN,
    SOURCE_FOLDER,
    SOURCE_ICLOUD,
    SUBENTRY_TARGET,
)
from .engine.errors import ConsentRequired, InvalidCode, InvalidCredentials, PipelineError
from .engine.model import LibraryInfo
from .engine.sources.icloud.session import ICloudSession, SignInState
from .engine_config import SESSION_DIR, make_private_dir, private_dir
from .flow_errors import CONFIG_ERRORS, flow_error
from .options_flow import MediaPipelineOptionsFlow
from .places import folders_in_use
from .target_flow import TargetFlow

TITLES = {SOURCE_ICLOUD: "iCloud Photos", SOURCE_FOLDER: "Photo folder"}
"""Neutral on purpose: titles become entity ids, which every user of Home Assistant can see."""


class MediaPipelineConfigFlow(ConfigFlow, domain=DOMAIN):
    """Sets up a source, signs in again, and changes what was set up."""

    VERSION = 1

    def __init__(self) -> None:
        """Start with nothing known."""
        self._data: dict[str, Any] = {}
        self._options: dict[str, Any] = {}
        self._own_session: ICloudSession | None = None
        self._libraries: list[LibraryInfo] | None = None
        self._made_private_dir = False

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
                errors = _sign_in_errors(err)
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

    # --- signing in, shared by set-up, reauth and reconfigure -------------------------------------

    async def async_step_code(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Hand in the two-factor code, or have a new one sent."""
        errors: dict[str, str] = {}
        if user_input is not None:
            try:
                if delivery := user_input.get(flow_schemas.CONF_NEW_CODE):
                    session = await self._async_session()
                    await session.send_code(sms=delivery == "sms")
                elif code := "".join(user_input.get(flow_schemas.CONF_CODE, "").split()):
                    await self._async_submit_code(code)
                    return await self._async_signed_in()
                else:
                    errors[flow_schemas.CONF_CODE] = "code_missing"
            except InvalidCode as err:
                errors[flow_schemas.CONF_CODE] = err.key
            except PipelineError as err:
                errors["base"] = flow_error(err, CONFIG_ERRORS)
        return self.async_show_form(
            step_id="code",
            data_schema=flow_schemas.CODE,
            errors=errors,
            description_placeholders={"account": self._account},
        )

    async def async_step_consent(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Advanced Data Protection: the owner approves on a device, then we look again."""
        return await self.async_step_libraries() if user_input is not None else self._show_consent()

    async def async_step_connection(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """The libraries could not be read; the owner says when to look again."""
        return await self.async_step_libraries()

    async def async_step_libraries(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Choose the libraries."""
        if self._libraries is None:
            try:
                session = await self._async_session()
                self._libraries = await session.libraries()
            except ConsentRequired as err:
                return self._show_consent(flow_error(err, CONFIG_ERRORS))
            except PipelineError as err:
                return self.async_show_form(
                    step_id="connection",
                    data_schema=vol.Schema({}),
                    errors={"base": flow_error(err, CONFIG_ERRORS)},
                )
        errors: dict[str, str] = {}
        if user_input is not None:
            if user_input[CONF_LIBRARIES]:
                self._data[CONF_LIBRARIES] = user_input[CONF_LIBRARIES]
                if self.source == SOURCE_RECONFIGURE:
                    return await self._async_finish()
                return await self.async_step_archive()
            errors[CONF_LIBRARIES] = "no_libraries"
        return self.async_show_form(
            step_id="libraries",
            data_schema=flow_schemas.libraries(self._libraries, self._data.get(CONF_LIBRARIES)),
            errors=errors,
        )

    # --- signing in again -------------------------------------------------------------------------

    async def async_step_reauth(self, entry_data: Mapping[str, Any]) -> ConfigFlowResult:
        """Apple no longer knows us; when it only waits for a code, ask for nothing else."""
        self._data = dict(entry_data)
        session = self._engine_session(self._get_reauth_entry())
        if session is not None and session.state is SignInState.CODE_REQUIRED:
            return await self.async_step_code()
        return await self.async_step_reauth_confirm()

    async def async_step_reauth_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Sign in again, with a new password or the stored one."""
        errors: dict[str, str] = {}
        if user_input is not None:
            try:
                return await self._async_sign_in_to(user_input)
            except PipelineError as err:
                errors = _sign_in_errors(err)
        return self.async_show_form(
            step_id="reauth_confirm",
            data_schema=flow_schemas.REAUTH,
            errors=errors,
            description_placeholders={"account": self._account},
        )

    # --- changing what was set up -----------------------------------------------------------------

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Choose what to change."""
        self._data = dict(self._get_reconfigure_entry().data)
        if self._data[CONF_SOURCE] == SOURCE_FOLDER:
            return await self.async_step_move_archive()
        return self.async_show_menu(step_id="reconfigure", menu_options=["account", "move_archive"])

    async def async_step_account(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Change password or region, then the libraries."""
        errors: dict[str, str] = {}
        if user_input is not None:
            try:
                return await self._async_sign_in_to(user_input)
            except PipelineError as err:
                errors = _sign_in_errors(err)
        return self.async_show_form(
            step_id="account",
            data_schema=self.add_suggested_values_to_schema(
                flow_schemas.ACCOUNT, {CONF_CHINA: self._data[CONF_CHINA]}
            ),
            errors=errors,
            description_placeholders={"account": self._account},
        )

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

    @property
    def _account(self) -> str:
        return str(self._data.get(CONF_APPLE_ID, ""))

    @property
    def _entry(self) -> ConfigEntry[Any]:
        """The entry that is signed in again or changed."""
        if self.source == SOURCE_REAUTH:
            return self._get_reauth_entry()
        return self._get_reconfigure_entry()

    def _free_title(self, title: str) -> str:
        """The title, numbered when another entry has it."""
        titles = {entry.title for entry in self._async_current_entries(include_ignore=False)}
        number = 1
        free = title
        while free in titles:
            number += 1
            free = f"{title} {number}"
        return free

    def _show_consent(self, error: str | None = None) -> ConfigFlowResult:
        return self.async_show_form(
            step_id="consent",
            data_schema=vol.Schema({}),
            errors={"base": error} if error else None,
        )

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

    @staticmethod
    def _engine_session(entry: ConfigEntry[Any]) -> ICloudSession | None:
        if entry.state is not ConfigEntryState.LOADED:
            return None
        session: ICloudSession | None = entry.runtime_data.engine.icloud_session
        return session

    async def _async_sign_in_to(self, user_input: dict[str, Any]) -> ConfigFlowResult:
        """Sign in to a known account; through the engine's session while nothing changed in it."""
        entry = self._entry
        self._data = {**entry.data, **user_input}
        session = self._engine_session(entry)
        if session is None or self._data != entry.data:
            session = await self._async_open_session(self._data)
        return await self._async_sign_in(session)

    async def _async_open_session(self, data: dict[str, Any]) -> ICloudSession:
        await self._async_close_session()
        folder = private_dir(self.hass, data[CONF_APPLE_ID])
        self._made_private_dir = True
        await self.hass.async_add_executor_job(make_private_dir, folder)
        self._own_session = await self.hass.async_add_executor_job(
            partial(
                ICloudSession,
                data[CONF_APPLE_ID],
                data[CONF_PASSWORD],
                china=data[CONF_CHINA],
                session_dir=folder / SESSION_DIR,
            )
        )
        return self._own_session

    async def _async_session(self) -> ICloudSession:
        """The flow's own session, or the engine's while it has one; never two for one question."""
        if self._own_session is not None:
            return self._own_session
        session = self._engine_session(self._entry)
        return session or await self._async_open_session(self._data)

    async def _async_submit_code(self, code: str) -> None:
        """Hand the code to whoever asked for it; the engine then looks at its source again."""
        session = await self._async_session()
        if session is self._own_session:
            await session.submit_code(code)
        else:
            await self._entry.runtime_data.engine.submit_code(code)

    async def _async_close_session(self) -> None:
        session, self._own_session = self._own_session, None
        if session is not None:
            await session.close()

    async def _async_sign_in(self, session: ICloudSession) -> ConfigFlowResult:
        if await session.sign_in() is SignInState.CODE_REQUIRED:
            return await self.async_step_code()
        return await self._async_signed_in()

    async def _async_signed_in(self) -> ConfigFlowResult:
        if self.source == SOURCE_REAUTH:
            return await self._async_finish()
        return await self.async_step_libraries()

    async def _async_finish(self) -> ConfigFlowResult:
        """Store what changed; the entry's own listener reloads it when the engine must know."""
        await self._async_close_session()
        entry = self._entry
        if entry.state is ConfigEntryState.LOADED:
            if self._data == entry.data:
                await entry.runtime_data.async_look_again()
        else:
            self.hass.config_entries.async_schedule_reload(entry.entry_id)
        return self.async_update_and_abort(entry, data=self._data)

    @callback
    @override
    def async_remove(self) -> None:
        """Leave nothing behind of a flow that was given up."""
        if self._own_session is not None or self._made_private_dir:
            self.hass.async_create_task(self._async_tidy_up(), "media_pipeline flow tidy-up")

    async def _async_tidy_up(self) -> None:
        await self._async_close_session()
        entries = self.hass.config_entries
        unique_id = self._account
        if entries.async_entry_for_domain_unique_id(DOMAIN, unique_id) is None:
            folder = private_dir(self.hass, unique_id)
            await self.hass.async_add_executor_job(lambda: shutil.rmtree(folder, True))


def _sign_in_errors(err: PipelineError) -> dict[str, str]:
    field = CONF_PASSWORD if isinstance(err, InvalidCredentials) else "base"
    return {field: flow_error(err, CONFIG_ERRORS)}


def _without(values: dict[str, Any] | None, key: str) -> dict[str, Any] | None:
    """Form values to suggest again, except a secret."""
    return None if values is None else {k: v for k, v in values.items() if k != key}
