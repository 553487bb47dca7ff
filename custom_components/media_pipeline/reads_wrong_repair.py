"""The repair of a place that reads wrong everywhere: its owner looked, and says to go on."""

from typing import override

from homeassistant.config_entries import ConfigEntryState, ConfigSubentry

from .coordinator import MediaPipelineConfigEntry
from .engine.catalog.manifests import ARCHIVE
from .engine.errors import PipelineError
from .look_again import LookAgainFlow


class GoOnFlow(LookAgainFlow):
    """Have everything there proven anew, and what is lost mended, by the next run."""

    def __init__(
        self, entry: MediaPipelineConfigEntry, key: str, target: ConfigSubentry | None = None
    ) -> None:
        """Without a target it is the archive."""
        super().__init__(entry, key)
        self._place = target.subentry_id if target else ARCHIVE

    @override
    async def _async_is_fixed(self) -> bool:
        if self.entry.state is not ConfigEntryState.LOADED and not (
            await self.hass.config_entries.async_reload(self.entry.entry_id)
        ):
            return False
        try:
            await self.entry.runtime_data.engine.go_on(self._place, actor="repair")
        except PipelineError:
            return False
        await self.entry.runtime_data.async_refresh()
        return True
