"""Writing down what ingest, compress and the archive's own proof did."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, String, and_, bindparam, case, or_, select, update

from ..clock import now_ms
from ..model import DERIVED_ROLES, WRITTEN_ROLES, CompressState, ResourceState, Role
from .derivatives import derive_again, insert_derived
from .failures import Failure, next_try
from .photo_formats import make_again, retire
from .schema import assets, resources
from .store import write_journal

# Roles that compress looks at; a Live Photo's video must stay as it is to fit its still.
_COMPRESSIBLE: Final = frozenset({Role.ORIGINAL, Role.ALTERNATIVE, Role.EDITED, Role.EDITED_VIDEO})
_LEFT_ALONE: Final = {Role.LIVE_VIDEO: "live_video", Role.SIDECAR: "sidecar"}


@dataclass(frozen=True, slots=True)
class ArchivedFile:
    """A resource whose file is in the archive, proven."""

    resource_id: int
    path: str
    sha256: str
    size: int
    container: str


def archived(connection: Connection, files: Sequence[ArchivedFile]) -> None:
    """Files are in the archive, proven."""
    ids = [file.resource_id for file in files]
    found = connection.execute(
        select(resources.c.id, resources.c.role, resources.c.asset_id).where(
            resources.c.id.in_(ids)
        )
    ).all()
    # the record file lists the files: it is written when all of them are here
    connection.execute(
        update(assets)
        .where(assets.c.id.in_({row.asset_id for row in found}))
        .values(record_saved=False)
    )
    roles = {row.id: Role(row.role) for row in found}
    now = now_ms()
    connection.execute(
        update(resources)
        .where(resources.c.id == bindparam("_id"))
        .values(
            state=ResourceState.ARCHIVED,
            path=bindparam("_path"),
            sha256=bindparam("_sha256"),
            size=bindparam("_size"),
            container=bindparam("_container"),
            archived_at=now,
            proven_at=now,
            attempts=0,
            next_attempt=0,
            error=None,
            # bytes that were here before and came back need no second look
            compress=case(
                (_came_back(), resources.c.compress), else_=bindparam("_compress", type_=String)
            ),
            compress_reason=case(
                (_came_back(), resources.c.compress_reason),
                else_=bindparam("_reason", type_=String),
            ),
        ),
        [
            {
                "_id": file.resource_id,
                "_path": file.path,
                "_sha256": file.sha256,
                "_size": file.size,
                "_container": file.container,
                **_compress_of(roles[file.resource_id]),
            }
            for file in files
        ],
    )


def _came_back() -> Any:
    return and_(
        resources.c.sha256 == bindparam("_sha256"),
        or_(
            resources.c.compress == CompressState.DONE,
            resources.c.compress == CompressState.LEFT_ALONE,
        ),
    )


def _compress_of(role: Role) -> dict[str, str | None]:
    if (reason := _LEFT_ALONE.get(role)) is not None:
        return {"_compress": CompressState.LEFT_ALONE, "_reason": reason}
    compress = CompressState.PENDING if role in _COMPRESSIBLE else None
    return {"_compress": compress, "_reason": None}


def ingest_failed(connection: Connection, resource_id: int, failure: Failure) -> bool:
    """A file could not be archived; returns True when it is quarantined now."""
    attempts = _attempts(connection, resource_id) + failure.counts
    quarantined, when = next_try(attempts, failure)
    connection.execute(
        update(resources)
        .where(resources.c.id == resource_id)
        .values(
            state=ResourceState.QUARANTINED if quarantined else ResourceState.PENDING,
            attempts=attempts,
            next_attempt=when,
            error=failure.key,
        )
    )
    if quarantined:
        write_journal(
            connection,
            "quarantined",
            subject=f"resource/{resource_id}",
            detail={"reason": failure.key},
        )
    return quarantined


def _attempts(connection: Connection, resource_id: int) -> int:
    return int(
        connection.execute(
            select(resources.c.attempts).where(resources.c.id == resource_id)
        ).scalar_one()
    )


def compressed(
    connection: Connection,
    source: Any,
    *,
    path: str,
    sha256: str,
    size: int,
    container: str,
    quality: float | None = None,
) -> None:
    """A smaller version was made of ``source`` (a row of resources); ``quality`` is its SSIM."""
    retire(connection, source.id, None)
    insert_derived(
        connection,
        source,
        Role.COMPRESSED,
        path=path,
        sha256=sha256,
        size=size,
        container=container,
    )
    connection.execute(
        update(resources)
        .where(resources.c.id == source.id)
        .values(
            compress=CompressState.DONE,
            compress_reason="compressed",
            error=None,
            quality=quality,
        )
    )


def left_alone(
    connection: Connection, resource_id: int, reason: str, quality: float | None = None
) -> None:
    """Compress looked and kept nothing, for a reason; ``quality`` is the SSIM of what it made."""
    retire(connection, resource_id, None)  # one in a format that is no longer wanted
    connection.execute(
        update(resources)
        .where(resources.c.id == resource_id)
        .values(compress=CompressState.LEFT_ALONE, compress_reason=reason, quality=quality)
    )


def compress_failed(connection: Connection, resource_id: int, failure: Failure) -> bool:
    """Compress failed on a file; returns True when it won't be tried again soon."""
    attempts = _attempts(connection, resource_id) + 1
    quarantined, when = next_try(attempts, failure)
    if quarantined:
        values = {"compress": CompressState.QUARANTINED, "attempts": 0, "next_attempt": when}
        write_journal(
            connection,
            "compress_quarantined",
            subject=f"resource/{resource_id}",
            detail={"reason": failure.key},
        )
    else:
        values = {"compress": CompressState.PENDING, "attempts": attempts, "next_attempt": when}
    connection.execute(
        update(resources)
        .where(resources.c.id == resource_id)
        .values(compress_reason=failure.key, **values)
    )
    return quarantined


def archive_damaged(connection: Connection, resource_id: int, reason: str) -> None:
    """An archived file no longer has its bytes: fetch or make it again, at a new path."""
    row = connection.execute(
        select(
            resources.c.role,
            resources.c.derived_from,
            resources.c.path,
            resources.c.asset_id,
            resources.c.format,
        ).where(resources.c.id == resource_id)
    ).one()
    write_journal(
        connection, "archive_damaged", subject=f"resource/{resource_id}", detail={"reason": reason}
    )
    if row.role in DERIVED_ROLES:
        connection.execute(
            update(resources)
            .where(resources.c.id == resource_id)
            .values(current=False, path=None, error=reason)
        )
        if row.role != Role.COMPRESSED:
            derive_again(connection, row.asset_id, row.role)
            return
        if row.format is not None:
            make_again(connection, row.derived_from, row.format)
            return
        connection.execute(
            update(resources)
            .where(resources.c.id == row.derived_from)
            .values(compress=CompressState.PENDING, next_attempt=0)
        )
        return
    if row.role in WRITTEN_ROLES:
        connection.execute(
            update(assets)
            .where(
                assets.c.id
                == select(resources.c.asset_id)
                .where(resources.c.id == resource_id)
                .scalar_subquery()
            )
            .values(record_saved=False)
        )
        # its path stays: the new text takes the place of the broken one
        connection.execute(
            update(resources)
            .where(resources.c.id == resource_id)
            .values(state=ResourceState.PENDING, error=reason, proven_at=None)
        )
        return
    connection.execute(
        update(resources)
        .where(resources.c.id == resource_id)
        .values(
            state=ResourceState.PENDING, path=None, next_attempt=0, error=reason, proven_at=None
        )
    )


def archive_proven(connection: Connection, resource_id: int) -> None:
    """An archived file was read again and has its bytes."""
    connection.execute(
        update(resources).where(resources.c.id == resource_id).values(proven_at=now_ms())
    )


def switch_compress(connection: Connection, *, photos: bool, videos: bool) -> None:
    """Look again at what was left alone only because compressing was switched off."""
    kinds = [kind for kind, on in (("photo", photos), ("video", videos)) if on]
    connection.execute(
        update(resources)
        .where(
            resources.c.compress_reason == "disabled",
            resources.c.asset_id.in_(select(assets.c.id).where(assets.c.kind.in_(kinds))),
        )
        .values(compress=CompressState.PENDING, compress_reason=None)
    )
