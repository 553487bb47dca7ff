"""The steps for targets over HTTP: rclone's remote control (also to Google Photos) and WebDAV."""

from typing import Any

from homeassistant.config_entries import SubentryFlowResult

from .target_kinds.google_photos import GOOGLE_PHOTOS
from .target_kinds.rclone import RCLONE
from .target_kinds.webdav import WEBDAV
from .target_steps import TargetSteps


class HttpTargetSteps(TargetSteps):
    """A small file is written, renamed, read back and removed before anything is stored."""

    async def async_step_rclone(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Choose a remote of an rclone."""
        return await self._async_simple(RCLONE, user_input)

    async def async_step_google_photos(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Choose an album of Google Photos; nothing is sent for a test, as it would stay there."""
        return await self._async_simple(GOOGLE_PHOTOS, user_input)

    async def async_step_webdav(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Choose a folder on a WebDAV server."""
        return await self._async_simple(WEBDAV, user_input)
