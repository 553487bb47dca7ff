"""Changing the rules and limits of a source."""

from typing import Any

from homeassistant.config_entries import ConfigFlowResult, OptionsFlow

from . import flow_schemas
from .const import CONF_SOURCE, SOURCE_ICLOUD


class MediaPipelineOptionsFlow(OptionsFlow):
    """One form; the entry's listener reloads it when something changed."""

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Show all options, store what comes back."""
        if user_input is not None:
            return self.async_create_entry(
                data={**self.config_entry.options, **flow_schemas.whole_numbers(user_input)}
            )
        can_free = self.config_entry.data[CONF_SOURCE] == SOURCE_ICLOUD
        return self.async_show_form(
            step_id="init",
            data_schema=self.add_suggested_values_to_schema(
                flow_schemas.options(can_free=can_free), self.config_entry.options
            ),
        )
