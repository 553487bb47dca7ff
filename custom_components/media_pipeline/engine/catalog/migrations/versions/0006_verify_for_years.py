"""Lists of checksums beside the files, and restore drills."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# ``2024/05`` of ``2024/05/a.jpg``: what is left when everything after the last slash is cut off
_FOLDER = "rtrim(rtrim(path, replace(path, '/', '')), '/')"


def upgrade() -> None:
    """Every folder that holds something proven is to get its list."""
    op.create_table(
        "manifests",
        sa.Column("place", sa.String(), primary_key=True),
        sa.Column("folder", sa.String(), primary_key=True),
        sa.Column("path", sa.String()),
        sa.Column("sha256", sa.String()),
        sa.Column("version", sa.Integer(), nullable=False, server_default=sa.text("1")),
        sa.Column("written", sa.Integer(), nullable=False, server_default=sa.text("0")),
    )
    op.create_index(
        "manifests_changed",
        "manifests",
        ["place", "folder"],
        sqlite_where=sa.text("version <> written"),
    )
    op.create_table(
        "drills",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("target_id", sa.String(), sa.ForeignKey("targets.id"), nullable=False),
        sa.Column("at", sa.Integer(), nullable=False),
        sa.Column("files", sa.Integer(), nullable=False),
        sa.Column("passed", sa.Integer(), nullable=False),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.Column("error", sa.String()),
        sa.Column("actor", sa.String()),
    )
    op.create_index("drills_target", "drills", ["target_id", "at"])
    op.create_index("copies_place", "copies", ["target_id", "path"])
    op.create_index("resources_path", "resources", ["path"])
    op.execute(
        f"insert into manifests (place, folder) select distinct target_id, {_FOLDER} from copies"  # noqa: S608
        " where state = 'verified' and path is not null"
    )
    op.execute(
        f"insert into manifests (place, folder) select distinct 'archive', {_FOLDER}"  # noqa: S608
        " from resources where state = 'archived' and path is not null"
    )
