"""What the steps of all kinds of targets share: taking a form over, trying it out, storing it."""

from typing import Any

from homeassistant.config_entries import (
    SOURCE_USER,
    ConfigEntryState,
    ConfigSubentryFlow,
    SubentryFlowResult,
)
from homeassistant.const import CONF_NAME
from homeassistant.data_entry_flow import AbortFlow

from . import flow_schemas
from .const import (
    CONF_ARCHIVE_ID,
    CONF_ENCRYPTION_KEY,
    CONF_HIDE_NAMES,
    CONF_HOST_KEY,
    CONF_KIND,
    CONF_RULES,
    CONF_SET_RULES,
)
from .engine.errors import PipelineError
from .engine.targets.base import TargetIdentity
from .engine.targets.registry import probe_target
from .flow_errors import TARGET_ERRORS, flow_error
from .target_kinds.base import TargetKind
from .target_kinds.registry import KINDS, build_target_config, kind_of


class TargetSteps(ConfigSubentryFlow):
    """Nothing is stored before the target answered."""

    def __init__(self) -> None:
        """Start with nothing known."""
        self._title = ""
        self._data: dict[str, Any] = {}
        self._form: dict[str, Any] = {}
        self._errors: dict[str, str] = {}
        self._ask_rules = False

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Choose the kind of target."""
        return self.async_show_menu(step_id="user", menu_options=list(KINDS))

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Change a target, starting from what is stored."""
        subentry = self._get_reconfigure_subentry()
        self._title = subentry.title
        self._data = dict(subentry.data)
        kind = kind_of(self._data)
        self._form = {
            CONF_NAME: subentry.title,
            **{key: value for key, value in subentry.data.items() if key not in kind.secrets},
        }
        step = getattr(self, f"async_step_{kind.key}")
        result: SubentryFlowResult = await step()
        return result

    async def _async_simple(
        self, kind: TargetKind, user_input: dict[str, Any] | None
    ) -> SubentryFlowResult:
        """The one step of a kind that needs no other: a form, and the target must answer."""
        errors: dict[str, str] = {}
        if user_input is not None:
            self._take(kind, user_input)
            self._refuse_duplicate(kind)
            if not (errors := await self._async_probe()):
                return self._finish(kind)
        return self._show(kind, errors)

    def _show(self, kind: TargetKind, errors: dict[str, str]) -> SubentryFlowResult:
        return self.async_show_form(
            step_id=kind.key,
            data_schema=self.add_suggested_values_to_schema(kind.schema, self._form),
            errors=errors,
        )

    @property
    def _changing(self) -> str | None:
        """Id of the target that is changed; None for a new one."""
        if self.source == SOURCE_USER:
            return None
        return self._get_reconfigure_subentry().subentry_id

    def _take(self, kind: TargetKind, user_input: dict[str, Any]) -> None:
        """Take the form over; an empty secret keeps the stored one, numbers are whole."""
        self._form = {key: val for key, val in user_input.items() if key not in kind.secrets}
        values = {
            key: val.strip() if isinstance(val, str) and key not in kind.secrets else val
            for key, val in flow_schemas.whole_numbers(user_input).items()
            if val != ""
        }
        self._title = values.pop(CONF_NAME, "") or kind.model
        self._ask_rules = bool(values.pop(CONF_SET_RULES, False))
        keys = (*kind.secrets, CONF_HOST_KEY, CONF_RULES, CONF_ENCRYPTION_KEY, CONF_HIDE_NAMES)
        kept = {key: self._data[key] for key in keys if key in self._data}
        self._data = {CONF_KIND: kind.key, **kept, **values}

    def _refuse_duplicate(self, kind: TargetKind) -> None:
        unique_id = kind.unique_id(self._data)
        for subentry in self._get_entry().subentries.values():
            if subentry.unique_id == unique_id and subentry.subentry_id != self._changing:
                raise AbortFlow("already_configured")

    async def _async_probe(self) -> dict[str, str]:
        """Try the place out; one that a target of ours keeps must still carry that target's marker.

        Otherwise saving the form while a mount is away would make a target of the empty folder.
        """
        target = build_target_config(self._data, self._changing or "new", self._title)
        entry = self._get_entry()
        try:
            if self._same_place and entry.state is ConfigEntryState.LOADED:
                await entry.runtime_data.engine.try_target(target)
            else:
                await probe_target(target, TargetIdentity(owner=entry.data.get(CONF_ARCHIVE_ID)))
        except PipelineError as err:
            return {"base": flow_error(err, TARGET_ERRORS)}
        return {}

    @property
    def _same_place(self) -> bool:
        """True when a target is changed whose copies stay where they are."""
        if not self._changing:
            return False
        before = self._get_reconfigure_subentry().data
        fields = (CONF_KIND, *kind_of(self._data).place)
        return all(before.get(key) == self._data.get(key) for key in fields)

    def _finish(self, kind: TargetKind) -> SubentryFlowResult:
        """The last step of every kind: ask for the rules, if that was wanted, and store."""
        return self._show_rules({}) if self._ask_rules else self._store(kind)

    def _show_rules(self, errors: dict[str, str], reason: str = "") -> SubentryFlowResult:
        """The form of the rules, see ``target_rules_steps``."""
        raise NotImplementedError

    def _store(self, kind: TargetKind) -> SubentryFlowResult:
        """Store; the entry's own listener reloads it."""
        unique_id = kind.unique_id(self._data)
        if self.source == SOURCE_USER:
            return self.async_create_entry(title=self._title, data=self._data, unique_id=unique_id)
        return self.async_update_and_abort(
            self._get_entry(),
            self._get_reconfigure_subentry(),
            title=self._title,
            data=self._data,
            unique_id=unique_id,
        )
