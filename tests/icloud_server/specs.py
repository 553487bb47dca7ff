"""What each asset is, worked out from the seed and its index alone."""

import random
import uuid
from dataclasses import dataclass
from enum import StrEnum

HOUR_MS = 3_600_000


class Role(StrEnum):
    """The resources of an asset, by the prefix of their fields."""

    ORIGINAL = "resOriginal"
    ALTERNATIVE = "resOriginalAlt"
    MOTION = "resOriginalVidCompl"
    SIDECAR = "resSidecar"
    EDITED = "resJPEGFull"
    EDITED_VIDEO = "resVidFull"
    MEDIUM = "resJPEGMed"
    THUMB = "resJPEGThumb"


ON_ASSET = (Role.EDITED, Role.EDITED_VIDEO)
DERIVED = (Role.MEDIUM, Role.THUMB)


class Kind(StrEnum):
    """Sorts of assets."""

    HEIC = "heic"
    JPEG = "jpeg"
    PNG = "png"
    LIVE = "live"
    LIVE_JPEG = "live_jpeg"
    VIDEO = "video"
    RAW = "raw"
    EDITED = "edited"
    EDITED_VIDEO = "edited_video"
    SIDECAR = "sidecar"
    SLOW_MOTION = "slow_motion"
    EDITED_LIVE = "edited_live"
    BURST = "burst"


_ORDER = """
    heic jpeg live video png jpeg raw edited heic edited_video
    jpeg live_jpeg video sidecar heic jpeg video heic live jpeg
"""
CYCLE = tuple(Kind(name) for name in _ORDER.split())
"""The everyday kinds are all among the first 14 assets; the pattern repeats every 20."""

FORMATS: dict[Kind, dict[Role, str]] = {
    Kind.HEIC: {Role.ORIGINAL: "heic"},
    Kind.JPEG: {Role.ORIGINAL: "jpeg"},
    Kind.PNG: {Role.ORIGINAL: "png"},
    Kind.LIVE: {Role.ORIGINAL: "heic", Role.MOTION: "mov"},
    Kind.LIVE_JPEG: {Role.ORIGINAL: "jpeg", Role.MOTION: "mov"},
    Kind.VIDEO: {Role.ORIGINAL: "mov"},
    Kind.RAW: {Role.ORIGINAL: "jpeg", Role.ALTERNATIVE: "dng"},
    Kind.EDITED: {Role.ORIGINAL: "heic", Role.EDITED: "jpeg"},
    Kind.EDITED_VIDEO: {Role.ORIGINAL: "mov", Role.EDITED_VIDEO: "mov"},
    Kind.SIDECAR: {Role.ORIGINAL: "jpeg", Role.SIDECAR: "aae", Role.EDITED: "jpeg"},
    Kind.SLOW_MOTION: {Role.ORIGINAL: "mov"},
    Kind.EDITED_LIVE: {
        Role.ORIGINAL: "heic",
        Role.MOTION: "mov",
        Role.EDITED: "jpeg",
        Role.EDITED_VIDEO: "mov",
    },
    Kind.BURST: {Role.ORIGINAL: "jpeg"},
}
TYPES = {
    "heic": "public.heic",
    "jpeg": "public.jpeg",
    "png": "public.png",
    "mov": "com.apple.quicktime-movie",
    "dng": "com.adobe.raw-image",
    "aae": "com.apple.photos.apple-adjustment-envelope",
}
ENDINGS = {"heic": "HEIC", "jpeg": "JPG", "png": "PNG", "mov": "MOV"}


@dataclass(frozen=True, slots=True)
class Spec:
    """One asset as it was taken; what happens to it later is kept elsewhere."""

    zone: str
    index: int
    kind: Kind
    date_ms: int
    added_ms: int
    filename: str
    real: bool
    size: int = 0
    master_index: int = -1
    origin: Spec | None = None
    """Whose bytes it has, when it was moved here from another library."""
    burst: str = ""
    """What all photos of one burst share."""
    pick: bool = True
    """False for those of a burst that the library does not show."""

    @property
    def owner(self) -> int:
        """The index whose master record this asset refers to."""
        return self.index if self.master_index < 0 else self.master_index

    def roles(self, *, edited: bool) -> tuple[Role, ...]:
        """All resources that count, without derived previews."""
        roles = dict(FORMATS[self.kind])
        if edited and not any(role in roles for role in ON_ASSET):
            roles[Role.EDITED_VIDEO if self.is_video else Role.EDITED] = ""
        return tuple(roles)

    def format(self, role: Role) -> str:
        """The file format of a resource."""
        fallback = "mov" if role is Role.EDITED_VIDEO else "jpeg"
        return FORMATS[self.kind].get(role, fallback)

    @property
    def is_video(self) -> bool:
        """Whether the original is a film."""
        return FORMATS[self.kind][Role.ORIGINAL] == "mov"

    @property
    def location(self) -> tuple[float, float] | None:
        """Latitude and longitude; every fourth asset has none."""
        if self.index % 4 == 3:
            return None
        return (
            round(30 + self.index * 7919 % 25_0000 / 1e4, 4),
            round(-120 + self.index * 104_729 % 240_0000 / 1e4, 4),
        )

    @property
    def offset_s(self) -> int:
        """Seconds east of UTC."""
        return (0, 7200, -25200, 20700)[self.index % 4]

    @property
    def identifier(self) -> str:
        """The content identifier that ties the halves of a Live Photo together."""
        return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{self.zone}/{self.index}")).upper()


def date_of(index: int, newest_ms: int) -> int:
    """Index 0 is the newest; 5 h apart for 10,000, then half an hour; never two alike."""
    hours = index * 5.0 if index < 10_000 else 50_000 + (index - 10_000) * 0.5
    jitter = index * 7919 % 1_500_000
    return newest_ms - int(hours * HOUR_MS) - jitter


def name_of(index: int, kind: Kind) -> str:
    """Camera numbering, which starts over after 9999."""
    if kind is Kind.PNG:
        number = random.Random(index).randrange(1, 10_000)  # screenshots are numbered apart
        return f"IMG_{number:04}.PNG"
    return f"IMG_{9999 - index % 9999:04}.{ENDINGS[FORMATS[kind][Role.ORIGINAL]]}"


def make_spec(
    zone: str, index: int, *, cycle: tuple[Kind, ...], newest_ms: int, real: int, huge: int
) -> Spec:
    """The asset that a fresh library has at this index."""
    kind = Kind.VIDEO if huge and index == 0 else cycle[index % len(cycle)]
    date = date_of(index, newest_ms)
    later = 400 * 24 * HOUR_MS if index % 97 == 96 else HOUR_MS
    return Spec(
        zone,
        index,
        kind,
        date,
        min(date + later, max(newest_ms, date)),
        name_of(index, kind),
        index < real and not (huge and index == 0),
        huge if index == 0 else 0,
        burst=_burst(zone, index // len(cycle)) if kind is Kind.BURST else "",
        pick=kind is not Kind.BURST or index % len(cycle) == cycle.index(Kind.BURST),
    )


def _burst(zone: str, number: int) -> str:
    """All burst photos of one round of the pattern are one burst; the first of them is shown."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{zone}/burst/{number}")).upper()
