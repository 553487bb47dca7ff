"""A target's rules as they are asked for, stored (``rules`` in its subentry) and told on."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from typing import Any, Final

import voluptuous as vol
from homeassistant.data_entry_flow import section
from homeassistant.helpers.selector import (
    DateSelector,
    EntitySelector,
    EntitySelectorConfig,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
    TextSelectorConfig,
    TimeSelector,
)
from homeassistant.util import dt as dt_util

from .const import CONF_ENCRYPT, CONF_ENCRYPTION_KEY, CONF_HIDE_NAMES, CONF_KEY_SAVED
from .engine.layout import DEFAULT_LAYOUT
from .engine.model import Kind
from .engine.rules import TargetRules, WhenDeleted
from .form_fields import SECRET, SWITCH, TEXT, number, one_of

WHAT: Final = "what"
WHERE: Final = "where"
WHEN: Final = "when"
HOW_LONG: Final = "how_long"
PROOF: Final = "proof"
ENCRYPTION: Final = "encryption"
"""In the form only: the key is stored beside the rules, as other secrets are."""

CONF_KINDS: Final = "kinds"
CONF_ALBUMS: Final = "albums"
CONF_RULE_LIBRARIES: Final = "only_libraries"
CONF_FAVORITES: Final = "favorites"
CONF_NEWEST_DAYS: Final = "newest_days"
CONF_CAPTURED_FROM: Final = "captured_from"
CONF_LAYOUT: Final = "layout"
CONF_FROM: Final = "from"
CONF_UNTIL: Final = "until"
CONF_CONDITIONS: Final = "conditions"
CONF_WHEN_DELETED: Final = "when_deleted"
CONF_KEEP_DAYS: Final = "keep_days"
CONF_DELETE_DAYS: Final = "delete_days"
CONF_PROVE_DAYS: Final = "prove_days"
CONF_READ_BACK: Final = "read_back"

type Rules = Mapping[str, Mapping[str, Any]]
"""Section → field → value, without fields that say nothing."""

_ON_OR_OFF: Final = ["binary_sensor", "input_boolean", "schedule", "switch"]
_HIDDEN: Final = {"collapsed": True}


def rules_form(libraries: Sequence[str], *, encryption: bool = True) -> vol.Schema:
    """The form; ``libraries`` are those of the source."""
    what = {
        vol.Optional(CONF_KINDS): SelectSelector(
            SelectSelectorConfig(
                options=[Kind.PHOTO.value, Kind.VIDEO.value],
                multiple=True,
                translation_key="kind",
                mode=SelectSelectorMode.LIST,
            )
        ),
        vol.Optional(CONF_ALBUMS): TextSelector(TextSelectorConfig(multiple=True)),
        vol.Optional(CONF_RULE_LIBRARIES): SelectSelector(
            SelectSelectorConfig(
                options=[SelectOptionDict(value=key, label=key) for key in libraries],
                multiple=True,
                mode=SelectSelectorMode.LIST,
            )
        ),
        vol.Required(CONF_FAVORITES, default=False): SWITCH,
        vol.Required(CONF_NEWEST_DAYS, default=0): number(0, 36500, "d"),
        vol.Optional(CONF_CAPTURED_FROM): DateSelector(),
    }
    where = {vol.Required(CONF_LAYOUT, default=DEFAULT_LAYOUT): TEXT}
    when = {
        vol.Optional(CONF_FROM): TimeSelector(),
        vol.Optional(CONF_UNTIL): TimeSelector(),
        vol.Optional(CONF_CONDITIONS): EntitySelector(
            EntitySelectorConfig(domain=_ON_OR_OFF, multiple=True)
        ),
    }
    how_long = {
        vol.Required(CONF_WHEN_DELETED, default=WhenDeleted.KEEP.value): one_of(
            WhenDeleted, CONF_WHEN_DELETED
        ),
        vol.Required(CONF_KEEP_DAYS, default=30): number(1, 3650, "d"),
        vol.Required(CONF_DELETE_DAYS, default=0): number(0, 3650, "d"),
    }
    proof = {
        vol.Required(CONF_PROVE_DAYS, default=0): number(0, 3650, "d"),
        vol.Required(CONF_READ_BACK, default=False): SWITCH,
    }
    sections: dict[str, dict[Any, Any]] = {
        WHAT: what,
        WHERE: where,
        WHEN: when,
        HOW_LONG: how_long,
        PROOF: proof,
    }
    if encryption:
        sections[ENCRYPTION] = {
            vol.Required(CONF_ENCRYPT, default=False): SWITCH,
            vol.Optional(CONF_ENCRYPTION_KEY): SECRET,
            vol.Required(CONF_HIDE_NAMES, default=False): SWITCH,
        }
    return vol.Schema(
        {
            vol.Required(name): section(vol.Schema(fields), _HIDDEN)  # type: ignore[arg-type]
            for name, fields in sections.items()
        }
    )


KEY_SAVED: Final = vol.Schema({vol.Required(CONF_KEY_SAVED, default=False): SWITCH})


def cleaned(user_input: Rules) -> dict[str, dict[str, Any]]:
    """What is worth storing of a form: nothing of a target without rules."""
    parts = (WHAT, WHERE, WHEN, HOW_LONG, PROOF)
    plain = rules_form((), encryption=False)({name: {} for name in parts})
    found: dict[str, dict[str, Any]] = {}
    for name, fields in user_input.items():
        if name == ENCRYPTION:
            continue
        for key, value in fields.items():
            kept = int(value) if isinstance(value, float) else value
            if kept not in (None, "", [], plain[name].get(key)):
                found.setdefault(name, {})[key] = kept
    return found


def rules_of(rules: Rules) -> TargetRules:
    """What the engine is told. Times and conditions are not its business, see ``gates``."""
    what, proof = rules.get(WHAT, {}), rules.get(PROOF, {})
    how_long = rules.get(HOW_LONG, {})
    return TargetRules(
        kinds=tuple(Kind(kind) for kind in what.get(CONF_KINDS, ())),
        albums=tuple(what.get(CONF_ALBUMS, ())),
        libraries=tuple(what.get(CONF_RULE_LIBRARIES, ())),
        favorites=what.get(CONF_FAVORITES, False),
        newest_days=what.get(CONF_NEWEST_DAYS, 0),
        captured_from=_midnight(what.get(CONF_CAPTURED_FROM)),
        layout=rules.get(WHERE, {}).get(CONF_LAYOUT, DEFAULT_LAYOUT),
        when_deleted=WhenDeleted(how_long.get(CONF_WHEN_DELETED, WhenDeleted.KEEP)),
        keep_days=how_long.get(CONF_KEEP_DAYS, 30),
        delete_days=how_long.get(CONF_DELETE_DAYS, 0),
        reverify_days=proof.get(CONF_PROVE_DAYS) or None,
        read_back=proof.get(CONF_READ_BACK, False),
    )


def is_gated(rules: Rules) -> bool:
    """Whether there are times or conditions."""
    return bool(rules.get(WHEN))


def is_open(rules: Rules, now: time, on: Sequence[str]) -> bool:
    """Whether a target may be used at this local time, with these entities being on."""
    when = rules.get(WHEN, {})
    if any(entity not in on for entity in when.get(CONF_CONDITIONS, ())):
        return False
    begin = time.fromisoformat(when.get(CONF_FROM, "00:00:00"))
    end = time.fromisoformat(when.get(CONF_UNTIL, "00:00:00"))
    if begin < end:
        return begin <= now < end
    return begin == end or now >= begin or now < end  # over midnight; the same twice is all day


def _midnight(day: str | None) -> int | None:
    """The local day's beginning, in milliseconds since 1970."""
    if day is None:
        return None
    local = datetime.combine(date.fromisoformat(day), time(), dt_util.get_default_time_zone())
    return round(local.timestamp() * 1000)
