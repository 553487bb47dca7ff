"""The engine's errors as Home Assistant shows them."""

from datetime import datetime

from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.util import dt as dt_util

from .const import DOMAIN
from .engine.errors import HeldBack, NeedsUserError, PermanentError, PipelineError


def service_error(err: PipelineError) -> HomeAssistantError:
    """Translate: the caller's mistakes are validation errors, the rest are failures."""
    wrong_request = isinstance(err, PermanentError | NeedsUserError)
    error = ServiceValidationError if wrong_request else HomeAssistantError
    placeholders = err.placeholders
    if isinstance(err, HeldBack):
        placeholders = {**placeholders, "until": local_time(err.until)}
    return error(
        translation_domain=DOMAIN,
        translation_key=err.key,
        translation_placeholders=placeholders,
    )


def local_time(moment: datetime) -> str:
    """A time as people read it."""
    return f"{dt_util.as_local(moment):%Y-%m-%d %H:%M:%S}"
