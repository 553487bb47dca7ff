"""Repairs of an Apple account: approve web access, follow the account's region, renew the trust."""

import asyncio
from typing import Any, override

import voluptuous as vol
from homeassistant.components.repairs import FlowType, RepairsFlowResult
from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntryState, ConfigFlowContext

from .consent import APPROVE, async_wait_for_consent
from .const import CONF_CHINA, DOMAIN
from .engine.errors import CodeRequired, PipelineError
from .engine.sources.icloud.session import ICloudSession, SignInState
from .look_again import STILL_THERE, LookAgainFlow


class _AccountFlow(LookAgainFlow):
    """What fix flows of an account share."""

    async def _async_session(self) -> ICloudSession | None:
        """The engine's session; an entry that could not be set up is set up first."""
        if self.entry.state is not ConfigEntryState.LOADED and not (
            await self.hass.config_entries.async_reload(self.entry.entry_id)
        ):
            return None
        return self.entry.runtime_data.engine.icloud_session

    def _show_confirm(self, error: str | None = None) -> RepairsFlowResult:
        return self.async_show_form(
            step_id="confirm",
            data_schema=vol.Schema({}),
            errors={"base": error} if error else None,
            description_placeholders=self.placeholders,
        )


class ConsentFlow(_AccountFlow):
    """Send the request for web access to the owner's devices, and wait for the approval."""

    _waiting: asyncio.Task[None] | None = None

    @override
    async def async_step_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> RepairsFlowResult:
        """Begin when the owner has a device at hand."""
        if user_input is None:
            return self._show_confirm()
        return await self.async_step_wait()

    async def async_step_wait(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Wait, as long as async_wait_for_consent does."""
        if self._waiting is None:
            self._waiting = self.hass.async_create_task(
                self._async_wait(), "media_pipeline consent", eager_start=False
            )
        if not self._waiting.done():
            return self.async_show_progress(
                step_id="wait", progress_action=APPROVE, progress_task=self._waiting
            )
        waited, self._waiting = self._waiting, None
        try:
            waited.result()
        except PipelineError:
            return self.async_show_progress_done(next_step_id="not_approved")
        return self.async_show_progress_done(next_step_id="approved")

    async def async_step_not_approved(
        self, user_input: dict[str, Any] | None = None
    ) -> RepairsFlowResult:
        """Offer to begin again."""
        return self._show_confirm(STILL_THERE)

    async def async_step_approved(
        self, user_input: dict[str, Any] | None = None
    ) -> RepairsFlowResult:
        """Have the engine go on."""
        await self.entry.runtime_data.async_look_again()
        return self.async_create_entry(data={})

    async def _async_wait(self) -> None:
        session = await self._async_session()
        if session is None:
            raise PipelineError("the source can't be set up")
        if await session.sign_in(asked=True) is SignInState.SIGNED_IN:
            await async_wait_for_consent(session)


class RegionFlow(_AccountFlow):
    """Apple serves the account on its other side; go there."""

    @override
    async def async_step_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> RepairsFlowResult:
        """Change the region; the entry's own listener reloads it."""
        if user_input is None:
            return self._show_confirm()
        data = dict(self.entry.data)
        data[CONF_CHINA] = not data[CONF_CHINA]
        self.hass.config_entries.async_update_entry(self.entry, data=data)
        return self.async_create_entry(data={})


class RenewTrustFlow(_AccountFlow):
    """Renew the sign-in before Apple ends it, with a code when Apple wants one."""

    @override
    async def async_step_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> RepairsFlowResult:
        """Renew it now; a question for a code leads to its form."""
        if user_input is None:
            return self._show_confirm()
        session = await self._async_session()
        if session is None:
            return self._show_confirm(STILL_THERE)
        try:
            await session.keep_trusted(asked=True)
        except CodeRequired:
            return await self._async_ask_for_code()
        except PipelineError:
            return self._show_confirm(STILL_THERE)
        await self.entry.runtime_data.async_refresh()
        return self.async_create_entry(data={})

    async def _async_ask_for_code(self) -> RepairsFlowResult:
        for flow in self.entry.async_get_active_flows(self.hass, {SOURCE_REAUTH}):
            flow_id = flow["flow_id"]
            break
        else:
            result = await self.hass.config_entries.flow.async_init(
                DOMAIN,
                context=ConfigFlowContext(
                    source=SOURCE_REAUTH,
                    entry_id=self.entry.entry_id,
                    title_placeholders={"name": self.entry.title},
                    unique_id=self.entry.unique_id,
                ),
                data=self.entry.data,
            )
            flow_id = result["flow_id"]
        return self.async_create_entry(data={}, next_flow=(FlowType.CONFIG_FLOW, flow_id))
