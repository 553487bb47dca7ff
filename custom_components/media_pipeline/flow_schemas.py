"""The forms of the flows."""

from collections.abc import Iterable, Sequence
from typing import Any

import voluptuous as vol
from homeassistant.const import (
    CONF_PASSWORD,
)
from homeassistant.helpers.selector import (
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)

from .const import (
    CONF_APPLE_ID,
    CONF_ARCHIVE,
    CONF_ARCHIVE_OFF_MACHINE,
    CONF_CAPTIONS,
    CONF_CARE,
    CONF_CHINA,
    CONF_COMPRESS_PHOTOS,
    CONF_COMPRESS_VIDEOS,
    CONF_DOLBY_VISION,
    CONF_DOWNLOAD_LIMIT,
    CONF_DOWNLOADS,
    CONF_FOLDER,
    CONF_GENTLE,
    CONF_LIBRARIES,
    CONF_MAX_ASSETS_PER_PLAN,
    CONF_MIN_AGE_DAYS,
    CONF_MIN_SAVING,
    CONF_PHOTO_FORMAT,
    CONF_PHOTO_MEGAPIXELS,
    CONF_PHOTO_QUALITY,
    CONF_PREVIEW_CACHE,
    CONF_PROTECT_FAVORITES,
    CONF_PROTECT_HIDDEN,
    CONF_REQUIRE_OFF_MACHINE,
    CONF_REQUIRED_COPIES,
    CONF_REVERIFY_DAYS,
    CONF_RUN_MINUTES,
    CONF_SCRUB_MINUTES,
    CONF_VIDEO_CODEC,
    CONF_VIDEO_MEGAPIXELS,
)
from .engine.media.jobs import PhotoFormat, VideoCodec
from .engine.media.presets import Care
from .engine.model import LibraryInfo
from .engine_config import OPTION_DEFAULTS
from .form_fields import PASSWORD, SWITCH, TEXT, number, one_of

CONF_CODE = "code"
CONF_NEW_CODE = "new_code"

ICLOUD = vol.Schema(
    {
        vol.Required(CONF_APPLE_ID): TextSelector(
            TextSelectorConfig(type=TextSelectorType.EMAIL, autocomplete="username")
        ),
        vol.Required(CONF_PASSWORD): PASSWORD,
        vol.Required(CONF_CHINA, default=False): SWITCH,
    }
)
REAUTH = vol.Schema({vol.Optional(CONF_PASSWORD): PASSWORD})
ACCOUNT = vol.Schema(
    {vol.Optional(CONF_PASSWORD): PASSWORD, vol.Required(CONF_CHINA, default=False): SWITCH}
)
CODE = vol.Schema(
    {
        vol.Optional(CONF_CODE): TextSelector(TextSelectorConfig(autocomplete="one-time-code")),
        vol.Optional(CONF_NEW_CODE): SelectSelector(
            SelectSelectorConfig(
                options=["device", "sms"],
                translation_key=CONF_NEW_CODE,
                mode=SelectSelectorMode.LIST,
            )
        ),
    }
)
FOLDER = vol.Schema({vol.Required(CONF_FOLDER): TEXT})
ARCHIVE = vol.Schema(
    {
        vol.Required(CONF_ARCHIVE): TEXT,
        vol.Required(CONF_ARCHIVE_OFF_MACHINE, default=False): SWITCH,
    }
)
MOVE_ARCHIVE = vol.Schema({vol.Required(CONF_ARCHIVE): TEXT})

OPTION_SELECTORS: dict[str, Any] = {
    CONF_REQUIRED_COPIES: number(1, 10),
    CONF_REQUIRE_OFF_MACHINE: SWITCH,
    CONF_MIN_AGE_DAYS: number(0, 36500, "d"),
    CONF_PROTECT_FAVORITES: SWITCH,
    CONF_PROTECT_HIDDEN: SWITCH,
    CONF_MAX_ASSETS_PER_PLAN: number(1, 10000),
    CONF_COMPRESS_PHOTOS: SWITCH,
    CONF_COMPRESS_VIDEOS: SWITCH,
    CONF_MIN_SAVING: number(0, 90, "%"),
    CONF_CARE: one_of(Care, CONF_CARE),
    CONF_PHOTO_FORMAT: one_of(PhotoFormat, CONF_PHOTO_FORMAT),
    CONF_PHOTO_QUALITY: number(0, 95),
    CONF_PHOTO_MEGAPIXELS: number(0, 200, "MP"),
    CONF_VIDEO_CODEC: one_of(VideoCodec, CONF_VIDEO_CODEC),
    CONF_VIDEO_MEGAPIXELS: number(0, 50, "MP"),
    CONF_DOLBY_VISION: SWITCH,
    CONF_CAPTIONS: SWITCH,
    CONF_GENTLE: SWITCH,
    CONF_DOWNLOADS: number(1, 32),
    CONF_DOWNLOAD_LIMIT: number(0, 10000, "Mbit/s"),
    CONF_RUN_MINUTES: number(0, 10080, "min"),
    CONF_REVERIFY_DAYS: number(1, 3650, "d"),
    CONF_SCRUB_MINUTES: number(0, 10080, "min"),
    CONF_PREVIEW_CACHE: number(50, 1000000, "MB"),
    CONF_ARCHIVE_OFF_MACHINE: SWITCH,
}
_FREEING = (
    CONF_MIN_AGE_DAYS,
    CONF_PROTECT_FAVORITES,
    CONF_PROTECT_HIDDEN,
    CONF_MAX_ASSETS_PER_PLAN,
)
_SAFETY = (
    CONF_REQUIRED_COPIES,
    CONF_REQUIRE_OFF_MACHINE,
    CONF_MIN_AGE_DAYS,
    CONF_PROTECT_FAVORITES,
    CONF_PROTECT_HIDDEN,
    CONF_COMPRESS_PHOTOS,
    CONF_COMPRESS_VIDEOS,
)


def safety(*, can_free: bool) -> vol.Schema:
    """The rules that matter most; those on freeing only where the source can be freed."""
    return _options(_SAFETY, can_free=can_free)


def options(*, can_free: bool) -> vol.Schema:
    """All rules and limits."""
    return _options(OPTION_SELECTORS, can_free=can_free)


def _options(keys: Iterable[str], *, can_free: bool) -> vol.Schema:
    return vol.Schema(
        {
            vol.Required(key, default=OPTION_DEFAULTS[key]): OPTION_SELECTORS[key]
            for key in keys
            if can_free or key not in _FREEING
        }
    )


def whole_numbers(user_input: dict[str, Any]) -> dict[str, Any]:
    """Number selectors answer with floats; all our numbers are whole."""
    return {
        key: int(value) if isinstance(value, float) else value for key, value in user_input.items()
    }


def libraries(found: Sequence[LibraryInfo], chosen: Sequence[str] | None) -> vol.Schema:
    """The account's libraries; shared ones are for their owner to choose."""
    default = [lib.key for lib in found if not lib.shared] if chosen is None else list(chosen)
    keys = [lib.key for lib in found]
    return vol.Schema(
        {
            vol.Required(
                CONF_LIBRARIES, default=[key for key in default if key in keys]
            ): SelectSelector(
                SelectSelectorConfig(
                    options=[
                        SelectOptionDict(value=lib.key, label=_library_label(lib)) for lib in found
                    ],
                    multiple=True,
                    mode=SelectSelectorMode.LIST,
                )
            )
        }
    )


def _library_label(library: LibraryInfo) -> str:
    """Zone names are for machines; only what tells several shared libraries apart is kept."""
    if not library.shared:
        return "Personal Library" if library.key == "PrimarySync" else library.key
    return f"Shared Library ({library.key.removeprefix('SharedSync-')[:8]})"
