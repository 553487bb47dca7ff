"""What the engine is told when it starts. Built by Home Assistant's side from a config entry."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from .media.jobs import PhotoFormat, VideoCodec
from .media.presets import Care
from .model import Content
from .rules import TargetRules


@dataclass(frozen=True, slots=True)
class ICloudSourceConfig:
    """An iCloud Photos library."""

    apple_id: str
    password: str
    china: bool = False
    libraries: tuple[str, ...] = ("PrimarySync",)
    kind: Literal["icloud"] = "icloud"


@dataclass(frozen=True, slots=True)
class FolderSourceConfig:
    """A folder that media is copied from."""

    path: Path
    kind: Literal["folder"] = "folder"


@dataclass(frozen=True, slots=True)
class EncryptionConfig:
    """A target whose files only the owner of a key can read."""

    key: str = field(repr=False)
    """An age identity, ``AGE-SECRET-KEY-1…``."""
    hide_names: bool = False
    """New copies get names that tell nothing; an encrypted list tells which is which."""
    staging: Path | None = None
    """An existing folder for encrypted files on their way; None is the system's for such things."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetConfig:
    """What every kind of target is told; each kind adds its own (see ``targets.registry``)."""

    kind: ClassVar[str]
    """Name of the kind, as it is stored and shown."""
    target_id: str
    name: str
    content: Content = Content.ORIGINALS
    photo_format: PhotoFormat | None = None
    """What smaller photos come as; None is the entry's ``CompressConfig.photo_format``."""
    reserve_bytes: int = 1 << 30
    """Free space at the target that is never used up."""
    off_machine: bool | None = None
    """Whether the bytes lie on another machine; None lets the target find out."""
    parallel: int = 8
    """Files that are sent at the same time."""
    bandwidth: int | None = None
    """Bytes per second that may be sent; None is no limit."""
    rules: TargetRules = field(default_factory=TargetRules)
    encryption: EncryptionConfig | None = None
    gated: bool = False
    """Nothing is sent or proven in a run until ``Engine.set_gate`` opens it."""
    hand_off: bool = False
    """True when what is delivered passes out of our sight: sent once, never proven, and it counts
    nothing towards freeing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderTargetConfig(TargetConfig):
    """A folder on mounted storage."""

    kind: ClassVar[str] = "folder"
    path: Path
    off_machine: bool | None = False
    """True when the user says that the folder lies on another machine (a network mount)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SftpTargetConfig(TargetConfig):
    """A folder on an SSH server."""

    kind: ClassVar[str] = "sftp"
    host: str
    username: str
    path: str
    host_key: str
    """The pinned server key in OpenSSH's one-line format, without comment."""
    port: int = 22
    password: str | None = None
    private_key: str | None = None
    passphrase: str | None = None


type SourceConfig = ICloudSourceConfig | FolderSourceConfig


@dataclass(frozen=True, slots=True)
class SafetyConfig:
    """The user's rules for freeing iCloud space."""

    required_copies: int = 2
    """Verified copies of the original bytes, the archive counts as one; never less than 1."""
    require_off_machine: bool = True
    max_proof_age_days: int = 1
    """A copy proven longer ago than this must be proven again before it counts for freeing."""
    min_age_days: int = 30
    """Age of the youngest of captured, added and modified."""
    protect_favorites: bool = True
    protect_hidden: bool = True
    max_assets_per_plan: int = 500
    canary: int = 5


@dataclass(frozen=True, slots=True)
class CompressConfig:
    """What to make smaller."""

    photos: bool = True
    videos: bool = True
    min_saving: float = 0.10
    """Share of the size that must be saved, 0 to 1."""
    photo_format: PhotoFormat = PhotoFormat.JPEG
    care: Care = Care.BALANCED
    """How much a result must look like its source, and the quality of photos and videos."""
    photo_quality: int = 0
    """JPEG's, 1 to 95; translated for the other formats. 0 is what ``care`` says."""
    photo_megapixels: int = 0
    """Larger photos are scaled down to so many million pixels; 0 keeps their size."""
    video_codec: VideoCodec = VideoCodec.HEVC
    video_megapixels: int = 0
    """Larger pictures of videos are scaled down to so many million pixels; 0 keeps their size."""
    dolby_vision: bool = False
    """Compress videos in Dolby Vision 8.4 too (into MP4)."""
    captions: bool = False
    """Write title, description, keywords and favorite into smaller photos and videos."""
    gentle: bool = True
    """Rest while the machine is hot or busy with other work."""


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """Everything one engine (one config entry) needs."""

    private_dir: Path
    """For the session and the catalog; 0700, not for media."""
    archive: Path
    archive_id: str | None
    """Id in the archive's marker; None until the archive was first taken into use."""
    archive_device: str | None
    source: SourceConfig
    targets: tuple[TargetConfig, ...] = ()
    safety: SafetyConfig = field(default_factory=SafetyConfig)
    compress: CompressConfig = field(default_factory=CompressConfig)
    downloads: int = 16
    """Downloads at the same time."""
    download_limit: int | None = None
    """Bytes per second over all downloads from the source; None is no limit."""
    run_seconds: float | None = None
    """A run ends after this long and the next one goes on; None is no limit."""
    reverify_days: int = 90
    """Every copy is proven again at least this often."""
    scrub_seconds: float | None = None
    """How long a run may prove again what only is old, at each place; None is no limit."""
    archive_reserve_bytes: int = 1 << 30
    preview_bytes: int = 1_000_000_000
    """Previews for the media browser may take this much of the archive's disk."""
    archive_off_machine: bool = False
    """True when the user says that the archive lies on another machine (a network mount)."""
