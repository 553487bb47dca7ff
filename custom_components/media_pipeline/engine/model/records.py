"""What a source tells."""

from dataclasses import dataclass, field
from typing import Any

from .words import Kind, Role


@dataclass(frozen=True, slots=True)
class ResourceRecord:
    """One file of an asset as its source describes it."""

    role: Role
    filename: str
    size: int
    checksum: str | None = None
    """The source's own checksum, verbatim (Apple: base64 of 21 bytes); None when it has none."""
    url: str | None = None
    """Where to fetch the bytes: a download address (iCloud) or an absolute path (folder)."""
    url_expires: int | None = None


@dataclass(frozen=True, slots=True)
class Details:
    """What people know a photo by, as its source says it; None or empty where it says nothing."""

    title: str | None = None
    description: str | None = None
    keywords: tuple[str, ...] = ()
    latitude: float | None = None
    """Degrees, north and east positive; always together with ``longitude``."""
    longitude: float | None = None
    altitude: float | None = None
    """Metres above sea level."""
    tz_offset: int | None = None
    """Seconds east of UTC where and when it was captured."""
    tz_name: str | None = None
    subtype: str | None = None
    """``panorama``, ``screenshot``, ``slow_motion``, …; None for plain ones and unknown codes."""
    burst_id: str | None = None
    """Shared by all photos of one burst."""
    live: bool = False
    adjustment: str | None = None
    """What kind of edit it has, e.g. ``com.apple.photo``."""


@dataclass(frozen=True, slots=True)
class AssetRecord:
    """One asset as its source describes it."""

    key: str
    """Stable identity within the source, e.g. ``PrimarySync/<CPLAsset record name>``."""
    library: str
    kind: Kind
    filename: str
    captured: int | None
    added: int | None
    modified: int | None
    resources: tuple[ResourceRecord, ...]
    master_key: str | None = None
    asset_tag: str | None = None
    master_tag: str | None = None
    favorite: bool = False
    hidden: bool = False
    trashed: bool = False
    incomplete: str | None = None
    """Why the asset can't be freed as described (e.g. ``edit_not_rendered``); None when whole."""
    details: Details = field(default_factory=Details)
    raw: dict[str, Any] = field(default_factory=dict)
    """The source's records, download addresses removed; becomes the record file."""


@dataclass(frozen=True, slots=True)
class AlbumRecord:
    """One album, or one folder of albums."""

    key: str
    """Like an asset's: ``<library>/<record name>``."""
    library: str
    name: str
    parent_key: str | None = None
    folder: bool = False


@dataclass(frozen=True, slots=True)
class AlbumChanges:
    """What a page says of albums. Applied in the order of the fields."""

    albums: tuple[AlbumRecord, ...] = ()
    all_of: str | None = None
    """A library whose albums are all in ``albums``: others that are known are gone."""
    members: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """(album key, keys of all its assets)."""
    joined: tuple[tuple[str, str], ...] = ()
    """(album key, asset key)."""
    left: tuple[tuple[str, str], ...] = ()
    """(album key, asset key)."""


@dataclass(frozen=True, slots=True)
class ChangePage:
    """One page of a source's listing or change feed; stored in one transaction with its cursor."""

    assets: tuple[AssetRecord, ...] = ()
    gone: tuple[str, ...] = ()
    """Keys of assets and albums that no longer exist at the source."""
    cursor: dict[str, str] = field(default_factory=dict)
    """Cursor values to store with this page; an empty text removes a value."""
    malformed: tuple[tuple[str, str], ...] = ()
    """(record name, reason) of records that could not be read; each costs one asset, no page."""
    masters_alone: tuple[str, ...] = ()
    """Master keys that changed without their assets; the caller looks up the assets it knows."""
    albums: AlbumChanges = field(default_factory=AlbumChanges)
    started_walk: bool = False
    """True on the first page of a full walk."""
    complete_walk: bool = False
    """True on the last page of a full walk: assets not seen during it are gone."""


@dataclass(frozen=True, slots=True)
class FreeResult:
    """The source's answer for one asset of a delete or restore."""

    key: str
    outcome: str
    """``ok``, ``gone``, ``conflict``, ``throttled``, ``denied`` or ``unknown``."""
    detail: str = ""
    retry_after: float | None = None
    purge_at: int | None = None
    """When the source will purge the asset for good and its bytes become free."""
    asset_tag: str | None = None


@dataclass(frozen=True, slots=True)
class LibraryInfo:
    """A library that an account can see."""

    key: str
    """Zone name, e.g. ``PrimarySync``."""
    shared: bool
