"""The steps for buckets in object stores: one form each, and the bucket must answer."""

from typing import Any

from homeassistant.config_entries import SubentryFlowResult

from .target_kinds.object_store import AZURE, GCS, S3
from .target_steps import TargetSteps


class ObjectStoreSteps(TargetSteps):
    """A small object is written, read back and removed before anything is stored."""

    async def async_step_s3(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Choose a bucket that speaks S3."""
        return await self._async_simple(S3, user_input)

    async def async_step_gcs(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Choose a bucket of Google Cloud Storage."""
        return await self._async_simple(GCS, user_input)

    async def async_step_azure(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Choose a container of Azure Blob Storage."""
        return await self._async_simple(AZURE, user_input)
