"""Albums, captions, places and time zones; equal bytes found by checksum; adopted trees."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_COLUMNS: tuple[sa.Column[Any], ...] = (
    sa.Column("title", sa.Text()),
    sa.Column("description", sa.Text()),
    sa.Column("keywords", sa.Text()),
    sa.Column("latitude", sa.Float()),
    sa.Column("longitude", sa.Float()),
    sa.Column("altitude", sa.Float()),
    sa.Column("tz_offset", sa.Integer()),
    sa.Column("tz_name", sa.String()),
    sa.Column("subtype", sa.String()),
    sa.Column("burst_id", sa.String()),
    sa.Column("live", sa.Boolean(), server_default=sa.text("0"), nullable=False),
    sa.Column("adjustment", sa.String()),
)


def upgrade() -> None:
    """Add columns and tables; the next listing fills them, because it begins anew."""
    for column in _COLUMNS:
        op.add_column("assets", column.copy())
    op.create_index(
        "assets_burst", "assets", ["burst_id"], sqlite_where=sa.text("burst_id is not null")
    )
    op.create_index("resources_checksum", "resources", ["checksum", "size"])
    op.create_table(
        "albums",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("library", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("parent_key", sa.String(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index(op.f("ix_albums_library"), "albums", ["library"])
    op.create_table(
        "album_assets",
        sa.Column("album_key", sa.String(), nullable=False),
        sa.Column("asset_key", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("album_key", "asset_key"),
    )
    op.create_index("album_assets_asset", "album_assets", ["asset_key"])
    op.create_table(
        "found_files",
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("mtime_ns", sa.Integer(), nullable=False),
        sa.Column("checksum", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("path"),
    )
    # records of earlier listings are not asked for again unless the feed's tokens are forgotten;
    # what is already written beside the files lacks what the listing will bring
    op.execute("delete from settings where key like 'cursor/%'")
    op.execute("update assets set record_saved = 0")
