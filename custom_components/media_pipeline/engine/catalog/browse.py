"""What people see of a library: its folders by year and month, and one file of each asset.

Hidden assets are left out, and so is what is not archived.
"""

from typing import Any

from sqlalchemy import Connection, Select, func

from ..model import ResourceState, ShownAsset
from .derivatives import shown
from .schema import assets, resources


def _visible(*columns: Any) -> Select[Any]:
    query, _ = shown()
    return query.with_only_columns(*columns).where(
        ~assets.c.hidden,
        resources.c.current,
        resources.c.state == ResourceState.ARCHIVED,
        resources.c.path.is_not(None),
    )


def libraries(connection: Connection) -> list[str]:
    """Libraries with something to see."""
    rows = connection.execute(_visible(assets.c.library).distinct().order_by(assets.c.library))
    return list(rows.scalars())


def folders(connection: Connection, library: str) -> dict[str, int]:
    """Folder of the archive (``2024/05``) → assets in it, the newest first."""
    rows = connection.execute(
        _visible(assets.c.folder, func.count(assets.c.id.distinct()))
        .where(assets.c.library == library)
        .group_by(assets.c.folder)
        .order_by(assets.c.folder.desc())
    )
    return {row[0]: int(row[1]) for row in rows}


_COLUMNS = (
    assets.c.id,
    assets.c.filename,
    assets.c.kind,
    resources.c.path,
    resources.c.sha256,
    resources.c.container,
)


def in_folder(connection: Connection, library: str, folder: str) -> list[ShownAsset]:
    """The assets in a folder, the newest first."""
    rows = connection.execute(
        _visible(*_COLUMNS)
        .where(assets.c.library == library, assets.c.folder == folder)
        .order_by(assets.c.captured.desc(), assets.c.id)
    )
    return [ShownAsset(*row) for row in rows]


def one(connection: Connection, asset_id: int) -> ShownAsset | None:
    """One asset; None when it is unknown, hidden or not archived."""
    row = connection.execute(_visible(*_COLUMNS).where(assets.c.id == asset_id)).first()
    return None if row is None else ShownAsset(*row)
