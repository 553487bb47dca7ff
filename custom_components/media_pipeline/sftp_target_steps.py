"""The steps for a folder on an SSH server: log-in, a key made for it, the server's own key."""

from typing import Any

import voluptuous as vol
from homeassistant.components.file_upload import process_uploaded_file
from homeassistant.config_entries import SOURCE_USER, ConfigEntryState, SubentryFlowResult
from homeassistant.const import CONF_HOST, CONF_PASSWORD, CONF_PORT, CONF_USERNAME

from .const import CONF_HOST_KEY, CONF_PASSPHRASE, CONF_PRIVATE_KEY, CONF_PRIVATE_KEY_FILE
from .engine.engine import Engine
from .engine.errors import InvalidKey, KeyLocked, PipelineError
from .engine.targets.hostkey import (
    HostKey,
    check_private_key,
    fetch_host_key,
    generate_key,
    parse_host_key,
)
from .flow_errors import TARGET_ERRORS, flow_error
from .target_kinds.base import TargetKind
from .target_kinds.registry import build_target_config
from .target_kinds.sftp import SFTP
from .target_steps import TargetSteps

_CONNECT_TIMEOUT = 15.0
_MOST_OF_A_KEY = 64 << 10


class SftpTargetSteps(TargetSteps):
    """Adds or changes an SFTP target."""

    def __init__(self) -> None:
        """Start with nothing known."""
        super().__init__()
        self._server_kind = SFTP
        self._host_key: HostKey
        self._public_key = ""

    async def async_step_sftp(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Say where the server is and how to log in."""
        return await self._async_server(SFTP, user_input)

    async def _async_server(
        self, kind: TargetKind, user_input: dict[str, Any] | None
    ) -> SubentryFlowResult:
        """The form of a kind that is reached by SSH."""
        self._server_kind = kind
        errors, self._errors = self._errors, {}
        if user_input is not None:
            file_id = user_input.get(CONF_PRIVATE_KEY_FILE)
            fields = {key: val for key, val in user_input.items() if key != CONF_PRIVATE_KEY_FILE}
            if file_id is not None:
                try:
                    fields[CONF_PRIVATE_KEY] = await self._async_uploaded(file_id)
                except InvalidKey as err:
                    self._take(kind, fields)
                    return self._show(kind, {CONF_PRIVATE_KEY_FILE: err.key})
            self._take(kind, fields)
            self._refuse_duplicate(kind)
            try:
                if private_key := self._data.get(CONF_PRIVATE_KEY):
                    await check_private_key(private_key, self._data.get(CONF_PASSPHRASE))
                elif not self._data.get(CONF_PASSWORD):
                    return await self.async_step_new_key()
                return await self._async_connect()
            except KeyLocked as err:
                errors = {CONF_PASSPHRASE: err.key}
            except InvalidKey as err:
                errors = {CONF_PRIVATE_KEY_FILE if file_id else CONF_PRIVATE_KEY: err.key}
            except PipelineError as err:
                errors = {"base": flow_error(err, TARGET_ERRORS)}
        return self._show(kind, errors)

    async def _async_uploaded(self, file_id: str) -> str:
        """The text of an uploaded key, which is removed. Raises InvalidKey."""

        def read() -> str:
            with process_uploaded_file(self.hass, file_id) as path:
                if path.stat().st_size > _MOST_OF_A_KEY:
                    raise InvalidKey("too big for a private key")
                return path.read_text()

        try:
            return await self.hass.async_add_executor_job(read)
        except (ValueError, OSError) as err:  # no such upload (any more), or no text
            raise InvalidKey(f"the uploaded file can't be read: {err}") from err

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
            old = parse_host_key((await self._async_known_keys())[0])
            return self.async_show_form(
                step_id="changed_host_key",
                data_schema=vol.Schema({}),
                description_placeholders={
                    **self._fingerprints(self._host_key),
                    "old_fingerprint": old.fingerprint,
                },
            )
        if self._engine is not None and self._changing:
            await self._engine.forget_host_keys(self._changing)
        return await self._async_log_in(self._host_key)

    async def _async_connect(self) -> SubentryFlowResult:
        """Ask for the server's key, have it confirmed unless it is the stored one, log in."""
        self._host_key = await fetch_host_key(
            self._data[CONF_HOST], self._data[CONF_PORT], _CONNECT_TIMEOUT
        )
        stored = self._data.get(CONF_HOST_KEY)
        if stored is None:
            return await self.async_step_host_key()
        if self._host_key.line not in await self._async_known_keys():
            return await self.async_step_changed_host_key()
        return await self._async_log_in(self._host_key)

    @property
    def _engine(self) -> Engine | None:
        entry = self._get_entry()
        return entry.runtime_data.engine if entry.state is ConfigEntryState.LOADED else None

    async def _async_known_keys(self) -> tuple[str, ...]:
        """The stored key, or what the server of the target announced since; the newest first."""
        stored: str = self._data[CONF_HOST_KEY]
        if self._engine is None or not self._changing or not self._same_place:
            return (stored,)
        config = build_target_config(self._data, self._changing, self._title)
        return await self._engine.known_host_keys(config) or (stored,)

    async def _async_log_in(self, host_key: HostKey) -> SubentryFlowResult:
        """Log in and write for once; what fails is shown in the form that can change it."""
        self._data[CONF_HOST_KEY] = host_key.line
        self._errors = await self._async_probe()
        if self._errors:
            if self.source == SOURCE_USER:
                del self._data[CONF_HOST_KEY]
            if self._public_key:
                return await self.async_step_new_key()
            return await self._async_server(self._server_kind, None)
        return await self._async_logged_in(self._server_kind)

    async def _async_logged_in(self, kind: TargetKind) -> SubentryFlowResult:
        """The server let us in and took a file."""
        return self._finish(kind)

    def _fingerprints(self, host_key: HostKey) -> dict[str, str]:
        return {
            "host": self._data[CONF_HOST],
            "algorithm": host_key.algorithm,
            "fingerprint": host_key.fingerprint,
        }
