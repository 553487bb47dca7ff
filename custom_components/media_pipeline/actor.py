"""Who asked for something, for the journal."""

from homeassistant.core import Context, HomeAssistant


async def async_actor(hass: HomeAssistant, context: Context | None) -> str | None:
    """The name of the user behind a context; None when it was an automation or Home Assistant."""
    if context is None or context.user_id is None:
        return None
    user = await hass.auth.async_get_user(context.user_id)
    return user.name or user.id if user else context.user_id
