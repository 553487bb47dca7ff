"""The steps after a kind's own: the rules of a target, and the key that locks its files."""

from typing import Any, override

from homeassistant.config_entries import SubentryFlowResult

from .const import (
    CONF_ENCRYPT,
    CONF_ENCRYPTION_KEY,
    CONF_HIDE_NAMES,
    CONF_KEY_SAVED,
    CONF_LIBRARIES,
    CONF_RULES,
)
from .engine.age.keys import AgeKey
from .engine.errors import InvalidEncryptionKey, InvalidLayout
from .engine.layout import DEFAULT_LAYOUT, check_layout, example
from .target_kinds.registry import build_target_config, kind_of
from .target_rules import ENCRYPTION, KEY_SAVED, cleaned, rules_form, rules_of
from .target_steps import TargetSteps


class TargetRulesSteps(TargetSteps):
    """The same for every kind of target."""

    async def async_step_rules(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """What is received, where it lies, when it is sent, how it is proven and locked."""
        if user_input is None:
            return self._show_rules({})
        rules = cleaned(user_input)
        self._data[CONF_RULES] = rules
        try:
            check_layout(rules_of(rules).layout)
        except InvalidLayout as err:
            return self._show_rules({"base": err.key}, err.placeholders["reason"])
        if not rules:
            del self._data[CONF_RULES]
        return await self._async_lock(user_input.get(ENCRYPTION, {}))

    async def _async_lock(self, wanted: dict[str, Any]) -> SubentryFlowResult:
        """Take over what was said of encryption. A target that has it keeps it."""
        before = self._data.get(CONF_ENCRYPTION_KEY)
        if not wanted.get(CONF_ENCRYPT):
            if before is not None and wanted:
                return self._show_rules({"base": "encryption_stays"})
            return self._store(kind_of(self._data))
        self._data[CONF_HIDE_NAMES] = bool(wanted.get(CONF_HIDE_NAMES))
        if text := wanted.get(CONF_ENCRYPTION_KEY):
            try:
                self._data[CONF_ENCRYPTION_KEY] = AgeKey.parse(text).text
            except InvalidEncryptionKey as err:
                return self._show_rules({"base": err.key})
        elif before is None:
            self._data[CONF_ENCRYPTION_KEY] = AgeKey.generate().text
            return await self.async_step_key()
        return await self._async_try_key(before)

    async def async_step_key(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Show a fresh key, this once, and have it confirmed that it is kept elsewhere too."""
        errors: dict[str, str] = {}
        if user_input is not None:
            if user_input[CONF_KEY_SAVED]:
                return await self._async_try_key(None)
            errors[CONF_KEY_SAVED] = "key_not_saved"
        return self.async_show_form(
            step_id="key",
            data_schema=KEY_SAVED,
            errors=errors,
            description_placeholders={"key": self._data[CONF_ENCRYPTION_KEY]},
        )

    async def _async_try_key(self, before: str | None) -> SubentryFlowResult:
        """The target must take the key: what lies there may be locked with another."""
        if errors := await self._async_probe():
            self._data.pop(CONF_ENCRYPTION_KEY)
            if before is not None:
                self._data[CONF_ENCRYPTION_KEY] = before
            return self._show_rules(errors)
        return self._store(kind_of(self._data))

    @override
    def _show_rules(self, errors: dict[str, str], reason: str = "") -> SubentryFlowResult:
        rules = self._data.get(CONF_RULES, {})
        layout = DEFAULT_LAYOUT if errors else rules_of(rules).layout
        is_locked = CONF_ENCRYPTION_KEY in self._data
        is_hidden = self._data.get(CONF_HIDE_NAMES, False)
        target = build_target_config(self._data, "new", self._title)
        form = rules_form(
            self._get_entry().data.get(CONF_LIBRARIES, []), encryption=not target.hand_off
        )
        shown = {**rules, ENCRYPTION: {CONF_ENCRYPT: is_locked, CONF_HIDE_NAMES: is_hidden}}
        return self.async_show_form(
            step_id="rules",
            data_schema=self.add_suggested_values_to_schema(form, shown),
            errors=errors,
            description_placeholders={"example": example(layout), "reason": reason},
        )
