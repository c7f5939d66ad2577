"""first tables."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0001"
down_revision: Final = None
branch_labels: Final = None
depends_on: Final = None


def upgrade() -> None:
    op.create_table(
        "metric_bucket",
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("series", sa.String(length=32), nullable=False),
        sa.Column("length_s", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("start", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("samples", sa.Float(), nullable=False),
        sa.Column("total", sa.Float(), nullable=False),
        sa.Column("minimum", sa.Float(), nullable=False),
        sa.Column("maximum", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("account", "series", "length_s", "start", name=op.f("pk_metric_bucket")),
    )
    with op.batch_alter_table("metric_bucket", schema=None) as batch_op:
        batch_op.create_index("ix_metric_bucket_age", ["account", "length_s", "start"], unique=False)

    op.create_table(
        "metric_series",
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("series", sa.String(length=32), nullable=False),
        sa.Column("namespace", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("dimensions", sa.Text(), nullable=False),
        sa.Column("unit", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("account", "series", name=op.f("pk_metric_series")),
    )
    with op.batch_alter_table("metric_series", schema=None) as batch_op:
        batch_op.create_index("ix_metric_series_name", ["account", "namespace", "name"], unique=False)
