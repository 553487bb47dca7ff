"""Signing in to iCloud: the part that setting up, reauth and reconfigure share."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import voluptuous as vol
from homeassistant.config_entries import (
    SOURCE_REAUTH,
    SOURCE_RECONFIGURE,
    ConfigEntryState,
    ConfigFlowResult,
)
from homeassistant.const import CONF_PASSWORD

from . import flow_schemas
from .consent import APPROVE, async_wait_for_consent
from .const import CONF_APPLE_ID, CONF_CHINA, CONF_LIBRARIES
from .engine.errors import (
    ConsentRequired,
    InvalidCode,
    InvalidCredentials,
    PipelineError,
    TermsRequired,
    WrongRegion,
)
from .engine.model import LibraryInfo
from .engine.sources.icloud.session import ICloudSession, SignInState
from .flow_errors import CONFIG_ERRORS, flow_error
from .session_flow import SessionFlow

_LOGGER = logging.getLogger(__name__)


class SignInFlow(SessionFlow):
    """Password, code, consent and libraries."""

    def __init__(self) -> None:
        """Start with nothing known."""
        super().__init__()
        self._libraries: list[LibraryInfo] | None = None
        self._waiting: asyncio.Task[list[LibraryInfo]] | None = None
        self._moved = False
        self._terms_shown = False

    async def async_step_archive(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """What comes after the libraries of a new source."""
        raise NotImplementedError

    async def async_step_code(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Hand in the two-factor code, or have a new one sent."""
        return await self._async_code("code", user_input)

    async def async_step_code_sent(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """The same, when a new code is on its way."""
        return await self._async_code("code_sent", user_input)

    async def _async_code(self, step: str, user_input: dict[str, Any] | None) -> ConfigFlowResult:
        errors: dict[str, str] = {}
        if user_input is not None:
            try:
                if delivery := user_input.get(flow_schemas.CONF_NEW_CODE):
                    session = await self._async_session()
                    await session.send_code(sms=delivery == "sms")
                    step = "code_sent"
                elif code := "".join(user_input.get(flow_schemas.CONF_CODE, "").split()):
                    return await self._async_submit_code(code)
                else:
                    errors[flow_schemas.CONF_CODE] = "code_missing"
            except TermsRequired:
                return self._show_terms()
            except InvalidCode as err:
                errors[flow_schemas.CONF_CODE] = flow_error(err, CONFIG_ERRORS)
            except PipelineError as err:
                errors["base"] = flow_error(err, CONFIG_ERRORS)
        return self.async_show_form(
            step_id=step,
            data_schema=flow_schemas.CODE,
            errors=errors,
            description_placeholders={"account": self._account},
        )

    async def async_step_consent(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Advanced Data Protection: wait until the owner approves on a device."""
        if self._waiting is None:
            session = await self._async_session()
            self._waiting = self.hass.async_create_task(
                async_wait_for_consent(session), "media_pipeline consent", eager_start=False
            )
        if not self._waiting.done():
            return self.async_show_progress(
                step_id="consent", progress_action=APPROVE, progress_task=self._waiting
            )
        waited, self._waiting = self._waiting, None
        try:
            self._libraries = waited.result()
        except ConsentRequired:
            return self.async_show_progress_done(next_step_id="consent_again")
        except PipelineError as err:
            _LOGGER.debug("The wait for consent was broken off: %s", err.key)
            return self.async_show_progress_done(next_step_id="connection")  # which looks again
        return self.async_show_progress_done(next_step_id="libraries")

    async def async_step_consent_again(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Nobody approved; the owner says when to ask again."""
        if user_input is not None:
            return await self.async_step_consent()
        return self.async_show_form(step_id="consent_again", data_schema=vol.Schema({}))

    async def async_step_terms(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """New terms: the owner accepts them with Apple, then we look again."""
        errors: dict[str, str] = {}
        if user_input is not None:
            try:
                return await self._async_sign_in(await self._async_session())
            except PipelineError as err:
                errors["base"] = flow_error(err, CONFIG_ERRORS)
        return self._show_terms(errors)  # which other trouble kept us from looking

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
            except ConsentRequired:
                return await self.async_step_consent()
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
                errors = sign_in_errors(err)
        return self.async_show_form(
            step_id="reauth_confirm",
            data_schema=flow_schemas.REAUTH,
            errors=errors,
            description_placeholders={"account": self._account},
        )

    async def async_step_account(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Change password or region, then the libraries."""
        errors: dict[str, str] = {}
        if user_input is not None:
            try:
                return await self._async_sign_in_to(user_input)
            except PipelineError as err:
                errors = sign_in_errors(err)
        return self.async_show_form(
            step_id="account",
            data_schema=self.add_suggested_values_to_schema(
                flow_schemas.ACCOUNT, {CONF_CHINA: self._data[CONF_CHINA]}
            ),
            errors=errors,
            description_placeholders={"account": self._account},
        )

    # --- helpers ----------------------------------------------------------------------------------

    @property
    def _account(self) -> str:
        return str(self._data.get(CONF_APPLE_ID, ""))

    def _show_terms(self, errors: dict[str, str] | None = None) -> ConfigFlowResult:
        """The terms again, with an error when they were shown before."""
        if self._terms_shown and errors is None:
            errors = {"base": TermsRequired.key}
        self._terms_shown = True
        return self.async_show_form(
            step_id="terms",
            data_schema=vol.Schema({}),
            errors=errors,
            description_placeholders={"account": self._account},
        )

    async def _async_sign_in_to(self, user_input: dict[str, Any]) -> ConfigFlowResult:
        """Sign in to a known account; through the engine's session while nothing changed in it."""
        entry = self._entry
        self._data = {**entry.data, **{k: v for k, v in user_input.items() if v != ""}}
        await self._async_close_session()
        session = self._engine_session(entry)
        if session is None or self._data != entry.data:
            session = await self._async_open_session(self._data)
        return await self._async_sign_in(session)

    async def _async_submit_code(self, code: str) -> ConfigFlowResult:
        """Hand the code to whoever asked for it; the engine then looks at its source again."""
        session = await self._async_session()
        try:
            if session is self._own_session:
                await session.submit_code(code)
            else:
                await self._entry.runtime_data.engine.submit_code(code)
        except WrongRegion:
            return await self._async_follow_region()
        return await self._async_signed_in()

    async def _async_sign_in(self, session: ICloudSession) -> ConfigFlowResult:
        """Sign in because a person wants it. Raises PipelineError."""
        try:
            state = await session.sign_in(asked=True)
        except TermsRequired:
            return self._show_terms()
        except WrongRegion:
            return await self._async_follow_region()
        if state is SignInState.CODE_REQUIRED:
            return await self.async_step_code()
        return await self._async_signed_in()

    async def _async_follow_region(self) -> ConfigFlowResult:
        """Apple says that the account is served elsewhere; a code that it took stays good there."""
        if self._moved:
            raise WrongRegion("on both sides")
        self._moved = True
        self._data[CONF_CHINA] = not self._data[CONF_CHINA]
        return await self._async_sign_in(await self._async_open_session(self._data))

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


def sign_in_errors(err: PipelineError) -> dict[str, str]:
    """An error of a sign-in, at the field that can mend it."""
    field = CONF_PASSWORD if isinstance(err, InvalidCredentials) else "base"
    return {field: flow_error(err, CONFIG_ERRORS)}
