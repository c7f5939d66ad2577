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
        "follow_up",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=512), nullable=False),
        sa.Column("due_at", sa.Float(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("dead", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("retry_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_follow_up")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("follow_up", schema=None) as batch_op:
        batch_op.create_index("ix_follow_up_due", ["kind", "dead", "due_at", "seq"], unique=False)
        batch_op.create_index("ix_follow_up_key", ["account", "kind", "key", "seq"], unique=False)
        batch_op.create_index("ix_follow_up_retry", ["kind", "retry_at"], unique=False)

    op.create_table(
        "gg_component",
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("recipe", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("account", "name", "version", name=op.f("pk_gg_component")),
    )
    op.create_table(
        "gg_core_device",
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("thing", sa.String(length=128), nullable=False),
        sa.Column("healthy", sa.Integer(), nullable=False),
        sa.Column("runtime", sa.String(length=255), nullable=False),
        sa.Column("reported_at", sa.Float(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("account", "thing", name=op.f("pk_gg_core_device")),
    )
    op.create_table(
        "gg_deployment",
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("target", sa.String(length=160), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("latest", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("client_token", sa.String(length=64), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("account", "id", name=op.f("pk_gg_deployment")),
    )
    with op.batch_alter_table("gg_deployment", schema=None) as batch_op:
        batch_op.create_index("ix_gg_deployment_created", ["account", "created_at", "id"], unique=False)
        batch_op.create_index("ix_gg_deployment_target", ["account", "target", "revision"], unique=True)
        batch_op.create_index("ix_gg_deployment_token", ["account", "client_token"], unique=False)

    op.create_table(
        "gg_deployment_target",
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("target", sa.String(length=160), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("stamp_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account", "target", name=op.f("pk_gg_deployment_target")),
    )
    op.create_table(
        "gg_installed_component",
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("thing", sa.String(length=128), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("account", "thing", "name", name=op.f("pk_gg_installed_component")),
    )
    op.create_table(
        "hedgerow_account",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("first", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hedgerow_account")),
    )
    op.create_table(
        "hedgerow_sign_in",
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("principal", sa.String(length=2048), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("access_key_id", sa.String(length=32), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("account", "digest", name=op.f("pk_hedgerow_sign_in")),
    )
    with op.batch_alter_table("hedgerow_sign_in", schema=None) as batch_op:
        batch_op.create_index("uq_hedgerow_sign_in_digest", ["digest"], unique=True)

    op.create_table(
        "iam_access_key",
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("user", sa.String(length=64), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.String(length=8), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("account", "id", name=op.f("pk_iam_access_key")),
    )
    with op.batch_alter_table("iam_access_key", schema=None) as batch_op:
        batch_op.create_index("ix_iam_access_key_user", ["account", "user"], unique=False)
        batch_op.create_index("uq_iam_access_key_id", ["id"], unique=True)

    op.create_table(
        "iam_attachment",
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("entity", sa.String(length=64), nullable=False),
        sa.Column("policy", sa.String(length=2048), nullable=False),
        sa.PrimaryKeyConstraint("account", "kind", "entity", "policy", name=op.f("pk_iam_attachment")),
    )
    with op.batch_alter_table("iam_attachment", schema=None) as batch_op:
        batch_op.create_index("ix_iam_attachment_policy", ["account", "policy"], unique=False)

    op.create_table(
        "iam_inline_policy",
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("entity", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("account", "kind", "entity", "name", name=op.f("pk_iam_inline_policy")),
    )
    op.create_table(
        "iam_policy",
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("path", sa.String(length=512), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("default_version", sa.Integer(), nullable=False),
        sa.Column("last_version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("account", "name", name=op.f("pk_iam_policy")),
    )
    op.create_table(
        "iam_policy_version",
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("account", "name", "number", name=op.f("pk_iam_policy_version")),
    )
    op.create_table(
        "iam_role",
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("path", sa.String(length=512), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("trust", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("max_session_s", sa.Integer(), nullable=False),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("account", "name", name=op.f("pk_iam_role")),
    )
    op.create_table(
        "iam_user",
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("path", sa.String(length=512), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("account", "name", name=op.f("pk_iam_user")),
    )
    op.create_table(
        "iot_certificate",
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("pem", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("mode", sa.String(length=10), nullable=False),
        sa.Column("ca_id", sa.String(length=64), nullable=True),
        sa.Column("generation", sa.String(length=36), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("not_before", sa.Float(), nullable=False),
        sa.Column("not_after", sa.Float(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("account", "id", name=op.f("pk_iot_certificate")),
    )
    with op.batch_alter_table("iot_certificate", schema=None) as batch_op:
        batch_op.create_index("ix_iot_certificate_created_at", ["account", "created_at", "id"], unique=False)
        batch_op.create_index("ix_iot_certificate_id", ["id", "account"], unique=False)

    op.create_table(
        "iot_job",
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=24), nullable=False),
        sa.Column("selection", sa.String(length=12), nullable=False),
        sa.Column("namespace", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("account", "id", name=op.f("pk_iot_job")),
    )
    with op.batch_alter_table("iot_job", schema=None) as batch_op:
        batch_op.create_index("ix_iot_job_created", ["account", "created_at", "id"], unique=False)

    op.create_table(
        "iot_job_execution",
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("job", sa.String(length=64), nullable=False),
        sa.Column("thing", sa.String(length=128), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("namespace", sa.String(length=64), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("account", "job", "thing", "number", name=op.f("pk_iot_job_execution")),
    )
    with op.batch_alter_table("iot_job_execution", schema=None) as batch_op:
        batch_op.create_index(
            "ix_iot_job_execution_pending", ["account", "thing", "namespace", "rank", "position"], unique=False
        )
        batch_op.create_index("ix_iot_job_execution_status", ["account", "job", "status"], unique=False)

    op.create_table(
        "iot_job_target",
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("kind", sa.String(length=5), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("job", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("account", "kind", "name", "job", name=op.f("pk_iot_job_target")),
    )
    with op.batch_alter_table("iot_job_target", schema=None) as batch_op:
        batch_op.create_index("ix_iot_job_target_job", ["account", "job"], unique=False)

    op.create_table(
        "iot_policy",
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("default_version", sa.Integer(), nullable=False),
        sa.Column("last_version", sa.Integer(), nullable=False),
        sa.Column("generation", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("account", "name", name=op.f("pk_iot_policy")),
    )
    with op.batch_alter_table("iot_policy", schema=None) as batch_op:
        batch_op.create_index("ix_iot_policy_created_at", ["account", "created_at", "name"], unique=False)

    op.create_table(
        "iot_policy_attachment",
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("target", sa.String(length=256), nullable=False),
        sa.Column("policy", sa.String(length=128), nullable=False),
        sa.PrimaryKeyConstraint("account", "target", "policy", name=op.f("pk_iot_policy_attachment")),
    )
    with op.batch_alter_table("iot_policy_attachment", schema=None) as batch_op:
        batch_op.create_index("ix_iot_policy_attachment_policy", ["account", "policy", "target"], unique=False)

    op.create_table(
        "iot_policy_version",
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("policy", sa.String(length=128), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("account", "policy", "number", name=op.f("pk_iot_policy_version")),
    )
    op.create_table(
        "iot_provisioning_template",
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=36), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("enabled", sa.Integer(), nullable=False),
        sa.Column("role_arn", sa.String(length=2048), nullable=False),
        sa.Column("hook_arn", sa.String(length=2048), nullable=True),
        sa.Column("hook_version", sa.String(length=32), nullable=True),
        sa.Column("default_version", sa.Integer(), nullable=False),
        sa.Column("last_version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("account", "name", name=op.f("pk_iot_provisioning_template")),
    )
    op.create_table(
        "iot_provisioning_template_version",
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("template", sa.String(length=36), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("account", "template", "number", name=op.f("pk_iot_provisioning_template_version")),
    )
    op.create_table(
        "iot_role_alias",
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("role_arn", sa.String(length=2048), nullable=False),
        sa.Column("duration_s", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("account", "name", name=op.f("pk_iot_role_alias")),
    )
    with op.batch_alter_table("iot_role_alias", schema=None) as batch_op:
        batch_op.create_index("ix_iot_role_alias_created_at", ["account", "created_at", "name"], unique=False)

    op.create_table(
        "iot_shadow",
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("thing", sa.String(length=128), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("metadata", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False),
        sa.Column("deleted_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("account", "thing", "name", name=op.f("pk_iot_shadow")),
    )
    op.create_table(
        "iot_thing",
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("type", sa.String(length=128), nullable=True),
        sa.Column("attributes", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("account", "name", name=op.f("pk_iot_thing")),
    )
    with op.batch_alter_table("iot_thing", schema=None) as batch_op:
        batch_op.create_index("ix_iot_thing_type", ["account", "type", "name"], unique=False)

    op.create_table(
        "iot_thing_attribute",
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("thing", sa.String(length=128), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("value", sa.String(length=800), nullable=False),
        sa.PrimaryKeyConstraint("account", "thing", "name", name=op.f("pk_iot_thing_attribute")),
    )
    with op.batch_alter_table("iot_thing_attribute", schema=None) as batch_op:
        batch_op.create_index("ix_iot_thing_attribute_value", ["account", "name", "value", "thing"], unique=False)

    op.create_table(
        "iot_thing_group",
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("parent", sa.String(length=128), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("attributes", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("account", "name", name=op.f("pk_iot_thing_group")),
    )
    with op.batch_alter_table("iot_thing_group", schema=None) as batch_op:
        batch_op.create_index("ix_iot_thing_group_parent", ["account", "parent", "name"], unique=False)

    op.create_table(
        "iot_thing_group_line",
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("above", sa.String(length=128), nullable=False),
        sa.Column("below", sa.String(length=128), nullable=False),
        sa.PrimaryKeyConstraint("account", "above", "below", name=op.f("pk_iot_thing_group_line")),
    )
    with op.batch_alter_table("iot_thing_group_line", schema=None) as batch_op:
        batch_op.create_index("ix_iot_thing_group_line_below", ["account", "below", "above"], unique=False)

    op.create_table(
        "iot_thing_group_member",
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("group_name", sa.String(length=128), nullable=False),
        sa.Column("thing", sa.String(length=128), nullable=False),
        sa.Column("root", sa.String(length=128), nullable=False),
        sa.Column("joined_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("account", "group_name", "thing", name=op.f("pk_iot_thing_group_member")),
    )
    with op.batch_alter_table("iot_thing_group_member", schema=None) as batch_op:
        batch_op.create_index("ix_iot_thing_group_member_thing", ["account", "thing", "group_name"], unique=False)

    op.create_table(
        "iot_thing_principal",
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("thing", sa.String(length=128), nullable=False),
        sa.Column("principal", sa.String(length=256), nullable=False),
        sa.Column("attachment", sa.String(length=24), nullable=False),
        sa.PrimaryKeyConstraint("account", "thing", "principal", name=op.f("pk_iot_thing_principal")),
    )
    with op.batch_alter_table("iot_thing_principal", schema=None) as batch_op:
        batch_op.create_index("ix_iot_thing_principal_principal", ["account", "principal", "thing"], unique=False)

    op.create_table(
        "iot_thing_type",
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("searchable", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("deprecated_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("account", "name", name=op.f("pk_iot_thing_type")),
    )
    op.create_table(
        "lambda_alias",
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("function", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("region", sa.String(length=32), nullable=False),
        sa.Column("version", sa.String(length=16), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("weights", sa.Text(), nullable=False),
        sa.Column("revision", sa.String(length=36), nullable=False),
        sa.PrimaryKeyConstraint("account", "function", "name", name=op.f("pk_lambda_alias")),
    )
    op.create_table(
        "lambda_function",
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("region", sa.String(length=32), nullable=False),
        sa.Column("last_version", sa.Integer(), nullable=False),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("account", "name", name=op.f("pk_lambda_function")),
    )
    op.create_table(
        "lambda_permission",
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("function", sa.String(length=64), nullable=False),
        sa.Column("qualifier", sa.String(length=128), nullable=False),
        sa.Column("sid", sa.String(length=100), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("account", "function", "qualifier", "sid", name=op.f("pk_lambda_permission")),
    )
    op.create_table(
        "lambda_version",
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("modified_at", sa.Float(), nullable=False),
        sa.Column("revision", sa.String(length=36), nullable=False),
        sa.PrimaryKeyConstraint("account", "name", "number", name=op.f("pk_lambda_version")),
    )
    op.create_table(
        "log_event",
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("log_group", sa.String(length=512), nullable=False),
        sa.Column("stream", sa.String(length=512), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("timestamp_ms", sa.BigInteger(), nullable=False),
        sa.Column("ingested_ms", sa.BigInteger(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("account", "log_group", "stream", "seq", name=op.f("pk_log_event")),
    )
    with op.batch_alter_table("log_event", schema=None) as batch_op:
        batch_op.create_index("ix_log_event_time", ["account", "log_group", "timestamp_ms"], unique=False)

    op.create_table(
        "log_group",
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=512), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("retention_days", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("account", "name", name=op.f("pk_log_group")),
    )
    op.create_table(
        "log_stream",
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("log_group", sa.String(length=512), nullable=False),
        sa.Column("name", sa.String(length=512), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("first_event_ms", sa.BigInteger(), nullable=True),
        sa.Column("last_event_ms", sa.BigInteger(), nullable=True),
        sa.Column("last_ingestion_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("account", "log_group", "name", name=op.f("pk_log_stream")),
    )
    op.create_table(
        "rule_destination",
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("token", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("account", "id", name=op.f("pk_rule_destination")),
    )
    op.create_table(
        "s3_bucket",
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("internal", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("account", "name", name=op.f("pk_s3_bucket")),
        sa.UniqueConstraint("name", name=op.f("uq_s3_bucket_name")),
    )
    op.create_table(
        "s3_object",
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("bucket", sa.String(length=63), nullable=False),
        sa.Column(
            "key",
            sa.String(length=1024).with_variant(sa.String(length=1024, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("etag", sa.String(length=80), nullable=False),
        sa.Column("modified_at", sa.Float(), nullable=False),
        sa.Column("headers", sa.Text(), nullable=False),
        sa.Column("metadata", sa.Text(), nullable=False),
        sa.Column("checksums", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("account", "bucket", "key", name=op.f("pk_s3_object")),
    )
    op.create_table(
        "s3_part",
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("upload", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("etag", sa.String(length=80), nullable=False),
        sa.Column("modified_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("account", "upload", "number", name=op.f("pk_s3_part")),
    )
    op.create_table(
        "s3_upload",
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("bucket", sa.String(length=63), nullable=False),
        sa.Column("key", sa.String(length=1024), nullable=False),
        sa.Column("begun_at", sa.Float(), nullable=False),
        sa.Column("headers", sa.Text(), nullable=False),
        sa.Column("metadata", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("account", "id", name=op.f("pk_s3_upload")),
    )
    op.create_table(
        "sts_session",
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("principal", sa.String(length=2048), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("identity", sa.String(length=256), nullable=False),
        sa.Column("variables", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("account", "id", name=op.f("pk_sts_session")),
    )
    with op.batch_alter_table("sts_session", schema=None) as batch_op:
        batch_op.create_index("ix_sts_session_principal", ["account", "principal"], unique=False)
        batch_op.create_index("uq_sts_session_id", ["id"], unique=True)

    op.create_table(
        "topic_rule",
        sa.Column("account", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("sql", sa.Text(), nullable=False),
        sa.Column("version", sa.String(length=16), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("actions", sa.Text(), nullable=False),
        sa.Column("error_action", sa.Text(), nullable=True),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("account", "name", name=op.f("pk_topic_rule")),
    )
