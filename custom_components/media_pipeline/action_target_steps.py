"""The step for an action: it must exist, its data must suit it, and one photo may be sent."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from homeassistant.config_entries import ConfigEntryState, SubentryFlowResult

from .const import CONF_ACTION, CONF_ARCHIVE, CONF_DATA, CONF_SEND_ONE
from .engine.archive import PARTS
from .engine.errors import PipelineError
from .engine.home import Item
from .engine.targets.made_photo import make_photo
from .flow_errors import TARGET_ERRORS, flow_error
from .hand_over import HomeDoor
from .target_kinds.action import ACTION
from .target_kinds.registry import build_target_config
from .target_steps import TargetSteps

_MADE_PHOTO = "media-pipeline-test.jpg"


class ActionTargetSteps(TargetSteps):
    """Adds or changes an action that photos are handed over to."""

    async def async_step_action(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Say which action, and what it is called with; nothing is stored before that fits."""
        errors: dict[str, str] = {}
        said = ""
        if user_input is not None:
            self._take(ACTION, user_input)
            send_one = self._data.pop(CONF_SEND_ONE, False)
            self._data[CONF_ACTION] = self._data[CONF_ACTION].lower()
            if not isinstance(self._data.get(CONF_DATA), dict):
                errors = {CONF_DATA: "data_is_no_mapping"}
            else:
                self._refuse_duplicate(ACTION)
                try:
                    await self._async_try_action(send_one=send_one)
                except PipelineError as err:
                    errors = {"base": flow_error(err, TARGET_ERRORS)}
                    said = err.placeholders.get("said", "")
                except OSError as err:
                    errors = {"base": "not_writable"}
                    said = str(err)
                else:
                    return self._finish(ACTION)
        return self.async_show_form(
            step_id="action",
            data_schema=self.add_suggested_values_to_schema(ACTION.schema, self._form),
            errors=errors,
            description_placeholders={
                "said": said,
                "path": self._get_entry().data[CONF_ARCHIVE],
            },
        )

    async def _async_try_action(self, *, send_one: bool) -> None:
        """Raises ActionMissing, an ActionError, OutcomeUnknown; OSError for the made photo."""
        config = build_target_config(self._data, self._changing or "new", self._title)
        entry = self._get_entry()
        home = HomeDoor(self.hass, entry.entry_id)
        item: Item | None = None
        if entry.state is ConfigEntryState.LOADED:
            item = await entry.runtime_data.engine.example()
        archive = Path(entry.data[CONF_ARCHIVE])
        item = item or _made_up(archive)
        await home.try_out(config, item)
        if not send_one:
            return
        made = archive / PARTS / _MADE_PHOTO
        size = await self.hass.async_add_executor_job(_write, made)
        try:
            await home.run_action(
                config, replace(item, path=made, filename=_MADE_PHOTO, size=size, kind="photo")
            )
        finally:
            await self.hass.async_add_executor_job(_remove, made)


def _write(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.write_bytes(make_photo())


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()


def _made_up(archive: Path) -> Item:
    """For an archive that is empty still."""
    return Item(
        path=archive / "2024" / "05" / "IMG_0001.JPG",
        filename="IMG_0001.JPG",
        kind="photo",
        role="original",
        size=1_000_000,
        sha256="0" * 64,
        sha1="0" * 40,
        asset_id=1,
        library="PrimarySync",
        captured=1_716_000_000_000,
        albums=("Holiday",),
        title="Title",
        description="Description",
        keywords=("keyword",),
    )
