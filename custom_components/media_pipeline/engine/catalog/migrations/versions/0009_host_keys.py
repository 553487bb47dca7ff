"""The keys that an SSH server announced are remembered."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """So far only the confirmed key is known."""
    op.add_column("targets", sa.Column("host_keys", sa.String()))
