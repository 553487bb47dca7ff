"""Buttons: run the pipeline, propose a cleanup, tell a phone again of what lies there."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, override

from homeassistant.components.button import ButtonEntity, ButtonEntityDescription
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .actor import async_actor
from .const import CONF_KIND, CONF_SOURCE, SOURCE_ICLOUD, TARGET_PIXEL
from .coordinator import MediaPipelineConfigEntry
from .engine.engine import Engine
from .engine.errors import PipelineError
from .engine_config import target_subentries
from .entity import SourceEntity, TargetEntity
from .errors import service_error

# The engine itself refuses a second run.
PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class SourceButtonDescription(ButtonEntityDescription):
    """A button of a source."""

    press: Callable[[Engine, str | None], Coroutine[Any, Any, object]]
    icloud_only: bool = False


@dataclass(frozen=True, kw_only=True)
class TargetButtonDescription(ButtonEntityDescription):
    """A button of a target."""

    press: Callable[[Engine, str, str | None], Coroutine[Any, Any, object]]
    kind: str
    """Only targets of this kind have it."""


BUTTONS: tuple[SourceButtonDescription, ...] = (
    SourceButtonDescription(
        key="run",
        translation_key="run",
        press=lambda engine, actor: engine.start_run(actor=actor),
    ),
    SourceButtonDescription(
        key="plan_cleanup",
        translation_key="plan_cleanup",
        press=lambda engine, actor: engine.plan_cleanup(actor=actor),
        icloud_only=True,
    ),
)

TARGET_BUTTONS: tuple[TargetButtonDescription, ...] = (
    TargetButtonDescription(
        key="rescan",
        translation_key="rescan",
        press=lambda engine, target_id, actor: engine.rescan_phone(target_id, actor=actor),
        kind=TARGET_PIXEL,
    ),
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: MediaPipelineConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the buttons of a source, then of each target on its own device."""
    is_icloud = entry.data[CONF_SOURCE] == SOURCE_ICLOUD
    async_add_entities(
        SourceButton(entry.runtime_data, description)
        for description in BUTTONS
        if is_icloud or not description.icloud_only
    )
    for subentry in target_subentries(entry):
        async_add_entities(
            [
                TargetButton(entry.runtime_data, subentry, description)
                for description in TARGET_BUTTONS
                if subentry.data[CONF_KIND] == description.kind
            ],
            config_subentry_id=subentry.subentry_id,
        )


class SourceButton(SourceEntity, ButtonEntity):
    """A button of a source."""

    entity_description: SourceButtonDescription

    @override
    async def async_press(self) -> None:
        """Ask the engine; what it refuses is told to the person who pressed."""
        actor = await async_actor(self.hass, self._context)
        try:
            await self.entity_description.press(self.coordinator.engine, actor)
        except PipelineError as err:
            raise service_error(err) from err


class TargetButton(TargetEntity, ButtonEntity):
    """A button of a target."""

    entity_description: TargetButtonDescription

    @override
    async def async_press(self) -> None:
        """Ask the engine; what it refuses is told to the person who pressed."""
        actor = await async_actor(self.hass, self._context)
        engine = self.coordinator.engine
        try:
            await self.entity_description.press(engine, self.subentry.subentry_id, actor)
        except PipelineError as err:
            raise service_error(err) from err
