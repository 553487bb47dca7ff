"""The repair of a lasting difference to Apple's own count: a full look, and what it found."""

import asyncio
from typing import Any, Final, override

import voluptuous as vol
from homeassistant.components.repairs import RepairsFlowResult
from homeassistant.config_entries import ConfigEntryState

from .engine.errors import HeldBack, PipelineError, RunActive
from .engine.model import LibraryCensus
from .errors import local_time
from .look_again import LookAgainFlow

COMPARE: Final = "compare"
"""Name of the progress text."""
NOT_POSSIBLE: Final = "not_possible"
ERRORS: Final = frozenset({RunActive.key, HeldBack.key, NOT_POSSIBLE})


class DifferenceFlow(LookAgainFlow):
    """Compare everything with iCloud, which takes minutes in a big library, and say the result."""

    _looking: asyncio.Task[tuple[dict[str, LibraryCensus], int]] | None = None
    _error: PipelineError | None = None
    _found = 0
    _left = 0

    @override
    async def async_step_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> RepairsFlowResult:
        """Begin when asked to."""
        if user_input is not None:
            self._error = None
            if (
                self.entry.state is ConfigEntryState.LOADED
                or await self.hass.config_entries.async_reload(self.entry.entry_id)
            ):
                return await self.async_step_look()
            self._error = PipelineError("the source can't be set up")
        return self._show_confirm()

    def _show_confirm(self) -> RepairsFlowResult:
        placeholders = self.placeholders
        errors: dict[str, str] = {}
        if self._error is not None:
            errors["base"] = self._error.key if self._error.key in ERRORS else NOT_POSSIBLE
            if isinstance(self._error, HeldBack):
                placeholders["until"] = local_time(self._error.until)
        return self.async_show_form(
            step_id="confirm",
            data_schema=vol.Schema({}),
            errors=errors,
            description_placeholders=placeholders,
        )

    async def async_step_look(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Wait for the full look; it goes on when the dialog is closed."""
        if self._looking is None:
            self._looking = self.hass.async_create_task(
                self.entry.runtime_data.engine.reconcile(actor="repair"),
                "media_pipeline full look",
                eager_start=False,
            )
        if not self._looking.done():
            return self.async_show_progress(
                step_id="look", progress_action=COMPARE, progress_task=self._looking
            )
        looked, self._looking = self._looking, None
        try:
            libraries, self._found = looked.result()
        except PipelineError as err:
            self._error = err
            return self.async_show_progress_done(next_step_id="not_compared")
        self._left = sum(census.difference for census in libraries.values())
        return self.async_show_progress_done(next_step_id="compared")

    async def async_step_not_compared(
        self, user_input: dict[str, Any] | None = None
    ) -> RepairsFlowResult:
        """Say why, and offer to begin again."""
        return self._show_confirm()

    async def async_step_compared(
        self, user_input: dict[str, Any] | None = None
    ) -> RepairsFlowResult:
        """Say what was found."""
        if user_input is not None:
            return self.async_create_entry(data={})
        return self.async_show_form(
            step_id="compared",
            data_schema=vol.Schema({}),
            description_placeholders={
                **self.placeholders,
                "found": str(self._found),
                "left": str(self._left),
            },
        )
