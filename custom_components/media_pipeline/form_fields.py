"""The fields that forms are made of."""

from enum import StrEnum

from homeassistant.helpers.selector import (
    BooleanSelector,
    FileSelector,
    FileSelectorConfig,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)

TEXT = TextSelector()
PASSWORD = TextSelector(
    TextSelectorConfig(type=TextSelectorType.PASSWORD, autocomplete="current-password")
)
SECRET = TextSelector(TextSelectorConfig(type=TextSelectorType.PASSWORD, autocomplete="off"))
LOGIN = TextSelector(TextSelectorConfig(autocomplete="off"))
KEY = TextSelector(TextSelectorConfig(multiline=True, autocomplete="off"))
KEY_FILE = FileSelector(FileSelectorConfig(accept="*/*"))
SWITCH = BooleanSelector()


def number(low: int, high: int, unit: str | None = None) -> NumberSelector:
    """A whole number typed into a box."""
    config = NumberSelectorConfig(min=low, max=high, step=1, mode=NumberSelectorMode.BOX)
    if unit is not None:
        config["unit_of_measurement"] = unit
    return NumberSelector(config)


def one_of(choices: type[StrEnum], key: str) -> SelectSelector:
    """One of a few, in a list that opens."""
    return SelectSelector(
        SelectSelectorConfig(
            options=[choice.value for choice in choices],
            translation_key=key,
            mode=SelectSelectorMode.DROPDOWN,
        )
    )
