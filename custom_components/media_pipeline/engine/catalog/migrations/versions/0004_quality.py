"""How much a smaller version looks like its source."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add one column; what was compressed before was not measured."""
    op.add_column("resources", sa.Column("quality", sa.Float()))
