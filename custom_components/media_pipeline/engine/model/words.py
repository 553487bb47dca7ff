"""The words of the pipeline: stages, roles, states."""

from enum import StrEnum


class Stage(StrEnum):
    """The stages of the pipeline, in the order a photo passes them."""

    INGEST = "ingest"
    COMPRESS = "compress"
    SYNC = "sync"
    VERIFY = "verify"
    CLEANUP = "cleanup"


DEFAULT_STAGES = (Stage.INGEST, Stage.COMPRESS, Stage.SYNC, Stage.VERIFY)


class Kind(StrEnum):
    """What an asset is."""

    PHOTO = "photo"
    VIDEO = "video"
    OTHER = "other"


class Role(StrEnum):
    """What a resource is to its asset."""

    ORIGINAL = "original"
    ALTERNATIVE = "alternative"
    LIVE_VIDEO = "live_video"
    EDITED = "edited"
    EDITED_VIDEO = "edited_video"
    SIDECAR = "sidecar"
    RECORD = "record"
    XMP = "xmp"
    COMPRESSED = "compressed"
    MOTION_PHOTO = "motion_photo"
    """A Live Photo's still and film in one file."""
    SHARE = "share"
    """A copy to give away, without a place."""


# What compress makes of an asset.
DERIVED_ROLES = frozenset({Role.COMPRESSED, Role.MOTION_PHOTO, Role.SHARE})
# Files of ours that tell about an asset; the only ones that are ever written anew.
WRITTEN_ROLES = frozenset({Role.RECORD, Role.XMP})
# What must be archived and proven before an asset may be freed. The record (our JSON beside the
# files) must exist too, but Apple knows no checksum for it.
ORIGINAL_ROLES = frozenset(
    {
        Role.ORIGINAL,
        Role.ALTERNATIVE,
        Role.LIVE_VIDEO,
        Role.EDITED,
        Role.EDITED_VIDEO,
        Role.SIDECAR,
    }
)


class ResourceState(StrEnum):
    """Where a resource stands on its way into the archive."""

    PENDING = "pending"
    ARCHIVED = "archived"
    QUARANTINED = "quarantined"


class CompressState(StrEnum):
    """What compress made of an original."""

    PENDING = "pending"
    DONE = "done"
    LEFT_ALONE = "left_alone"
    QUARANTINED = "quarantined"


class CopyState(StrEnum):
    """Where a copy stands. Only ``VERIFIED`` counts for anything."""

    PENDING = "pending"
    HANDING = "handing"
    """A hand-off began and nobody knows yet how it ended: it is not begun a second time."""
    SENT = "sent"
    VERIFIED = "verified"
    DELIVERED = "delivered"
    """Handed over: never proven, never sent again."""
    DROPPED = "dropped"
    """Deleted by the target's rules: not sent again before it belongs there again."""
    QUARANTINED = "quarantined"


class SourceState(StrEnum):
    """Where an asset stands at its source."""

    PRESENT = "present"
    TRASHED = "trashed"
    GONE = "gone"


class Content(StrEnum):
    """What a target receives."""

    ORIGINALS = "originals"
    COMPRESSED = "compressed"
    BOTH = "both"
    MOTION_PHOTOS = "motion_photos"
    """For a phone: Live Photos as one file, all else as original, nothing that is no picture."""
    SHARE = "share"
    """Only copies without a place."""


class RunStatus(StrEnum):
    """What the engine is doing, for the status sensor."""

    IDLE = "idle"
    STARTING = "starting"
    INGEST = "ingest"
    COMPRESS = "compress"
    SYNC = "sync"
    VERIFY = "verify"
    CLEANUP = "cleanup"
    PAUSED = "paused"
    STOPPING = "stopping"


OUT_OF_TIME = "out_of_time"
"""Among a run's counts: 1 when its time was used up before its work was done."""


class RunOutcome(StrEnum):
    """How a run ended."""

    COMPLETED = "completed"
    COMPLETED_WITH_PROBLEMS = "completed_with_problems"
    CANCELLED = "cancelled"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class PlanState(StrEnum):
    """The life of a cleanup plan."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    EXECUTING = "executing"
    EXECUTED = "executed"
    STOPPED = "stopped"
    UNDONE = "undone"


class PlanItemState(StrEnum):
    """What became of one asset of a plan."""

    PROPOSED = "proposed"
    REFUSED = "refused"
    FREED = "freed"
    FAILED = "failed"
    UNKNOWN = "unknown"
    UNDONE = "undone"


class ProofMethod(StrEnum):
    """How the bytes of a copy were proven."""

    REMOTE_HASH = "remote_hash"
    READ_BACK = "read_back"
