"""Smaller photos in the formats that single targets want, beside the entry's own.

The entry's format has its state on the resource it is made of (``results``), and its files name no
``format``; the others have theirs in a table by resource and format, and their files name it. Only
JPEGs are made anything of, so all else reaches every target alike.
"""

from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Connection, Row, and_, exists, null, or_, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from ..config import EngineConfig
from ..media.jobs import PhotoFormat, Reason
from ..model import CompressState, ResourceState, Role
from .derivatives import SETTLED, insert_derived
from .failures import Failure, next_try
from .schema import assets, photo_formats, resources, targets
from .store import get_values, set_values, write_journal

_KEY: Final = "photo_format/"
_ENTRY: Final = "entry"
_JPEG: Final = "jpeg"
_FILMS: Final = ("mov", "mp4")
_DISABLED: Final = "disabled"
# What another format may do better at.
_OF_FORMAT: Final = (
    Reason.COMPRESSED,
    Reason.NOT_SMALLER,
    Reason.QUALITY_BELOW_FLOOR,
    Reason.VERIFY_FAILED,
    Reason.METADATA,
    Reason.UNSUPPORTED,
)


def own_formats(config: EngineConfig) -> dict[str, PhotoFormat]:
    """The formats of targets that want another one than the entry's, by target id."""
    return {
        target.target_id: target.photo_format
        for target in config.targets
        if target.photo_format not in {None, config.compress.photo_format}
    }


def register_formats(connection: Connection, config: EngineConfig) -> None:
    """Make the targets' formats match the configuration.

    When the entry's own changed, all photos are looked at again.
    """
    own = own_formats(config)
    for target in config.targets:
        connection.execute(
            update(targets)
            .where(targets.c.id == target.target_id)
            .values(photo_format=own.get(target.target_id))
        )
    wanted = config.compress.photo_format.value
    before = get_values(connection, _KEY).get(_ENTRY)
    if before is not None and before != wanted:
        connection.execute(
            update(resources)
            .where(
                resources.c.current,
                resources.c.container == _JPEG,
                resources.c.compress.in_([CompressState.DONE, CompressState.LEFT_ALONE]),
                resources.c.compress_reason.in_(_OF_FORMAT),
            )
            .values(compress=CompressState.PENDING, attempts=0, next_attempt=0)
        )
    set_values(connection, _KEY, {_ENTRY: wanted})


@lru_cache(128)
def is_smaller(target_id: str) -> Any:
    """Whether a file is a smaller version as this target wants it."""
    own = _own(target_id)
    return and_(
        resources.c.role == Role.COMPRESSED,
        or_(
            resources.c.format == own,
            and_(resources.c.format.is_(None), or_(own.is_(None), ~_is_photo())),
        ),
    )


@lru_cache(128)
def has_no_smaller(target_id: str) -> Any:
    """Whether an original goes to this target itself, as no smaller version of it will come."""
    own = _own(target_id)
    settled = exists().where(
        photo_formats.c.resource_id == resources.c.id,
        photo_formats.c.format == own,
        photo_formats.c.made_of == resources.c.sha256,
        photo_formats.c.state.in_(SETTLED),
    )
    goes_by_entry = or_(
        own.is_(None),
        resources.c.container.is_distinct_from(_JPEG),
        resources.c.compress_reason == _DISABLED,
    )
    return or_(
        resources.c.compress.is_(None),
        and_(goes_by_entry, resources.c.compress.in_(SETTLED)),
        and_(~goes_by_entry, settled),
    )


def _is_photo() -> Any:
    return resources.c.container.not_in(_FILMS)


def _own(target_id: str) -> Any:
    return select(targets.c.photo_format).where(targets.c.id == target_id).scalar_subquery()


def to_make(
    connection: Connection,
    wanted: PhotoFormat,
    now: int,
    limit: int,
    skip: Collection[int] = (),
) -> Sequence[Row[Any]]:
    """Archived photos that lack a version in this format and that may be tried now."""
    return connection.execute(
        select(resources, assets.c.kind.label("asset_kind"), assets.c.folder, assets.c.stem)
        .join(assets, assets.c.id == resources.c.asset_id)
        .outerjoin(
            photo_formats,
            and_(
                photo_formats.c.resource_id == resources.c.id,
                photo_formats.c.format == wanted,
            ),
        )
        .where(
            resources.c.current,
            resources.c.state == ResourceState.ARCHIVED,
            resources.c.container == _JPEG,
            resources.c.compress.is_not(None),
            resources.c.id.not_in(skip),
            or_(
                photo_formats.c.resource_id.is_(None),
                photo_formats.c.made_of.is_distinct_from(resources.c.sha256),
                and_(
                    photo_formats.c.state.in_([CompressState.PENDING, CompressState.QUARANTINED]),
                    photo_formats.c.next_attempt <= now,
                ),
            ),
        )
        .order_by(assets.c.captured.desc(), resources.c.id)
        .limit(limit)
    ).all()


def made(
    connection: Connection,
    row: Any,
    wanted: PhotoFormat,
    *,
    path: str,
    sha256: str,
    size: int,
    container: str,
) -> None:
    """A version was made of ``row`` (from ``to_make``); it takes an older one's place."""
    retire(connection, row.id, wanted)
    insert_derived(
        connection,
        row,
        Role.COMPRESSED,
        path=path,
        sha256=sha256,
        size=size,
        container=container,
        photo_format=wanted,
    )
    _settle(connection, row, wanted, CompressState.DONE, None)


def left_alone(connection: Connection, row: Any, wanted: PhotoFormat, reason: str) -> None:
    """Nothing is to be made of it, for a reason."""
    retire(connection, row.id, wanted)
    _settle(connection, row, wanted, CompressState.LEFT_ALONE, reason)


def failed(connection: Connection, row: Any, wanted: PhotoFormat, failure: Failure) -> bool:
    """Making it failed; returns True when it won't be tried again soon."""
    before = connection.execute(
        select(photo_formats.c.attempts).where(
            photo_formats.c.resource_id == row.id,
            photo_formats.c.format == wanted,
            photo_formats.c.made_of == row.sha256,
        )
    ).scalar()
    attempts = (before or 0) + 1
    quarantined, when = next_try(attempts, failure)
    state = CompressState.QUARANTINED if quarantined else CompressState.PENDING
    _settle(connection, row, wanted, state, failure.key, 0 if quarantined else attempts, when)
    if quarantined:
        write_journal(
            connection,
            "compress_quarantined",
            subject=f"resource/{row.id}",
            detail={"reason": failure.key, "format": wanted.value},
        )
    return quarantined


def make_again(connection: Connection, resource_id: int, wanted: str) -> None:
    """A version lost its bytes: forget it, so that it is made anew."""
    connection.execute(
        photo_formats.delete().where(
            photo_formats.c.resource_id == resource_id, photo_formats.c.format == wanted
        )
    )


def retire(connection: Connection, resource_id: int, wanted: PhotoFormat | None) -> None:
    """Stop counting and sending an older version; without a format the entry's own."""
    connection.execute(
        update(resources)
        .where(
            resources.c.derived_from == resource_id,
            resources.c.role == Role.COMPRESSED,
            resources.c.format.is_not_distinct_from(null() if wanted is None else wanted),
            resources.c.current,
        )
        .values(current=False, path=None)
    )


def _settle(
    connection: Connection,
    row: Any,
    wanted: PhotoFormat,
    state: CompressState,
    reason: str | None,
    attempts: int = 0,
    when: int = 0,
) -> None:
    values = {
        "state": state,
        "reason": reason,
        "made_of": row.sha256,
        "attempts": attempts,
        "next_attempt": when,
    }
    connection.execute(
        upsert(photo_formats)
        .values(resource_id=row.id, format=wanted, **values)
        .on_conflict_do_update(index_elements=["resource_id", "format"], set_=values)
    )
