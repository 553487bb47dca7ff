"""What the engine asks of Home Assistant: call an action with a photo, say what waits for what."""

import asyncio
import json
import logging
import mimetypes
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import voluptuous as vol
from homeassistant.core import HomeAssistant, SupportsResponse
from homeassistant.exceptions import (
    HomeAssistantError,
    ServiceNotFound,
    ServiceValidationError,
    TemplateError,
)
from homeassistant.helpers.template import Template, render_complex
from homeassistant.util import dt as dt_util

from .const import DOMAIN
from .engine.config import TargetConfig
from .engine.errors import (
    ActionError,
    ActionMissing,
    ActionPathNotAllowed,
    ActionRefused,
    ActionTemplateFailed,
    OutcomeUnknown,
)
from .engine.home import Item
from .engine.targets.action import ActionTargetConfig
from .engine.targets.phone import PixelTargetConfig
from .phone import async_open_photos, check_phone

_LOGGER = logging.getLogger(__name__)
_EPOCH = datetime.fromtimestamp(0, UTC)


class HomeDoor:
    """See ``engine.home.Home``. May be called from the engine's loop and from Home Assistant's."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """One for each entry."""
        self._hass = hass
        self._entry_id = entry_id

    async def _at_home[T](self, work: Coroutine[Any, Any, T]) -> T:
        """Do it on Home Assistant's loop; cancelled here is cancelled there."""
        if asyncio.get_running_loop() is self._hass.loop:
            return await work
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._hass.loop))

    async def check_action(self, config: TargetConfig) -> None:
        """See ``Home.check_action``."""
        await self._at_home(self._async_check(_action(config)))

    async def run_action(self, config: TargetConfig, item: Item) -> None:
        """See ``Home.run_action``."""
        await self._at_home(self._async_run(_action(config), item))

    async def try_out(self, config: TargetConfig, item: Item) -> None:
        """Say whether the action would take ``item``, without calling it. Raises ActionError."""
        await self._at_home(self._async_try_out(_action(config), item))

    async def may_send(self, config: TargetConfig) -> None:
        """See ``Home.may_send``."""
        if isinstance(config, PixelTargetConfig):
            await self._at_home(self._async_look_at_phone(config))

    async def open_photos(self, config: TargetConfig) -> None:
        """See ``Home.open_photos``."""
        if isinstance(config, PixelTargetConfig) and config.notify_action:
            await self._at_home(async_open_photos(self._hass, config.notify_action))

    async def _async_look_at_phone(self, config: PixelTargetConfig) -> None:
        check_phone(self._hass, config)

    async def _async_check(self, config: ActionTargetConfig) -> None:
        domain, _, name = config.action.partition(".")
        if not self._hass.services.has_service(domain, name):
            raise ActionMissing(f"no action {config.action}", action=config.action)

    async def _async_try_out(self, config: ActionTargetConfig, item: Item) -> None:
        await self._async_check(config)
        data = self._render(config, item)
        domain, _, name = config.action.partition(".")
        schema = self._hass.services.async_services_for_domain(domain)[name].schema
        try:
            if schema is not None:
                schema(data)
        except vol.Invalid as err:
            raise _said(ActionRefused, config, err) from err

    async def _async_run(self, config: ActionTargetConfig, item: Item) -> None:
        await self._async_check(config)
        data = self._render(config, item)
        try:
            await self._async_call(config, data)
        except ActionError as err:
            folder = str(item.path.parent)
            if await self._hass.async_add_executor_job(
                self._hass.config.is_allowed_path, str(item.path)
            ):
                raise
            # many actions say so in their own words, which nobody translates into a remedy
            raise ActionPathNotAllowed(err.detail, **(err.placeholders | {"path": folder})) from err

    async def _async_call(self, config: ActionTargetConfig, data: dict[str, Any]) -> None:
        domain, _, name = config.action.partition(".")
        services = self._hass.services
        wants_answer = services.supports_response(domain, name) is SupportsResponse.ONLY
        try:
            async with asyncio.timeout(config.time_limit) as limit:
                await services.async_call(
                    domain, name, data, blocking=True, return_response=wants_answer
                )
        except TimeoutError as err:
            if limit.expired():
                raise OutcomeUnknown(
                    f"{config.action} did not end within {config.time_limit:.0f} s",
                    action=config.action,
                ) from err
            raise _said(ActionError, config, err) from err
        except ServiceNotFound as err:
            if (err.domain, err.service) == (domain, name):
                raise ActionMissing(str(err), action=config.action) from err
            raise _said(ActionError, config, err) from err
        except (ServiceValidationError, vol.Invalid) as err:
            raise _said(ActionRefused, config, err) from err
        except HomeAssistantError as err:
            raise _said(ActionError, config, err) from err
        except Exception as err:  # actions of others let anything out: it is their "no" as well
            _LOGGER.debug("%s failed", config.action, exc_info=err)
            raise _said(ActionError, config, err) from err

    def _render(self, config: ActionTargetConfig, item: Item) -> dict[str, Any]:
        """The action's data for one item."""
        data = _with_templates(self._hass, json.loads(config.data))
        try:
            rendered: dict[str, Any] = render_complex(data, self._variables(config, item))
        except TemplateError as err:
            raise _said(ActionTemplateFailed, config, err) from err
        return rendered

    def _variables(self, config: ActionTargetConfig, item: Item) -> dict[str, Any]:
        """What templates may use; docs/actions-as-targets.md lists them."""
        return {
            "path": str(item.path),
            "filename": item.filename,
            "kind": item.kind,
            "role": item.role,
            "captured": _captured(item),
            "albums": list(item.albums),
            "album": item.albums[0] if item.albums else "",
            "favorite": item.favorite,
            "title": item.title or "",
            "description": item.description or "",
            "keywords": list(item.keywords),
            "size": item.size,
            "sha256": item.sha256,
            "sha1": item.sha1,
            "library": item.library,
            "target": config.name,
            "media_content_id": self._media_id(item),
            "media_content_type": mimetypes.guess_type(item.filename)[0] or "",
        }

    def _media_id(self, item: Item) -> str:
        """The file in Home Assistant's media, for actions that take that and no path."""
        for name, folder in self._hass.config.media_dirs.items():
            if item.path.is_relative_to(Path(folder)):
                return f"media-source://media_source/{name}/{item.path.relative_to(folder)}"
        return f"media-source://{DOMAIN}/{self._entry_id}/asset/{item.asset_id}"


def _action(config: TargetConfig) -> ActionTargetConfig:
    if not isinstance(config, ActionTargetConfig):
        msg = f"not an action: {config.kind}"
        raise TypeError(msg)
    return config


def _with_templates(hass: HomeAssistant, value: Any) -> Any:
    """The same, with every text made a template."""
    if isinstance(value, dict):
        return {key: _with_templates(hass, one) for key, one in value.items()}
    if isinstance(value, list):
        return [_with_templates(hass, one) for one in value]
    return Template(value, hass) if isinstance(value, str) else value


def _captured(item: Item) -> datetime | None:
    if item.captured is None:
        return None
    moment = _EPOCH + timedelta(milliseconds=item.captured)  # also before 1970
    if item.tz_offset is None:
        return dt_util.as_local(moment)
    return moment.astimezone(timezone(timedelta(seconds=item.tz_offset)))


def _said[E: ActionError](error: type[E], config: ActionTargetConfig, err: Exception) -> E:
    """What an action raised, as an error of ours that tells it."""
    said = str(err) or type(err).__name__
    return error(f"{config.action}: {said}", action=config.action, said=said)
