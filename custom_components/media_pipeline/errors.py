"""The engine's errors as Home Assistant shows them."""

from homeassistant.exceptions import HomeAssistantError, ServiceValidationError

from .const import DOMAIN
from .engine.errors import NeedsUserError, PermanentError, PipelineError


def service_error(err: PipelineError) -> HomeAssistantError:
    """Translate: the caller's mistakes are validation errors, the rest are failures."""
    wrong_request = isinstance(err, PermanentError | NeedsUserError)
    error = ServiceValidationError if wrong_request else HomeAssistantError
    return error(
        translation_domain=DOMAIN,
        translation_key=err.key,
        translation_placeholders=err.placeholders,
    )
