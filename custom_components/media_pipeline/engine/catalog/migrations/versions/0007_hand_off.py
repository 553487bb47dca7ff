"""Targets that things are handed over to: what they hold counts for nothing."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Every target so far counts; nothing was handed over."""
    op.add_column(
        "targets", sa.Column("counts", sa.Boolean(), nullable=False, server_default=sa.text("1"))
    )
    op.add_column("resources", sa.Column("sha1", sa.String()))
    for column in (
        sa.Column("mtime", sa.Integer()),
        sa.Column("scanned_at", sa.Integer()),
        sa.Column("seen_at", sa.Integer()),
        sa.Column("seen_days", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("left_at", sa.Integer()),
        sa.Column("left_how", sa.String()),
    ):
        op.add_column("copies", column)
    op.create_index(
        "copies_delivered",
        "copies",
        ["target_id", "sha256"],
        sqlite_where=sa.text("state = 'delivered'"),
    )
