"""Encrypted copies: what lies at the target has a checksum of its own."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """No copy so far is encrypted."""
    op.add_column("copies", sa.Column("stored_sha256", sa.String()))
