"""What files say of themselves; motion photos and share copies."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add two tables; compress fills them."""
    op.create_table(
        "media_info",
        sa.Column("resource_id", sa.Integer(), sa.ForeignKey("resources.id"), nullable=False),
        sa.Column("sha256", sa.String()),
        sa.Column("probed_at", sa.Integer(), nullable=False),
        sa.Column("error", sa.String()),
        sa.Column("kind", sa.String()),
        sa.Column("container", sa.String()),
        sa.Column("codec", sa.String()),
        sa.Column("width", sa.Integer()),
        sa.Column("height", sa.Integer()),
        sa.Column("orientation", sa.Integer()),
        sa.Column("duration", sa.Float()),
        sa.Column("frame_rate", sa.Float()),
        sa.Column("bits", sa.Integer()),
        sa.Column("hdr", sa.String()),
        sa.Column("subtype", sa.String()),
        sa.Column("captured", sa.Integer()),
        sa.Column("captured_zone", sa.Integer()),
        sa.Column("captured_from", sa.String()),
        sa.Column("latitude", sa.Float()),
        sa.Column("longitude", sa.Float()),
        sa.Column("altitude", sa.Float()),
        sa.Column("make", sa.String()),
        sa.Column("model", sa.String()),
        sa.Column("lens", sa.String()),
        sa.Column("content_id", sa.String()),
        sa.PrimaryKeyConstraint("resource_id"),
    )
    op.create_index(
        "media_info_content",
        "media_info",
        ["content_id"],
        sqlite_where=sa.text("content_id is not null"),
    )
    op.create_table(
        "derivatives",
        sa.Column("asset_id", sa.Integer(), sa.ForeignKey("assets.id"), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String()),
        sa.Column("inputs", sa.String()),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_attempt", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("asset_id", "role"),
    )
