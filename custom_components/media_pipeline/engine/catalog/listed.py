"""Which of the photos that were handed over to Google Photos were seen in its list."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, and_, bindparam, exists, select, update

from ..clock import now_ms
from ..model import CopyState
from .schema import copies, targets
from .store import get_values, set_values

KIND: Final = "google_photos"
_LOOKED: Final = "listed_at/"


def was_listed() -> Any:
    """A condition on copies: Google Photos showed a photo of this name, and none is missing."""
    there = exists().where(targets.c.id == copies.c.target_id, targets.c.kind == KIND)
    return and_(copies.c.seen_at.is_not(None), there)


def wants_look(connection: Connection, target_id: str, before: int) -> bool:
    """Whether something was never seen there, and nobody looked since ``before``."""
    looked = get_values(connection, _LOOKED).get(target_id)
    if looked is not None and int(looked) >= before:
        return False
    query = select(exists().where(*_delivered(target_id), copies.c.seen_at.is_(None)))
    return bool(connection.execute(query).scalar_one())


def seen(connection: Connection, target_id: str, names: Mapping[str, int]) -> int:
    """Note what is listed; how many copies were seen for the first time.

    Names are all there is to go by. Where several of ours have one, all must be there: nobody can
    tell which one is missing.
    """
    ours: Counter[str] = Counter()
    unseen: defaultdict[str, list[int]] = defaultdict(list)
    query = select(copies.c.id, copies.c.path, copies.c.seen_at).where(*_delivered(target_id))
    for row in connection.execute(query):
        name = (row.path or "").rpartition("/")[2]
        ours[name] += 1
        if row.seen_at is None:
            unseen[name].append(row.id)
    now = now_ms()
    new = [one for name, ids in unseen.items() if names.get(name, 0) >= ours[name] for one in ids]
    if new:
        connection.execute(
            update(copies).where(copies.c.id == bindparam("_id")).values(seen_at=now, seen_days=1),
            [{"_id": one} for one in new],
        )
    set_values(connection, _LOOKED, {target_id: str(now)})
    return len(new)


def _delivered(target_id: str) -> Any:
    return (copies.c.target_id == target_id, copies.c.state == CopyState.DELIVERED)
