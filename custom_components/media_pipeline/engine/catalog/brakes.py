"""Places that read wrong everywhere: what is remembered of them until they are trusted again."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, and_, func, or_, select, update

from ..errors import ReadsWrong
from ..model import CopyState, ResourceState
from .manifests import ARCHIVE
from .schema import copies, resources, targets
from .scrub import copies_by_id, resources_by_id
from .store import get_values, set_values, write_journal

_PREFIX: Final = "brake/"
_GLANCE: Final = "glance/"
_THERE: Final = (CopyState.SENT, CopyState.VERIFIED)


@dataclass(frozen=True, slots=True)
class Brake:
    """Why a place (a target's id, or ``archive``) is not trusted."""

    at: int
    looked: int
    """Files that were looked at."""
    wrong: int
    """Of those, the files that were damaged or missing."""
    seen: tuple[int, ...] = ()
    """Ids of some of them: copies at a target, files of the archive."""
    accepted: int | None = None
    """When a person said that this is so: everything there is proven anew, and mended."""


def standing(connection: Connection) -> dict[str, Brake]:
    """All of them, by place."""
    found = {}
    for place, value in get_values(connection, _PREFIX).items():
        data = json.loads(value)
        found[place] = Brake(**{**data, "seen": tuple(data["seen"])})
    return found


def pull(connection: Connection, place: str, brake: Brake) -> None:
    """A place is not trusted from now on."""
    set_values(connection, _PREFIX, {place: json.dumps(asdict(brake))})
    write_journal(
        connection,
        "brake_pulled",
        subject=place,
        detail={"wrong": brake.wrong, "looked": brake.looked},
    )
    _set_state(connection, place, ReadsWrong.key)


def accept(connection: Connection, place: str, brake: Brake, actor: str | None) -> None:
    """A person wants what is lost there to be mended; ``brake`` says when."""
    set_values(connection, _PREFIX, {place: json.dumps(asdict(brake))})
    set_values(connection, _GLANCE, {place: ""})  # what is missing is found at once
    write_journal(connection, "brake_accepted", actor=actor, subject=place)
    _set_state(connection, place, "unknown")


def release(connection: Connection, place: str, why: str) -> None:
    """A place is trusted again: ``sample_good`` or ``proven_anew``."""
    set_values(connection, _PREFIX, {place: ""})
    write_journal(connection, "brake_released", subject=place, detail={"why": why})
    _set_state(connection, place, "ok")


def _set_state(connection: Connection, place: str, state: str) -> None:
    connection.execute(update(targets).where(targets.c.id == place).values(state=state))


def sample_of_copies(
    connection: Connection, target_id: str, seen: Sequence[int], limit: int
) -> Sequence[Row[Any]]:
    """Copies to try a target with: those that were wrong, and as many at random."""
    proven = and_(copies.c.target_id == target_id, copies.c.state.in_(_THERE))
    chosen = select(copies.c.id).where(proven).order_by(func.random()).limit(limit)
    ids = [*seen, *connection.execute(chosen).scalars()]
    return copies_by_id(connection, list(dict.fromkeys(ids)), _THERE)


def sample_of_archive(
    connection: Connection, seen: Sequence[int], limit: int
) -> Sequence[Row[Any]]:
    """Like ``sample_of_copies``, for the archive."""
    chosen = select(resources.c.id).where(_lies_there()).order_by(func.random()).limit(limit)
    ids = [*seen, *connection.execute(chosen).scalars()]
    return resources_by_id(connection, list(dict.fromkeys(ids)))


def _lies_there() -> Any:
    return and_(resources.c.state == ResourceState.ARCHIVED, resources.c.path.is_not(None))


def proven_before(connection: Connection, place: str, moment: int) -> int:
    """Files at a place that were not proven since then."""
    if place == ARCHIVE:
        table: Any = resources
        lies = _lies_there()
    else:
        table = copies
        lies = and_(copies.c.target_id == place, copies.c.state == CopyState.VERIFIED)
    old = or_(table.c.proven_at < moment, table.c.proven_at.is_(None))
    return connection.execute(select(func.count()).select_from(table).where(lies, old)).scalar_one()
