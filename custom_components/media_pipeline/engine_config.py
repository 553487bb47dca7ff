"""What the engine is told, built from a config entry and its target subentries."""

from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.const import CONF_PASSWORD
from homeassistant.core import HomeAssistant

from .const import (
    CONF_APPLE_ID,
    CONF_ARCHIVE,
    CONF_ARCHIVE_DEVICE,
    CONF_ARCHIVE_ID,
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
    CONF_SOURCE,
    CONF_VIDEO_CODEC,
    CONF_VIDEO_MEGAPIXELS,
    DOMAIN,
    SOURCE_ICLOUD,
    SUBENTRY_TARGET,
)
from .engine.archive import PARTS
from .engine.config import (
    CompressConfig,
    EngineConfig,
    FolderSourceConfig,
    ICloudSourceConfig,
    SafetyConfig,
    SourceConfig,
    TargetConfig,
)
from .engine.media.jobs import PhotoFormat, VideoCodec
from .engine.media.presets import Care
from .target_kinds.registry import build_target_config

SESSION_DIR = "session"

_SAFETY = SafetyConfig()
_COMPRESS = CompressConfig()

OPTION_DEFAULTS: Mapping[str, Any] = {
    CONF_REQUIRED_COPIES: _SAFETY.required_copies,
    CONF_REQUIRE_OFF_MACHINE: _SAFETY.require_off_machine,
    CONF_MIN_AGE_DAYS: _SAFETY.min_age_days,
    CONF_PROTECT_FAVORITES: _SAFETY.protect_favorites,
    CONF_PROTECT_HIDDEN: _SAFETY.protect_hidden,
    CONF_MAX_ASSETS_PER_PLAN: _SAFETY.max_assets_per_plan,
    CONF_COMPRESS_PHOTOS: _COMPRESS.photos,
    CONF_COMPRESS_VIDEOS: _COMPRESS.videos,
    CONF_MIN_SAVING: round(_COMPRESS.min_saving * 100),
    CONF_CARE: _COMPRESS.care.value,
    CONF_PHOTO_FORMAT: _COMPRESS.photo_format.value,
    CONF_PHOTO_QUALITY: _COMPRESS.photo_quality,
    CONF_PHOTO_MEGAPIXELS: _COMPRESS.photo_megapixels,
    CONF_VIDEO_CODEC: _COMPRESS.video_codec.value,
    CONF_VIDEO_MEGAPIXELS: _COMPRESS.video_megapixels,
    CONF_DOLBY_VISION: _COMPRESS.dolby_vision,
    CONF_CAPTIONS: _COMPRESS.captions,
    CONF_GENTLE: _COMPRESS.gentle,
    CONF_DOWNLOADS: 16,
    CONF_DOWNLOAD_LIMIT: 0,
    CONF_RUN_MINUTES: 0,
    CONF_REVERIFY_DAYS: 90,
    CONF_SCRUB_MINUTES: 120,
    CONF_PREVIEW_CACHE: 1000,
    CONF_ARCHIVE_OFF_MACHINE: False,
}
"""As stored: the saving in percent, the limit in Mbit/s, the time in minutes; 0 is none."""
_MEGABIT: Final = 125_000
"""Bytes."""


def private_dir(hass: HomeAssistant, unique_id: str) -> Path:
    """Where an entry's session and catalog live; the name tells nobody the account."""
    name = sha256(unique_id.encode()).hexdigest()[:16]
    return Path(hass.config.path(".storage", DOMAIN, name))


def make_private_dir(folder: Path) -> None:
    """Make the private directory, closed to other users. Blocking."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)


def build_engine_config(hass: HomeAssistant, entry: ConfigEntry[Any]) -> EngineConfig:
    """Everything the engine needs to know about an entry."""
    options = {**OPTION_DEFAULTS, **entry.options}
    return EngineConfig(
        private_dir=private_dir(hass, entry.unique_id or entry.entry_id),
        archive=Path(entry.data[CONF_ARCHIVE]),
        archive_id=entry.data.get(CONF_ARCHIVE_ID),
        archive_device=entry.data.get(CONF_ARCHIVE_DEVICE),
        source=_source(entry.data),
        targets=tuple(
            _staged(
                build_target_config(subentry.data, subentry.subentry_id, subentry.title),
                Path(entry.data[CONF_ARCHIVE]),
            )
            for subentry in target_subentries(entry)
        ),
        safety=SafetyConfig(
            required_copies=int(options[CONF_REQUIRED_COPIES]),
            require_off_machine=options[CONF_REQUIRE_OFF_MACHINE],
            min_age_days=int(options[CONF_MIN_AGE_DAYS]),
            protect_favorites=options[CONF_PROTECT_FAVORITES],
            protect_hidden=options[CONF_PROTECT_HIDDEN],
            max_assets_per_plan=int(options[CONF_MAX_ASSETS_PER_PLAN]),
        ),
        compress=CompressConfig(
            photos=options[CONF_COMPRESS_PHOTOS],
            videos=options[CONF_COMPRESS_VIDEOS],
            min_saving=options[CONF_MIN_SAVING] / 100,
            photo_format=PhotoFormat(options[CONF_PHOTO_FORMAT]),
            photo_quality=int(options[CONF_PHOTO_QUALITY]),
            photo_megapixels=int(options[CONF_PHOTO_MEGAPIXELS]),
            care=Care(options[CONF_CARE]),
            video_codec=VideoCodec(options[CONF_VIDEO_CODEC]),
            video_megapixels=int(options[CONF_VIDEO_MEGAPIXELS]),
            dolby_vision=options[CONF_DOLBY_VISION],
            captions=options[CONF_CAPTIONS],
            gentle=options[CONF_GENTLE],
        ),
        downloads=int(options[CONF_DOWNLOADS]),
        download_limit=round(options[CONF_DOWNLOAD_LIMIT] * _MEGABIT) or None,
        run_seconds=options[CONF_RUN_MINUTES] * 60 or None,
        preview_bytes=int(options[CONF_PREVIEW_CACHE]) * 1_000_000,
        reverify_days=int(options[CONF_REVERIFY_DAYS]),
        scrub_seconds=options[CONF_SCRUB_MINUTES] * 60 or None,
        archive_off_machine=options[CONF_ARCHIVE_OFF_MACHINE],
    )


def _staged(target: TargetConfig, archive: Path) -> TargetConfig:
    """Encrypted files on their way lie on the archive's disk, never on the system's."""
    if target.encryption is None:
        return target
    return replace(target, encryption=replace(target.encryption, staging=archive / PARTS))


def target_subentries(entry: ConfigEntry[Any]) -> list[ConfigSubentry]:
    """The entry's targets, in the order they were added."""
    return [s for s in entry.subentries.values() if s.subentry_type == SUBENTRY_TARGET]


def _source(data: Mapping[str, Any]) -> SourceConfig:
    if data[CONF_SOURCE] == SOURCE_ICLOUD:
        return ICloudSourceConfig(
            apple_id=data[CONF_APPLE_ID],
            password=data[CONF_PASSWORD],
            china=data[CONF_CHINA],
            libraries=tuple(data[CONF_LIBRARIES]),
        )
    return FolderSourceConfig(path=Path(data[CONF_FOLDER]))
