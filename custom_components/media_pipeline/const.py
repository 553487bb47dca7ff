"""Names shared by the rooms of the integration."""

from datetime import timedelta
from typing import Final

DOMAIN: Final = "media_pipeline"
MANUFACTURER: Final = "Media Pipeline"

REFRESH_INTERVAL: Final = timedelta(minutes=5)
"""How often the numbers are computed anew while nothing happens (free space changes by itself)."""

STATE_WRITE_INTERVAL: Final = 2.0
"""Seconds between two writes of progress; each one is a row in the recorder."""

# --- entry.data -----------------------------------------------------------------------------------

CONF_SOURCE: Final = "source"
CONF_APPLE_ID: Final = "apple_id"
CONF_CHINA: Final = "china"
CONF_LIBRARIES: Final = "libraries"
CONF_FOLDER: Final = "folder"
CONF_ARCHIVE: Final = "archive"
CONF_ARCHIVE_ID: Final = "archive_id"
CONF_ARCHIVE_DEVICE: Final = "archive_device"

SOURCE_ICLOUD: Final = "icloud"
SOURCE_FOLDER: Final = "folder"

# --- entry.options --------------------------------------------------------------------------------

CONF_REQUIRED_COPIES: Final = "required_copies"
CONF_REQUIRE_OFF_MACHINE: Final = "require_off_machine"
CONF_MIN_AGE_DAYS: Final = "min_age_days"
CONF_PROTECT_FAVORITES: Final = "protect_favorites"
CONF_PROTECT_HIDDEN: Final = "protect_hidden"
CONF_MAX_ASSETS_PER_PLAN: Final = "max_assets_per_plan"
CONF_COMPRESS_PHOTOS: Final = "compress_photos"
CONF_COMPRESS_VIDEOS: Final = "compress_videos"
CONF_MIN_SAVING: Final = "min_saving"
CONF_CARE: Final = "care"
CONF_PHOTO_FORMAT: Final = "photo_format"
CONF_PHOTO_QUALITY: Final = "photo_quality"
CONF_PHOTO_MEGAPIXELS: Final = "photo_megapixels"
CONF_VIDEO_CODEC: Final = "video_codec"
CONF_VIDEO_MEGAPIXELS: Final = "video_megapixels"
CONF_DOLBY_VISION: Final = "dolby_vision"
CONF_CAPTIONS: Final = "captions"
CONF_GENTLE: Final = "gentle"
CONF_DOWNLOADS: Final = "downloads"
CONF_DOWNLOAD_LIMIT: Final = "download_limit"
CONF_RUN_MINUTES: Final = "run_minutes"
CONF_PREVIEW_CACHE: Final = "preview_cache"
CONF_REVERIFY_DAYS: Final = "reverify_days"
CONF_ARCHIVE_OFF_MACHINE: Final = "archive_off_machine"

# --- target subentries ----------------------------------------------------------------------------

SUBENTRY_TARGET: Final = "target"
TARGET_FOLDER: Final = "folder"
TARGET_SFTP: Final = "sftp"
TARGET_ACTION: Final = "action"

CONF_KIND: Final = "kind"
CONF_CONTENT: Final = "content"
CONF_OFF_MACHINE: Final = "off_machine"
CONF_PRIVATE_KEY: Final = "private_key"
CONF_PASSPHRASE: Final = "passphrase"  # noqa: S105 the name of a field
CONF_HOST_KEY: Final = "host_key"
CONF_PARALLEL: Final = "parallel"
CONF_BANDWIDTH: Final = "bandwidth"
CONF_ACTION: Final = "action"
CONF_DATA: Final = "data"
CONF_PER_MINUTE: Final = "per_minute"
CONF_TIME_LIMIT: Final = "time_limit"
CONF_SEND_ONE: Final = "send_one"
