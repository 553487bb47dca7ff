"""Encrypted copies have a checksum of their own; since when an asset is gone is known."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """No copy so far is encrypted; what is gone is noticed anew."""
    op.add_column("assets", sa.Column("left_at", sa.Integer()))
    op.add_column("copies", sa.Column("stored_sha256", sa.String()))
