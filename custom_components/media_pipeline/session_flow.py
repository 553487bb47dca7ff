"""What every flow of an account stands on: one session at a time, so that Apple asks once."""

import shutil
from functools import partial
from pathlib import Path
from typing import Any, override

from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntry, ConfigEntryState, ConfigFlow
from homeassistant.const import CONF_PASSWORD
from homeassistant.core import callback

from .const import CONF_APPLE_ID, CONF_CHINA, DOMAIN
from .engine.sources.icloud.session import ICloudSession
from .engine_config import SESSION_DIR, make_private_dir, private_dir


class SessionFlow(ConfigFlow):
    """Opens a session, borrows the engine's, and leaves nothing behind."""

    def __init__(self) -> None:
        """Start with nothing known."""
        self._data: dict[str, Any] = {}
        self._own_session: ICloudSession | None = None
        self._accounts: set[str] = set()

    @property
    def _entry(self) -> ConfigEntry[Any]:
        """The entry that is signed in again or changed."""
        if self.source == SOURCE_REAUTH:
            return self._get_reauth_entry()
        return self._get_reconfigure_entry()

    @staticmethod
    def _engine_session(entry: ConfigEntry[Any]) -> ICloudSession | None:
        if entry.state is not ConfigEntryState.LOADED:
            return None
        session: ICloudSession | None = entry.runtime_data.engine.icloud_session
        return session

    async def _async_open_session(self, data: dict[str, Any]) -> ICloudSession:
        await self._async_close_session()
        folder = private_dir(self.hass, data[CONF_APPLE_ID])
        self._accounts.add(data[CONF_APPLE_ID])
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

    async def _async_close_session(self) -> None:
        session, self._own_session = self._own_session, None
        if session is not None:
            await session.close()

    @callback
    @override
    def async_remove(self) -> None:
        """Leave nothing behind of a flow that was given up."""
        if self._accounts:
            self.hass.async_create_task(self._async_tidy_up(), "media_pipeline flow tidy-up")

    async def _async_tidy_up(self) -> None:
        await self._async_close_session()
        known = self.hass.config_entries.async_entry_for_domain_unique_id
        folders = [
            private_dir(self.hass, account)
            for account in self._accounts
            if known(DOMAIN, account) is None
        ]
        await self.hass.async_add_executor_job(_remove, folders)


def _remove(folders: list[Path]) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
