"""The steps for a Pixel phone: which one, its SSH server, then one photo all the way."""

from typing import Any, override

import voluptuous as vol
from homeassistant.config_entries import SOURCE_USER, SubentryFlowResult

from .const import CONF_ARCHIVE_ID, CONF_MODEL
from .engine.errors import PipelineError
from .engine.targets.base import TargetIdentity
from .engine.targets.phone import PhoneModel, PixelTargetConfig
from .engine.targets.phone_scan import Way
from .engine.targets.phone_trial import PhoneTrial, try_phone
from .flow_errors import TARGET_ERRORS, flow_error
from .sftp_target_steps import SftpTargetSteps
from .target_kinds.base import TargetKind
from .target_kinds.pixel import PHONE_MODEL, PIXEL, PRESETS
from .target_kinds.registry import build_target_config

_GIGABYTE = 1_000_000_000


class PixelTargetSteps(SftpTargetSteps):
    """Adds or changes a phone."""

    _trial: PhoneTrial

    def __init__(self) -> None:
        """Start with nothing known."""
        super().__init__()
        self._model: PhoneModel | None = None

    async def async_step_pixel(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Say where the phone is, what it may be sent and when; first of all which one it is."""
        if self._model is None:
            return await self.async_step_phone_model()
        return await self._async_server(PIXEL, user_input)

    async def async_step_phone_model(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Say which phone it is. For a new one the next form starts with what suits it."""
        before = self._data.get(CONF_MODEL)
        if user_input is None:
            return self.async_show_form(
                step_id="phone_model",
                data_schema=self.add_suggested_values_to_schema(PHONE_MODEL, {CONF_MODEL: before}),
            )
        self._model = PhoneModel(user_input[CONF_MODEL])
        if self.source == SOURCE_USER:
            self._form = dict(PRESETS[self._model])
        if self._model is PhoneModel.OTHER and self._model != before:
            return await self.async_step_phone_counts()
        return await self.async_step_pixel()

    async def async_step_phone_counts(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Warn that everything counts against the owner's storage."""
        if user_input is None:
            return self.async_show_form(step_id="phone_counts", data_schema=vol.Schema({}))
        return await self.async_step_pixel()

    @override
    def _take(self, kind: TargetKind, user_input: dict[str, Any]) -> None:
        super()._take(kind, user_input)
        if kind is PIXEL and self._model is not None:
            self._data[CONF_MODEL] = self._model.value

    @override
    async def _async_logged_in(self, kind: TargetKind) -> SubentryFlowResult:
        """Send one photo before anything is stored."""
        if kind is not PIXEL:
            return await super()._async_logged_in(kind)
        config = build_target_config(self._data, self._changing or "new", self._title)
        if not isinstance(config, PixelTargetConfig):
            raise TypeError(config.kind)
        owner = self._get_entry().data.get(CONF_ARCHIVE_ID)
        try:
            self._trial = await try_phone(config, TargetIdentity(owner=owner))
        except PipelineError as err:
            self._errors = {"base": flow_error(err, TARGET_ERRORS)}
            return await self.async_step_pixel()
        return await self.async_step_one_photo()

    async def async_step_one_photo(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Tell how one photo fared; a phone that was not told of it may be stored all the same."""
        if user_input is not None:
            return self._finish(PIXEL)
        match self._trial.told.way:
            case Way.TERMUX:
                return self._show_trial(step_id="one_photo")
            case Way.BROADCAST:
                return self._show_trial(step_id="told_by_broadcast")
        return self._show_trial(step_id="not_told")

    async_step_told_by_broadcast = async_step_one_photo
    async_step_not_told = async_step_one_photo

    def _show_trial(self, *, step_id: str) -> SubentryFlowResult:
        wrong = self._trial.told.wrong
        return self.async_show_form(
            step_id=step_id,
            data_schema=vol.Schema({}),
            errors={} if wrong is None else {"base": f"scan_{wrong.value}"},
            description_placeholders={
                "free": f"{self._trial.space.free / _GIGABYTE:.1f}",
                "window": f"{self._trial.window / _GIGABYTE:.1f}",
            },
        )
