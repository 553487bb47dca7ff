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
CONF_SCRUB_MINUTES: Final = "scrub_minutes"
CONF_ARCHIVE_OFF_MACHINE: Final = "archive_off_machine"

# --- target subentries ----------------------------------------------------------------------------

SUBENTRY_TARGET: Final = "target"
TARGET_FOLDER: Final = "folder"
TARGET_SFTP: Final = "sftp"
TARGET_RCLONE: Final = "rclone"
TARGET_GOOGLE_PHOTOS: Final = "google_photos"
TARGET_WEBDAV: Final = "webdav"
TARGET_S3: Final = "s3"
TARGET_GCS: Final = "gcs"
TARGET_AZURE: Final = "azure"
TARGET_ACTION: Final = "action"

CONF_KIND: Final = "kind"
CONF_CONTENT: Final = "content"
CONF_OFF_MACHINE: Final = "off_machine"
CONF_PRIVATE_KEY: Final = "private_key"
CONF_PRIVATE_KEY_FILE: Final = "private_key_file"
CONF_PASSPHRASE: Final = "passphrase"  # noqa: S105 the name of a field
CONF_HOST_KEY: Final = "host_key"
CONF_REMOTE: Final = "remote"
CONF_PARALLEL: Final = "parallel"
CONF_BANDWIDTH: Final = "bandwidth"
CONF_ENDPOINT: Final = "endpoint"
CONF_REGION: Final = "region"
CONF_BUCKET: Final = "bucket"
CONF_PREFIX: Final = "prefix"
CONF_ACCESS_KEY_ID: Final = "access_key_id"
CONF_SECRET_ACCESS_KEY: Final = "secret_access_key"  # noqa: S105 the name of a field
CONF_SERVICE_ACCOUNT_KEY: Final = "service_account_key"
CONF_ACCOUNT: Final = "account"
CONF_ACCOUNT_KEY: Final = "account_key"
CONF_STORAGE_CLASS: Final = "storage_class"
CONF_ALLOW_HTTP: Final = "allow_http"
CONF_SAME_MACHINE: Final = "same_machine"
CONF_RULES: Final = "rules"
CONF_SET_RULES: Final = "set_rules"
CONF_ENCRYPT: Final = "encrypt"
CONF_ENCRYPTION_KEY: Final = "encryption_key"
CONF_HIDE_NAMES: Final = "hide_names"
CONF_KEY_SAVED: Final = "key_saved"
CONF_ACTION: Final = "action"
CONF_DATA: Final = "data"
CONF_PER_MINUTE: Final = "per_minute"
CONF_TIME_LIMIT: Final = "time_limit"
CONF_SEND_ONE: Final = "send_one"

TARGET_PIXEL: Final = "pixel"
CONF_MODEL: Final = "model"
CONF_WINDOW: Final = "window"
CONF_PRUNE: Final = "prune"
CONF_KEEP_DAYS: Final = "keep_days"
CONF_CHARGING_ENTITY: Final = "charging_entity"
CONF_WIFI_ENTITY: Final = "wifi_entity"
CONF_WIFI_NAME: Final = "wifi_name"
CONF_TEMPERATURE_ENTITY: Final = "temperature_entity"
CONF_MAX_TEMPERATURE: Final = "max_temperature"
CONF_NOTIFY_ACTION: Final = "notify_action"
