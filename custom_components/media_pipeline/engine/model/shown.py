"""What is shown to people."""

from dataclasses import dataclass, field

from .words import OUT_OF_TIME, Kind, PlanState, Role, RunOutcome, RunStatus, Stage


@dataclass(frozen=True, slots=True)
class Usage:
    """Storage at the source."""

    used: int
    total: int


@dataclass(frozen=True, slots=True)
class StageProgress:
    """How far one stage of the current run is."""

    done: int = 0
    total: int = 0
    bytes_done: int = 0
    bytes_total: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class RunProgress:
    """A running run, as shown to people."""

    run_id: str
    status: RunStatus
    started: int
    stages: dict[Stage, StageProgress] = field(default_factory=dict)
    percent: float = 0.0
    rate: float = 0.0
    """Bytes per second over the last half minute."""
    eta_seconds: float | None = None
    resting: str | None = None
    """Why compressing gives way now: ``hot`` or ``busy``."""


@dataclass(frozen=True, slots=True)
class ShownAsset:
    """An asset and the archived file that shows it: the edit, where there is one."""

    asset_id: int
    filename: str
    kind: Kind
    path: str
    """Below the archive."""
    sha256: str
    container: str | None


@dataclass(frozen=True, slots=True)
class KindEstimate:
    """What compressing the photos or the videos that wait will take and save, roughly."""

    files: int
    bytes: int
    seconds: float
    """Of as many processors as compress uses."""
    saved_bytes: int
    measured: bool
    """From earlier work on this machine; else a guess."""


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A finished run."""

    run_id: str
    started: int
    ended: int
    outcome: RunOutcome
    stages: tuple[Stage, ...]
    counts: dict[str, int] = field(default_factory=dict)
    error: str | None = None
    """Key of the error that failed the run."""

    @property
    def out_of_time(self) -> bool:
        """True when the run ended because its time was used up; the next one goes on."""
        return bool(self.counts.get(OUT_OF_TIME))


@dataclass(frozen=True, slots=True)
class TargetStatus:
    """One target, as shown to people."""

    target_id: str
    name: str
    state: str = "unknown"
    """``ok``, ``unknown``, or the key of the error that keeps it from working."""
    free_bytes: int | None = None
    copies: int = 0
    verified: int = 0
    copies_bytes: int = 0
    missing: int = 0
    """Copies that should be there and are not proven."""
    lost: int = 0
    """Copies that were there once, are missing or damaged, and not yet sent again."""
    last_verified: int | None = None
    last_drill: int | None = None
    """When files were last fetched back for practice."""
    drill_score: float | None = None
    """Share of them that came back as they were sent, 0 to 100."""
    delivered: int = 0
    """Files that were handed over; none of them counts towards freeing."""
    delivered_bytes: int = 0
    resident: int = 0
    """Of those, the files that still lie on the phone."""
    resident_bytes: int = 0
    inferred: int = 0
    """Of those, the files that something speaks for that the phone backed them up. No proof."""


@dataclass(frozen=True, slots=True)
class PlanSummary:
    """A cleanup plan in numbers."""

    plan_id: str
    digest: str
    state: PlanState
    created: int
    assets: int
    bytes: int
    freed_assets: int = 0
    freed_bytes: int = 0
    purge_at: int | None = None
    stop_reason: str | None = None


@dataclass(frozen=True, slots=True)
class PutAside:
    """A file that failed too often to be tried every time."""

    stage: Stage
    """What it failed in: ingest, compress or sync."""
    filename: str
    role: Role
    reason: str
    captured: int | None = None
    target_id: str | None = None
    """Sync only."""
    next_attempt: int | None = None
    """None when it is not tried again by itself (compress)."""


@dataclass(frozen=True, slots=True)
class LibraryStats:
    """Numbers over the whole catalog."""

    items: int = 0
    bytes: int = 0
    archived: int = 0
    archived_bytes: int = 0
    protected: int = 0
    freeable: int = 0
    freeable_bytes: int = 0
    compressed: int = 0
    compressed_bytes: int = 0
    compressed_saved_bytes: int = 0
    pending_purge_bytes: int = 0
    quarantined: int = 0

    @property
    def protected_percent(self) -> float:
        """Share of assets with the required number of verified copies, 0 to 100."""
        return 100.0 * self.protected / self.items if self.items else 0.0


@dataclass(frozen=True, slots=True)
class LibraryCensus:
    """How one library was compared with what its source says."""

    at: int
    """When."""
    ours: int
    """Assets that the catalog knows as shown (not hidden, not deleted)."""
    theirs: int
    """Assets that the source itself counts."""
    explained: int = 0
    """The difference that was left after the latest full look."""
    times: int = 0
    """How often in a row another difference than that was found."""

    @property
    def difference(self) -> int:
        """Assets that the source counts and the catalog lacks; below 0 the other way round."""
        return self.theirs - self.ours


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that Home Assistant shows, at one moment."""

    status: RunStatus = RunStatus.IDLE
    library: LibraryStats = field(default_factory=LibraryStats)
    targets: dict[str, TargetStatus] = field(default_factory=dict)
    run: RunProgress | None = None
    last_run: RunSummary | None = None
    plan: PlanSummary | None = None
    authenticated: bool | None = None
    problems: tuple[str, ...] = ()
    """Keys of the errors that hold something up now."""
    usage: Usage | None = None
    archive_free: int | None = None
    archive_damaged: int = 0
    """Originals of the archive that are missing or damaged and not yet brought back."""
    archive_lost: int = 0
    """Originals that neither the archive nor a target nor the source has."""
    trust_ends: int | None = None
    """When Apple means to ask for a code again."""
    census: dict[str, LibraryCensus] = field(default_factory=dict)
    """Library → how it was compared last."""
    throttled_until: int | None = None
    """Until when Apple wants no request; None when it may be asked."""
