"""Motion photos and share copies: what lacks one, and writing down what became of it.

Smaller versions have their state on the resource they are made of (see ``results``); these are made
of all of an asset, so theirs is in a table by asset and role.
"""

from collections.abc import Collection, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, and_, exists, insert, or_, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from ..clock import now_ms
from ..model import CompressState, Kind, ResourceState, Role
from .failures import Failure, next_try
from .schema import assets, derivatives, resources
from .store import write_journal

_BESIDE: Final = resources.alias("resource_beside")
_FILM: Final = resources.alias("film")

SETTLED: Final = (CompressState.LEFT_ALONE, CompressState.QUARANTINED)


def is_live_pair() -> Any:
    """Whether the asset of a row of ``resources`` has a Live Photo's film."""
    return exists().where(
        _BESIDE.c.asset_id == resources.c.asset_id,
        _BESIDE.c.current,
        _BESIDE.c.role == Role.LIVE_VIDEO,
    )


def given_up(role: Role) -> Any:
    """Whether a row's asset will not get this derivative, as far as is known."""
    return exists().where(
        derivatives.c.asset_id == resources.c.asset_id,
        derivatives.c.role == role,
        derivatives.c.state.in_(SETTLED),
    )


def to_derive(
    connection: Connection, role: Role, now: int, limit: int, skip: Collection[int] = ()
) -> Sequence[Row[Any]]:
    """Resources to make a motion photo or share copy of; columns ``inputs`` and ``film_path``."""
    query, inputs = _pairs() if role == Role.MOTION_PHOTO else shown()
    return connection.execute(
        query.outerjoin(
            derivatives,
            and_(derivatives.c.asset_id == resources.c.asset_id, derivatives.c.role == role),
        )
        .where(
            resources.c.current,
            resources.c.state == ResourceState.ARCHIVED,
            resources.c.id.not_in(skip),
            or_(
                derivatives.c.asset_id.is_(None),
                derivatives.c.inputs.is_distinct_from(inputs),
                and_(
                    derivatives.c.state.in_([CompressState.PENDING, CompressState.QUARANTINED]),
                    derivatives.c.next_attempt <= now,
                ),
            ),
        )
        .order_by(assets.c.captured.desc(), resources.c.id)
        .limit(limit)
    ).all()


_COLUMNS: Final = (
    resources,
    assets.c.kind.label("asset_kind"),
    assets.c.folder,
    assets.c.stem,
)


def _pairs() -> tuple[Select[Any], Any]:
    """Stills of Live Photos with their films; inputs are both."""
    inputs = resources.c.sha256 + "+" + _FILM.c.sha256
    query = (
        select(*_COLUMNS, _FILM.c.path.label("film_path"), inputs.label("inputs"))
        .join(assets, assets.c.id == resources.c.asset_id)
        .join(_FILM, _FILM.c.asset_id == resources.c.asset_id)
        .where(
            resources.c.role == Role.ORIGINAL,
            _FILM.c.current,
            _FILM.c.role == Role.LIVE_VIDEO,
            _FILM.c.state == ResourceState.ARCHIVED,
        )
    )
    return query, inputs


def shown() -> tuple[Select[Any], Any]:
    """What the owner sees of each asset: the edit where there is one, else the original."""

    def is_edit(table: Any) -> Any:
        return or_(
            table.c.role == Role.EDITED,
            and_(table.c.role == Role.EDITED_VIDEO, assets.c.kind == Kind.VIDEO),
        )

    has_edit = exists().where(
        _BESIDE.c.asset_id == resources.c.asset_id, _BESIDE.c.current, is_edit(_BESIDE)
    )
    # an edit that is still coming is waited for: the original may show what was cut away
    query = (
        select(*_COLUMNS, resources.c.sha256.label("inputs"))
        .join(assets, assets.c.id == resources.c.asset_id)
        .where(or_(is_edit(resources), and_(resources.c.role == Role.ORIGINAL, ~has_edit)))
    )
    return query, resources.c.sha256


def derived(
    connection: Connection,
    row: Any,
    role: Role,
    *,
    path: str,
    sha256: str,
    size: int,
    container: str,
) -> None:
    """A derivative was made of ``row`` (from ``to_derive``); it takes an older one's place."""
    _retire(connection, row.asset_id, role)
    insert_derived(connection, row, role, path=path, sha256=sha256, size=size, container=container)
    _settle(connection, row, role, CompressState.DONE, None)


def insert_derived(
    connection: Connection,
    source: Any,
    role: Role,
    *,
    path: str,
    sha256: str,
    size: int,
    container: str,
    photo_format: str | None = None,
) -> None:
    """A file that was made of ``source`` (a row of resources) is in the archive, proven.

    ``photo_format`` is only for a smaller photo that is not in the entry's format.
    """
    now = now_ms()
    connection.execute(
        insert(resources).values(
            asset_id=source.asset_id,
            role=role,
            filename=path.rpartition("/")[2],
            size=size,
            version=sha256,
            state=ResourceState.ARCHIVED,
            path=path,
            sha256=sha256,
            container=container,
            archived_at=now,
            proven_at=now,
            derived_from=source.id,
            format=photo_format,
        )
    )


def not_derived(connection: Connection, row: Any, role: Role, reason: str) -> None:
    """There is nothing to make of it, for a reason; an older one no longer fits its asset."""
    _retire(connection, row.asset_id, role)
    _settle(connection, row, role, CompressState.LEFT_ALONE, reason)


def derive_failed(connection: Connection, row: Any, role: Role, failure: Failure) -> bool:
    """Making it failed; returns True when it won't be tried again soon."""
    before = connection.execute(
        select(derivatives.c.attempts).where(
            derivatives.c.asset_id == row.asset_id,
            derivatives.c.role == role,
            derivatives.c.inputs == row.inputs,
        )
    ).scalar()
    attempts = (before or 0) + 1
    quarantined, when = next_try(attempts, failure)
    state = CompressState.QUARANTINED if quarantined else CompressState.PENDING
    _settle(connection, row, role, state, failure.key, 0 if quarantined else attempts, when)
    if quarantined:
        write_journal(
            connection,
            "derive_quarantined",
            subject=f"resource/{row.id}",
            detail={"reason": failure.key},
        )
    return quarantined


def derive_again(connection: Connection, asset_id: int, role: str) -> None:
    """A derivative lost its bytes: forget it, so that it is made anew."""
    connection.execute(
        derivatives.delete().where(derivatives.c.asset_id == asset_id, derivatives.c.role == role)
    )


def _retire(connection: Connection, asset_id: int, role: Role) -> None:
    connection.execute(
        update(resources)
        .where(resources.c.asset_id == asset_id, resources.c.role == role, resources.c.current)
        .values(current=False, path=None)
    )


def _settle(
    connection: Connection,
    row: Any,
    role: Role,
    state: CompressState,
    reason: str | None,
    attempts: int = 0,
    when: int = 0,
) -> None:
    values = {
        "state": state,
        "reason": reason,
        "inputs": row.inputs,
        "attempts": attempts,
        "next_attempt": when,
    }
    connection.execute(
        upsert(derivatives)
        .values(asset_id=row.asset_id, role=role, **values)
        .on_conflict_do_update(index_elements=["asset_id", "role"], set_=values)
    )
