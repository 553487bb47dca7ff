"""Adding and changing a target: a folder, or a folder on an SSH server."""

from functools import partial
from pathlib import Path
from typing import Any

import voluptuous as vol
from homeassistant.config_entries import (
    SOURCE_USER,
    ConfigEntryState,
    ConfigSubentryFlow,
    SubentryFlowResult,
)
from homeassistant.const import (
    CONF_HOST,
    CONF_NAME,
    CONF_PASSWORD,
    CONF_PATH,
    CONF_PORT,
    CONF_USERNAME,
)
from homeassistant.data_entry_flow import AbortFlow

from . import flow_schemas
from .archive_check import FolderRefused, check_destination
from .const import (
    CONF_HOST_KEY,
    CONF_KIND,
    CONF_PASSPHRASE,
    CONF_PRIVATE_KEY,
    TARGET_FOLDER,
    TARGET_SFTP,
)
from .engine.errors import InvalidKey, PipelineError
from .engine.targets.hostkey import (
    HostKey,
    check_private_key,
    fetch_host_key,
    generate_key,
    parse_host_key,
)
from .engine.targets.registry import probe_target
from .engine_config import build_target_config
from .flow_errors import TARGET_ERRORS, flow_error
from .places import folders_in_use

_SECRETS = (CONF_PASSWORD, CONF_PRIVATE_KEY, CONF_PASSPHRASE)
_CONNECT_TIMEOUT = 15.0
_PLACE = (CONF_KIND, CONF_HOST, CONF_PORT, CONF_USERNAME, CONF_PATH)


class TargetFlow(ConfigSubentryFlow):
    """Adds or changes a target; nothing is stored before the target answered."""

    def __init__(self) -> None:
        """Start with nothing known."""
        self._title = ""
        self._data: dict[str, Any] = {}
        self._form: dict[str, Any] = {}
        self._errors: dict[str, str] = {}
        self._host_key: HostKey
        self._public_key = ""

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Choose the kind of target."""
        return self.async_show_menu(step_id="user", menu_options=[TARGET_FOLDER, TARGET_SFTP])

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Change a target, starting from what is stored."""
        subentry = self._get_reconfigure_subentry()
        self._title = subentry.title
        self._data = dict(subentry.data)
        self._form = {
            CONF_NAME: subentry.title,
            **{key: value for key, value in subentry.data.items() if key not in _SECRETS},
        }
        if self._data[CONF_KIND] == TARGET_SFTP:
            return await self.async_step_sftp()
        return await self.async_step_folder()

    async def async_step_folder(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Choose the folder; it is written to and read back at once."""
        errors: dict[str, str] = {}
        if user_input is not None:
            self._form = user_input
            try:
                folder = await self._async_check_folder(user_input[CONF_PATH])
            except FolderRefused as err:
                errors[CONF_PATH] = err.key
            else:
                self._take(TARGET_FOLDER, {**user_input, CONF_PATH: str(folder)})
                if not (errors := await self._async_probe()):
                    return self._finish(f"folder:{folder}")
        return self.async_show_form(
            step_id="folder",
            data_schema=self.add_suggested_values_to_schema(flow_schemas.FOLDER_TARGET, self._form),
            errors=errors,
        )

    async def async_step_sftp(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Say where the server is and how to log in."""
        errors, self._errors = self._errors, {}
        if user_input is not None:
            self._form = {key: val for key, val in user_input.items() if key not in _SECRETS}
            self._take_sftp(user_input)
            self._refuse_duplicate()
            try:
                if private_key := self._data.get(CONF_PRIVATE_KEY):
                    await check_private_key(private_key, self._data.get(CONF_PASSPHRASE))
                elif not self._data.get(CONF_PASSWORD):
                    return await self.async_step_new_key()
                return await self._async_connect()
            except InvalidKey as err:
                errors = {CONF_PRIVATE_KEY: err.key}
            except PipelineError as err:
                errors = {"base": flow_error(err, TARGET_ERRORS)}
        return self.async_show_form(
            step_id="sftp",
            data_schema=self.add_suggested_values_to_schema(flow_schemas.SFTP_TARGET, self._form),
            errors=errors,
        )

    async def async_step_new_key(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Show a fresh key for the owner to allow on the server."""
        errors, self._errors = self._errors, {}
        if user_input is not None:
            try:
                return await self._async_connect()
            except PipelineError as err:
                errors = {"base": flow_error(err, TARGET_ERRORS)}
        elif not self._public_key:
            self._data[CONF_PRIVATE_KEY], self._public_key = await generate_key()
        return self.async_show_form(
            step_id="new_key",
            data_schema=vol.Schema({}),
            errors=errors,
            description_placeholders={
                "public_key": self._public_key,
                "username": self._data[CONF_USERNAME],
            },
        )

    async def async_step_host_key(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Have the server's key confirmed by a person."""
        if user_input is None:
            return self.async_show_form(
                step_id="host_key",
                data_schema=vol.Schema({}),
                description_placeholders=self._fingerprints(self._host_key),
            )
        return await self._async_log_in(self._host_key)

    async def async_step_changed_host_key(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Have a changed key of a known server confirmed, beside the old one."""
        if user_input is None:
            old = parse_host_key(self._get_reconfigure_subentry().data[CONF_HOST_KEY])
            return self.async_show_form(
                step_id="changed_host_key",
                data_schema=vol.Schema({}),
                description_placeholders={
                    **self._fingerprints(self._host_key),
                    "old_fingerprint": old.fingerprint,
                },
            )
        return await self._async_log_in(self._host_key)

    # --- helpers ----------------------------------------------------------------------------------

    @property
    def _changing(self) -> str | None:
        """Id of the target that is changed; None for a new one."""
        if self.source == SOURCE_USER:
            return None
        return self._get_reconfigure_subentry().subentry_id

    def _take(self, kind: str, values: dict[str, Any]) -> None:
        self._title = values[CONF_NAME].strip() or kind
        self._data = {
            CONF_KIND: kind,
            **{key: val for key, val in values.items() if key != CONF_NAME},
        }

    def _take_sftp(self, user_input: dict[str, Any]) -> None:
        """Take the form over; an empty secret keeps the stored one, numbers are whole."""
        values = flow_schemas.whole_numbers(user_input)
        values[CONF_HOST] = values[CONF_HOST].strip()
        kept = {key: self._data[key] for key in (*_SECRETS, CONF_HOST_KEY) if key in self._data}
        self._take(TARGET_SFTP, {**kept, **{k: v for k, v in values.items() if v != ""}})

    @property
    def _sftp_unique_id(self) -> str:
        data = self._data
        return f"sftp:{data[CONF_USERNAME]}@{data[CONF_HOST]}:{data[CONF_PORT]}:{data[CONF_PATH]}"

    def _refuse_duplicate(self) -> None:
        for subentry in self._get_entry().subentries.values():
            if (
                subentry.unique_id == self._sftp_unique_id
                and subentry.subentry_id != self._changing
            ):
                raise AbortFlow("already_configured")

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

    async def _async_connect(self) -> SubentryFlowResult:
        """Ask for the server's key, have it confirmed unless it is the stored one, log in."""
        self._host_key = await fetch_host_key(
            self._data[CONF_HOST], self._data[CONF_PORT], _CONNECT_TIMEOUT
        )
        stored = self._data.get(CONF_HOST_KEY)
        if stored is None:
            return await self.async_step_host_key()
        if stored != self._host_key.line:
            return await self.async_step_changed_host_key()
        return await self._async_log_in(self._host_key)

    async def _async_log_in(self, host_key: HostKey) -> SubentryFlowResult:
        """Log in and write for once; what fails is shown in the form that can change it."""
        self._data[CONF_HOST_KEY] = host_key.line
        self._errors = await self._async_probe()
        if self._errors:
            if self.source == SOURCE_USER:
                del self._data[CONF_HOST_KEY]
            if self._public_key:
                return await self.async_step_new_key()
            return await self.async_step_sftp()
        return self._finish(self._sftp_unique_id)

    async def _async_probe(self) -> dict[str, str]:
        """Try the place out; one that a target of ours keeps must still carry that target's marker.

        Otherwise saving the form while a mount is away would make a target of the empty folder.
        """
        target = build_target_config(self._data, self._changing or "new", self._title)
        entry = self._get_entry()
        try:
            if self._same_place and entry.state is ConfigEntryState.LOADED:
                await entry.runtime_data.engine.try_target(target)
            else:
                await probe_target(target)
        except PipelineError as err:
            return {"base": flow_error(err, TARGET_ERRORS)}
        return {}

    @property
    def _same_place(self) -> bool:
        """True when a target is changed whose folder stays where it is."""
        if not self._changing:
            return False
        before = self._get_reconfigure_subentry().data
        return all(before.get(key) == self._data.get(key) for key in _PLACE)

    def _fingerprints(self, host_key: HostKey) -> dict[str, str]:
        return {
            "host": self._data[CONF_HOST],
            "algorithm": host_key.algorithm,
            "fingerprint": host_key.fingerprint,
        }

    def _finish(self, unique_id: str) -> SubentryFlowResult:
        """Store; the entry's own listener reloads it."""
        if self.source == SOURCE_USER:
            return self.async_create_entry(title=self._title, data=self._data, unique_id=unique_id)
        return self.async_update_and_abort(
            self._get_entry(),
            self._get_reconfigure_subentry(),
            title=self._title,
            data=self._data,
            unique_id=unique_id,
        )
