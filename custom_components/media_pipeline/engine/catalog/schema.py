"""The tables. Times are milliseconds since 1970 (UTC), sizes bytes, flags 0 or 1.

A change here needs a new revision under ``migrations/versions``; a test compares the two.
"""

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData()

assets = Table(
    "assets",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", String, nullable=False, unique=True),
    Column("master_key", String, index=True),
    Column("library", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("filename", String, nullable=False),
    Column("captured", Integer),
    Column("added", Integer),
    Column("modified", Integer),
    Column("asset_tag", String),
    Column("master_tag", String),
    Column("favorite", Boolean, nullable=False, server_default=text("0")),
    Column("hidden", Boolean, nullable=False, server_default=text("0")),
    Column("state", String, nullable=False, server_default="present"),
    Column("incomplete", String),
    Column("folder", String, nullable=False),
    Column("stem", String, nullable=False),
    Column("stem_key", String, nullable=False),
    Column("raw", Text, nullable=False, server_default="{}"),
    Column("record_saved", Boolean, nullable=False, server_default=text("0")),
    Column("seen_walk", String),
    Column("purge_at", Integer),
    Column("left_at", Integer),  # when we first noticed that it is no longer present
    Column("created", Integer, nullable=False),
    # what people know a photo by, as the source says it; None where it says nothing
    Column("title", Text),
    Column("description", Text),
    Column("keywords", Text),  # a JSON list of texts
    Column("latitude", Float),
    Column("longitude", Float),
    Column("altitude", Float),
    Column("tz_offset", Integer),  # seconds east of UTC when it was captured
    Column("tz_name", String),
    Column("subtype", String),
    Column("burst_id", String),
    Column("live", Boolean, nullable=False, server_default=text("0")),
    Column("adjustment", String),
    UniqueConstraint("folder", "stem_key", name="assets_place"),
    Index("assets_burst", "burst_id", sqlite_where=text("burst_id is not null")),
    Index("assets_state", "state"),
    Index("assets_record", "record_saved", "id"),
)

resources = Table(
    "resources",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("asset_id", ForeignKey("assets.id"), nullable=False),
    Column("role", String, nullable=False),
    Column("current", Boolean, nullable=False, server_default=text("1")),
    Column("filename", String, nullable=False),
    Column("size", Integer, nullable=False),
    Column("checksum", String),
    Column("checksum_known", Boolean, nullable=False, server_default=text("0")),
    Column("version", String, nullable=False),
    Column("url", Text),
    Column("url_expires", Integer),
    Column("state", String, nullable=False, server_default="pending"),
    Column("path", String),
    Column("sha256", String),
    Column("container", String),
    Column("archived_at", Integer),
    Column("proven_at", Integer),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("next_attempt", Integer, nullable=False, server_default=text("0")),
    Column("error", String),
    Column("compress", String),
    Column("compress_reason", String),
    Column("derived_from", ForeignKey("resources.id")),
    Column("mtime", Integer),
    Column("sha1", String),  # of what was handed over: others ask by it
    Column("quality", Float),  # SSIM of the smaller version made of it, also of a rejected one
    Column("format", String),  # of a smaller photo that is not in the entry's format
    Index("resources_asset", "asset_id"),
    Index(
        "resources_current",
        "asset_id",
        "role",
        unique=True,
        sqlite_where=text("current = 1 AND role <> 'compressed'"),
    ),
    # the queue's questions are answered from these alone: a row, with its long address, is big
    Index(
        "resources_state",
        "state",
        "current",
        "role",
        "compress",
        "next_attempt",
        "asset_id",
        "size",
    ),
    Index("resources_compress", "compress", "state", "current", "next_attempt", "asset_id", "size"),
    Index("resources_proven", "state", "proven_at"),
    Index("resources_derived", "derived_from"),
    # the same bytes under another asset (moved between libraries, a duplicate, an adopted file)
    Index("resources_checksum", "checksum", "size"),
    Index("resources_path", "path"),
)

# what a file says of itself, read once; apart, so that the tables the queue asks stay small
media_info = Table(
    "media_info",
    metadata,
    Column("resource_id", ForeignKey("resources.id"), primary_key=True),
    Column("sha256", String),  # of the bytes that were looked at
    Column("probed_at", Integer, nullable=False),
    Column("error", String),
    Column("kind", String),  # ``photo`` or ``video``
    Column("container", String),
    Column("codec", String),
    Column("width", Integer),  # as shown, after turning
    Column("height", Integer),
    Column("orientation", Integer),
    Column("duration", Float),  # seconds
    Column("frame_rate", Float),
    Column("bits", Integer),
    Column("hdr", String),
    Column("subtype", String),
    Column("captured", Integer),
    Column("captured_zone", Integer),  # seconds east of UTC; None when the file names no zone
    Column("captured_from", String),
    Column("latitude", Float),
    Column("longitude", Float),
    Column("altitude", Float),
    Column("make", String),
    Column("model", String),
    Column("lens", String),
    Column("content_id", String),
    Index("media_info_content", "content_id", sqlite_where=text("content_id is not null")),
)

# motion photos and share copies: one of each for an asset, made when a target wants them
derivatives = Table(
    "derivatives",
    metadata,
    Column("asset_id", ForeignKey("assets.id"), primary_key=True),
    Column("role", String, primary_key=True),
    Column("state", String, nullable=False),  # as resources.compress
    Column("reason", String),
    Column("inputs", String),  # the SHA-256 of all it was made of
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("next_attempt", Integer, nullable=False, server_default=text("0")),
)

# smaller photos in another format than the entry's, made when a target wants it
photo_formats = Table(
    "photo_formats",
    metadata,
    Column("resource_id", ForeignKey("resources.id"), primary_key=True),
    Column("format", String, primary_key=True),
    Column("state", String, nullable=False),  # as resources.compress
    Column("reason", String),
    Column("made_of", String),  # the SHA-256 of the photo
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("next_attempt", Integer, nullable=False, server_default=text("0")),
)

albums = Table(
    "albums",
    metadata,
    Column("key", String, primary_key=True),
    Column("library", String, nullable=False, index=True),
    Column("name", String, nullable=False),
    Column("parent_key", String),
    Column("kind", String, nullable=False),  # ``album`` or ``folder``
)

# by the assets' keys, because a membership may be listed before its asset
album_assets = Table(
    "album_assets",
    metadata,
    Column("album_key", String, primary_key=True),
    Column("asset_key", String, primary_key=True),
    Index("album_assets_asset", "asset_key"),
)

# what adopt has read of a tree, so that a second look reads only what changed
found_files = Table(
    "found_files",
    metadata,
    Column("path", String, primary_key=True),
    Column("size", Integer, nullable=False),
    Column("mtime_ns", Integer, nullable=False),
    Column("checksum", String, nullable=False),  # Apple's, as on the records
    Column("sha256", String, nullable=False),
)

targets = Table(
    "targets",
    metadata,
    Column("id", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("content", String, nullable=False),
    Column("photo_format", String),  # of smaller photos; None goes by the entry's
    Column("removed", Boolean, nullable=False, server_default=text("0")),
    Column("marker_id", String),
    Column("device_id", String),
    Column("domain", String),
    Column("off_machine", Boolean, nullable=False, server_default=text("0")),
    # false for a hand-off: whatever it holds, it holds up no plan's number of copies
    Column("counts", Boolean, nullable=False, server_default=text("1")),
    Column("state", String, nullable=False, server_default="unknown"),
    Column("free_bytes", Integer),
    Column("checked_at", Integer),
    Column("host_keys", String),  # of an SSH server (see targets/known_keys.py)
)

copies = Table(
    "copies",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("resource_id", ForeignKey("resources.id"), nullable=False),
    Column("target_id", ForeignKey("targets.id"), nullable=False),
    Column("state", String, nullable=False),
    Column("path", String),
    Column("size", Integer),  # of what lies there
    Column("sha256", String),  # of the file that was sent
    Column("stored_sha256", String),  # of what lies there, when that is encrypted
    Column("method", String),
    Column("sent_at", Integer),
    Column("proven_at", Integer),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("next_attempt", Integer, nullable=False, server_default=text("0")),
    Column("error", String),
    # what was handed over to a phone, as it lies there
    Column("mtime", Integer),  # seconds, by the phone's clock
    Column("scanned_at", Integer),  # when the phone was told to look at it
    Column("seen_at", Integer),  # when it lay there last
    Column("seen_days", Integer, nullable=False, server_default=text("0")),
    Column("left_at", Integer),  # when it was no longer there
    Column("left_how", String),  # ``vanished``, or ``pruned`` by us
    UniqueConstraint("resource_id", "target_id", name="copies_once"),
    Index("copies_delivered", "target_id", "sha256", sqlite_where=text("state = 'delivered'")),
    Index("copies_target_state", "target_id", "state", "proven_at"),
    Index("copies_place", "target_id", "path"),
)

# the lists of checksums beside the files; ``version`` is counted up by triggers (see manifests.py)
manifests = Table(
    "manifests",
    metadata,
    Column("place", String, primary_key=True),  # a target's id, or ``archive``
    Column("folder", String, primary_key=True),
    Column("path", String),  # where it was written last
    Column("sha256", String),  # of what was written last
    Column("version", Integer, nullable=False, server_default=text("1")),
    Column("written", Integer, nullable=False, server_default=text("0")),
    Index("manifests_changed", "place", "folder", sqlite_where=text("version <> written")),
)

drills = Table(
    "drills",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("target_id", ForeignKey("targets.id"), nullable=False),
    Column("at", Integer, nullable=False),
    Column("files", Integer, nullable=False),
    Column("passed", Integer, nullable=False),
    Column("bytes", Integer, nullable=False),
    Column("error", String),  # of the first that failed, or of the target
    Column("actor", String),
    Index("drills_target", "target_id", "at"),
)

runs = Table(
    "runs",
    metadata,
    Column("id", String, primary_key=True),
    Column("stages", String, nullable=False),
    Column("actor", String),
    Column("started", Integer, nullable=False),
    Column("ended", Integer),
    Column("outcome", String),
    Column("error", String),
    Column("counts", Text, nullable=False, server_default="{}"),
)

plans = Table(
    "plans",
    metadata,
    Column("id", String, primary_key=True),
    Column("digest", String, nullable=False),
    Column("state", String, nullable=False),
    Column("created", Integer, nullable=False),
    Column("created_by", String),
    Column("approved", Integer),
    Column("approved_by", String),
    Column("ended", Integer),
    Column("stop_reason", String),
)

plan_items = Table(
    "plan_items",
    metadata,
    Column("plan_id", ForeignKey("plans.id"), primary_key=True),
    Column("asset_id", ForeignKey("assets.id"), primary_key=True),
    Column("asset_tag", String),
    Column("master_tag", String),
    Column("bytes", Integer, nullable=False),
    Column("state", String, nullable=False),
    Column("reason", String),
    Column("purge_at", Integer),
)

journal = Table(
    "journal",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Integer, nullable=False),
    Column("actor", String),
    Column("action", String, nullable=False),
    Column("subject", String),
    Column("detail", Text),
)

rejects = Table(
    "rejects",
    metadata,
    Column("name", String, primary_key=True),
    Column("reason", String, nullable=False),
    Column("at", Integer, nullable=False),
)

values = Table(
    "settings",
    metadata,
    Column("key", String, primary_key=True),
    Column("value", Text, nullable=False),
)
