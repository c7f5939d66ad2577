"""The rows of buckets."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import (
    Column,
    Float,
    Integer,
    Row,
    String,
    Table,
    UniqueConstraint,
    bindparam,
    delete,
    insert,
    select,
)

from hedgerow.services.s3.buckets.model import Bucket
from hedgerow.store import Tx, metadata

buckets = Table(
    "s3_bucket",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("name", String(63), primary_key=True),
    Column("created_at", Float, nullable=False),
    Column("internal", Integer, nullable=False),
    UniqueConstraint("name"),  # the only key without the account: the names are one namespace
)

_BY_NAME: Final = select(buckets).where(buckets.c.name == bindparam("name_"))
_LIST: Final = (
    select(buckets)
    .where(
        buckets.c.account == bindparam("account_"),
        buckets.c.name > bindparam("after"),
        buckets.c.name >= bindparam("prefix"),
        buckets.c.name < bindparam("beyond"),
        buckets.c.internal == 0,
    )
    .order_by(buckets.c.name)
    .limit(bindparam("limit_"))
)
_ADD: Final = insert(buckets)
_DROP: Final = delete(buckets).where(buckets.c.account == bindparam("account_"), buckets.c.name == bindparam("name_"))


class BucketStore:
    """Buckets in the database. It holds nothing; one serves every transaction."""

    def get(self, tx: Tx, name: str) -> Bucket | None:
        """Answer the bucket of this name, whoever owns it."""
        row = tx.one(_BY_NAME, name_=name)
        return None if row is None else _bucket(row)

    def list(self, tx: Tx, account: str, *, after: str, prefix: str, limit: int) -> Sequence[Bucket]:
        """Answer the account's buckets by name."""
        beyond = f"{prefix}\U0010ffff"
        found = tx.all(_LIST, account_=account, after=after, prefix=prefix, beyond=beyond, limit_=limit)
        return [_bucket(row) for row in found]

    def add(self, tx: Tx, bucket: Bucket) -> None:
        tx.run(
            _ADD,
            account=bucket.account,
            name=bucket.name,
            created_at=bucket.created_at,
            internal=int(bucket.internal),
        )

    def drop(self, tx: Tx, account: str, name: str) -> None:
        tx.run(_DROP, account_=account, name_=name)


def _bucket(row: Row[Any]) -> Bucket:
    return Bucket(account=row.account, name=row.name, created_at=row.created_at, internal=bool(row.internal))
