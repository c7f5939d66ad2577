"""The rows of objects. Keys are ordered by their UTF-8 bytes, as S3 lists them."""

import json
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import BigInteger, Column, Float, Row, String, Table, Text, bindparam, delete, insert, select
from sqlalchemy import update as update_rows

from hedgerow.services.s3.objects.model import Object
from hedgerow.store import Tx, metadata

objects = Table(
    "s3_object",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("bucket", String(63), primary_key=True),
    Column("key", String(1024).with_variant(String(1024, collation="C"), "postgresql"), primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("etag", String(80), nullable=False),
    Column("modified_at", Float, nullable=False),
    Column("headers", Text, nullable=False),
    Column("metadata", Text, nullable=False),
    Column("checksums", Text, nullable=False),
)

_T: Final = objects.c
_BUCKET: Final = (_T.account == bindparam("account_")) & (_T.bucket == bindparam("bucket_"))
_KEY: Final = _BUCKET & (_T.key == bindparam("key_"))
_GET: Final = select(objects).where(_KEY)
_LIST: Final = (
    select(objects)
    .where(_BUCKET, _T.key > bindparam("after"), _T.key >= bindparam("prefix"), _T.key < bindparam("beyond"))
    .order_by(_T.key)
    .limit(bindparam("limit_"))
)
_ANY: Final = select(_T.key).where(_BUCKET).limit(1)
_ADD: Final = insert(objects)
_PUT: Final = (
    update_rows(objects)
    .where(_KEY)
    .values(
        digest=bindparam("digest_"),
        size=bindparam("size_"),
        etag=bindparam("etag_"),
        modified_at=bindparam("modified_at_"),
        headers=bindparam("headers_"),
        metadata=bindparam("metadata_"),
        checksums=bindparam("checksums_"),
    )
)
_DROP: Final = delete(objects).where(_KEY)
_DIGESTS: Final = select(_T.digest).where(_T.account == bindparam("account_")).distinct()

LAST: Final = "\U0010ffff"  # behind every character that a key has


class ObjectStore:
    """Objects in the database. It holds nothing; one serves every transaction."""

    def get(self, tx: Tx, account: str, bucket: str, key: str) -> Object | None:
        row = tx.one(_GET, account_=account, bucket_=bucket, key_=key)
        return None if row is None else _object(row)

    def put(self, tx: Tx, found: Object) -> None:
        """Write an object in place of the one with the same key."""
        values = {
            "digest": found.digest,
            "size": found.size,
            "etag": found.etag,
            "modified_at": found.modified_at,
            "headers": json.dumps(dict(found.headers)),
            "metadata": json.dumps(dict(found.metadata)),
            "checksums": json.dumps(dict(found.checksums)),
        }
        changed = tx.run(
            _PUT,
            account_=found.account,
            bucket_=found.bucket,
            key_=found.key,
            **{f"{name}_": value for name, value in values.items()},
        )
        if not changed:
            tx.run(_ADD, account=found.account, bucket=found.bucket, key=found.key, **values)

    def drop(self, tx: Tx, account: str, bucket: str, key: str) -> None:
        tx.run(_DROP, account_=account, bucket_=bucket, key_=key)

    def list(self, tx: Tx, account: str, bucket: str, *, prefix: str, after: str, limit: int) -> Sequence[Object]:
        """Answer objects whose key begins with the prefix and comes after `after`, in order."""
        found = tx.all(
            _LIST, account_=account, bucket_=bucket, prefix=prefix, after=after, beyond=prefix + LAST, limit_=limit
        )
        return [_object(row) for row in found]

    def is_empty(self, tx: Tx, account: str, bucket: str) -> bool:
        """Tell whether there is no object in the bucket."""
        return tx.one(_ANY, account_=account, bucket_=bucket) is None

    def digests(self, tx: Tx, account: str) -> set[str]:
        """Answer the blobs that the account's objects name."""
        return {row[0] for row in tx.all(_DIGESTS, account_=account)}


def _object(row: Row[Any]) -> Object:
    return Object(
        account=row.account,
        bucket=row.bucket,
        key=row.key,
        digest=row.digest,
        size=row.size,
        etag=row.etag,
        modified_at=row.modified_at,
        headers=json.loads(row.headers),
        metadata=json.loads(row.metadata),
        checksums=json.loads(row.checksums),
    )
