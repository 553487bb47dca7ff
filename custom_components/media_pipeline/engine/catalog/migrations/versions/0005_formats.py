"""Smaller photos in more than one format: what each target wants, and what was made of what."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Every target goes by the entry's format, as it did."""
    op.add_column("targets", sa.Column("photo_format", sa.String()))
    op.add_column("resources", sa.Column("format", sa.String()))
    op.create_table(
        "photo_formats",
        sa.Column("resource_id", sa.Integer(), sa.ForeignKey("resources.id"), primary_key=True),
        sa.Column("format", sa.String(), primary_key=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String()),
        sa.Column("made_of", sa.String()),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("next_attempt", sa.Integer(), nullable=False, server_default=sa.text("0")),
    )
