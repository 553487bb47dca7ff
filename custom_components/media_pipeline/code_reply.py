"""A two-factor code that comes as the answer to a notification on a phone.

The companion app fires an event when somebody answers a notification that has a text action.
Answers to the action ``MEDIA_PIPELINE_CODE_<config entry id>`` are handed in as a code; the event
entity then tells whether Apple took it. After a wrong one another answer is taken, and Apple is
asked for no new code.
"""

import logging
from typing import Any, Final

from homeassistant.core import CALLBACK_TYPE, Event, HomeAssistant, callback

from .coordinator import MediaPipelineConfigEntry
from .engine.errors import PipelineError

_LOGGER = logging.getLogger(__name__)

EVENT_ANSWERED: Final = "mobile_app_notification_action"
ACTION_PREFIX: Final = "MEDIA_PIPELINE_CODE_"


@callback
def async_listen_for_codes(hass: HomeAssistant, entry: MediaPipelineConfigEntry) -> CALLBACK_TYPE:
    """Take codes for an entry from notifications; returns how to stop that."""
    action = f"{ACTION_PREFIX}{entry.entry_id}".casefold()

    @callback
    def is_for_us(data: Any) -> bool:
        return str(data.get("action", "")).casefold() == action

    async def answered(event: Event) -> None:
        try:
            await entry.runtime_data.async_submit_code(str(event.data.get("reply_text", "")))
        except PipelineError as err:  # the event entity has told the person already
            _LOGGER.info("The code from a notification was not taken: %s", err.key)

    return hass.bus.async_listen(EVENT_ANSWERED, answered, event_filter=is_for_us)
