"""The steps for a Pixel phone: those of its SSH server, then one photo all the way."""

from typing import Any, override

import voluptuous as vol
from homeassistant.config_entries import SubentryFlowResult

from .const import CONF_ARCHIVE_ID
from .engine.errors import PipelineError
from .engine.targets.base import TargetIdentity
from .engine.targets.phone import PixelTargetConfig
from .engine.targets.phone_trial import PhoneTrial, try_phone
from .flow_errors import TARGET_ERRORS, flow_error
from .sftp_target_steps import SftpTargetSteps
from .target_kinds.base import TargetKind
from .target_kinds.pixel import PIXEL
from .target_kinds.registry import build_target_config

_GIGABYTE = 1_000_000_000


class PixelTargetSteps(SftpTargetSteps):
    """Adds or changes a phone."""

    _trial: PhoneTrial

    async def async_step_pixel(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Say where the phone is, what it may be sent and when."""
        return await self._async_server(PIXEL, user_input)

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
        return self.async_show_form(
            step_id="one_photo",
            data_schema=vol.Schema({}),
            errors={} if self._trial.told else {"base": f"scan_{self._trial.scan.value}"},
            description_placeholders={
                "free": f"{self._trial.space.free / _GIGABYTE:.1f}",
                "window": f"{self._trial.window / _GIGABYTE:.1f}",
            },
        )
