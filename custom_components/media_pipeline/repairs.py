"""Repairs that a person finishes from the notice itself: look again, or accept what changed."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final, override

import voluptuous as vol
from homeassistant.components.repairs import RepairsFlow, RepairsFlowResult
from homeassistant.config_entries import ConfigEntryState, ConfigSubentry
from homeassistant.const import CONF_HOST, CONF_PORT
from homeassistant.core import HomeAssistant

from .account_repairs import ConsentFlow, RegionFlow, RenewTrustFlow
from .archive_check import FolderRefused, find_archive
from .const import CONF_ARCHIVE, CONF_ARCHIVE_DEVICE, CONF_ARCHIVE_ID, CONF_HOST_KEY
from .coordinator import MediaPipelineConfigEntry
from .difference_repair import DifferenceFlow
from .engine.errors import PipelineError
from .engine.targets.hostkey import HostKey, fetch_host_key, load_library, parse_host_key
from .engine_config import build_target_config
from .issues import DIFFERENCE_ISSUE, TRUST_ISSUE
from .look_again import STILL_THERE, LookAgainFlow
from .new_disk_repair import NewDiskFlow
from .reads_wrong_repair import GoOnFlow


async def async_create_fix_flow(
    hass: HomeAssistant, issue_id: str, data: dict[str, str | int | float | None] | None
) -> RepairsFlow:
    """The flow for an issue of ours."""
    data = data or {}
    entry = hass.config_entries.async_get_known_entry(str(data["entry_id"]))
    key = str(data["key"])
    target_id = data["target_id"]
    if target_id is None:
        return _SOURCE_FLOWS.get(key, LookAgainFlow)(entry, key)
    target = entry.subentries[str(target_id)]
    if key == "host_key_changed":
        return HostKeyFlow(entry, key, target)
    if key == "target_reads_wrong":
        return GoOnFlow(entry, key, target)
    return TargetLookAgainFlow(entry, key, target)


class ArchiveMovedFlow(LookAgainFlow):
    """The archive lies on another device: mounted again, or moved by its owner."""

    @override
    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Ask which of the two it is."""
        return self.async_show_menu(
            step_id="init",
            menu_options=["confirm", "accept"],
            description_placeholders=self.placeholders,
        )

    async def async_step_accept(
        self, user_input: dict[str, Any] | None = None
    ) -> RepairsFlowResult:
        """Take the folder as the archive from now on; its marker must be there."""
        errors: dict[str, str] = {}
        if user_input is not None:
            data = self.entry.data
            try:
                found = await self.hass.async_add_executor_job(
                    partial(find_archive, Path(data[CONF_ARCHIVE]), data[CONF_ARCHIVE_ID])
                )
            except FolderRefused:
                errors["base"] = STILL_THERE
            else:
                loaded = self.entry.state is ConfigEntryState.LOADED
                self.hass.config_entries.async_update_entry(
                    self.entry, data={**data, CONF_ARCHIVE_DEVICE: found.device_id}
                )
                if not loaded:
                    await self.hass.config_entries.async_reload(self.entry.entry_id)
                return self.async_create_entry(data={})
        return self.async_show_form(
            step_id="accept",
            data_schema=vol.Schema({}),
            errors=errors,
            description_placeholders=self.placeholders,
        )


class TargetLookAgainFlow(LookAgainFlow):
    """The owner put a target right; connect to it."""

    def __init__(self, entry: MediaPipelineConfigEntry, key: str, target: ConfigSubentry) -> None:
        """Remember the target."""
        super().__init__(entry, key)
        self.target = target

    @override
    async def _async_is_fixed(self) -> bool:
        return await self._async_answers({**self.target.data})

    async def _async_answers(self, data: dict[str, Any], *, new_key: bool = False) -> bool:
        """Try the target out; a folder without the target's marker is not the target.

        With a ``new_key``, which a person confirmed, what the server announced before is void.
        """
        if self.entry.state is not ConfigEntryState.LOADED and not (
            await self.hass.config_entries.async_reload(self.entry.entry_id)
        ):
            return False
        config = build_target_config(data, self.target.subentry_id, self.target.title)
        try:
            if new_key:
                await self.entry.runtime_data.engine.forget_host_keys(self.target.subentry_id)
            await self.entry.runtime_data.engine.try_target(config)
        except PipelineError:
            return False
        return True


class HostKeyFlow(TargetLookAgainFlow):
    """A server shows another key than the stored one; its owner says whether that is right."""

    _shown: HostKey | None = None

    @override
    async def async_step_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> RepairsFlowResult:
        """Show both keys; accept the new one only when it is still shown and lets us in."""
        data = self.target.data
        errors: dict[str, str] = {}
        await load_library()
        if user_input is not None and self._shown is not None:
            changed = {**data, CONF_HOST_KEY: self._shown.line}
            if await self._async_answers(changed, new_key=True):
                self.hass.config_entries.async_update_subentry(
                    self.entry, self.target, data=changed
                )
                return self.async_create_entry(data={})
            errors["base"] = STILL_THERE
        try:
            self._shown = await fetch_host_key(data[CONF_HOST], data[CONF_PORT])
        except PipelineError:
            return self.async_abort(reason="no_answer")
        return self.async_show_form(
            step_id="confirm",
            data_schema=vol.Schema({}),
            errors=errors,
            description_placeholders={
                **self.placeholders,
                "old_fingerprint": parse_host_key(await self._async_known_key()).fingerprint,
                "fingerprint": self._shown.fingerprint,
            },
        )

    async def _async_known_key(self) -> str:
        """The key that the server showed last: the confirmed one, or one that it announced."""
        data = self.target.data
        if self.entry.state is not ConfigEntryState.LOADED:
            return str(data[CONF_HOST_KEY])
        config = build_target_config({**data}, self.target.subentry_id, self.target.title)
        known = await self.entry.runtime_data.engine.known_host_keys(config)
        return known[0] if known else str(data[CONF_HOST_KEY])


_SOURCE_FLOWS: Final[Mapping[str, type[LookAgainFlow]]] = {
    "archive_device_changed": ArchiveMovedFlow,
    "archive_marker_missing": NewDiskFlow,
    "archive_reads_wrong": GoOnFlow,
    "consent_required": ConsentFlow,
    "wrong_region": RegionFlow,
    TRUST_ISSUE: RenewTrustFlow,
    DIFFERENCE_ISSUE: DifferenceFlow,
}
