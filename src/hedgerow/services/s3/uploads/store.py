"""The rows of uploads and their parts."""

import json
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import BigInteger, Column, Float, Integer, Row, String, Table, Text, bindparam, delete, insert, select

from hedgerow.services.s3.uploads.model import Part, Upload
from hedgerow.store import Tx, metadata

uploads = Table(
    "s3_upload",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("bucket", String(63), nullable=False),
    Column("key", String(1024), nullable=False),
    Column("begun_at", Float, nullable=False),
    Column("headers", Text, nullable=False),
    Column("metadata", Text, nullable=False),
)
parts = Table(
    "s3_part",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("upload", String(64), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("digest", String(64), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("etag", String(80), nullable=False),
    Column("modified_at", Float, nullable=False),
)

_UPLOAD: Final = (uploads.c.account == bindparam("account_")) & (uploads.c.id == bindparam("id_"))
_OF_UPLOAD: Final = (parts.c.account == bindparam("account_")) & (parts.c.upload == bindparam("id_"))
_GET: Final = select(uploads).where(_UPLOAD)
_ADD: Final = insert(uploads)
_DROP: Final = delete(uploads).where(_UPLOAD)
_PARTS: Final = (
    select(parts)
    .where(_OF_UPLOAD, parts.c.number > bindparam("after"))
    .order_by(parts.c.number)
    .limit(bindparam("limit_"))
)
_ADD_PART: Final = insert(parts)
_DROP_PART: Final = delete(parts).where(_OF_UPLOAD, parts.c.number == bindparam("number_"))
_DROP_PARTS: Final = delete(parts).where(_OF_UPLOAD)
_DIGESTS: Final = select(parts.c.digest).where(parts.c.account == bindparam("account_")).distinct()


class UploadStore:
    """Uploads in the database. It holds nothing; one serves every transaction."""

    def get(self, tx: Tx, account: str, upload_id: str) -> Upload | None:
        row = tx.one(_GET, account_=account, id_=upload_id)
        return None if row is None else _upload(row)

    def add(self, tx: Tx, upload: Upload) -> None:
        tx.run(
            _ADD,
            account=upload.account,
            id=upload.id,
            bucket=upload.bucket,
            key=upload.key,
            begun_at=upload.begun_at,
            headers=json.dumps(dict(upload.headers)),
            metadata=json.dumps(dict(upload.metadata)),
        )

    def drop(self, tx: Tx, account: str, upload_id: str) -> None:
        tx.run(_DROP_PARTS, account_=account, id_=upload_id)
        tx.run(_DROP, account_=account, id_=upload_id)

    def put_part(self, tx: Tx, account: str, upload_id: str, part: Part) -> None:
        """Write a part in place of the one with the same number."""
        tx.run(_DROP_PART, account_=account, id_=upload_id, number_=part.number)
        tx.run(
            _ADD_PART,
            account=account,
            upload=upload_id,
            number=part.number,
            digest=part.digest,
            size=part.size,
            etag=part.etag,
            modified_at=part.modified_at,
        )

    def parts(self, tx: Tx, account: str, upload_id: str, *, after: int = 0, limit: int) -> Sequence[Part]:
        """Answer the parts that are there, by number."""
        found = tx.all(_PARTS, account_=account, id_=upload_id, after=after, limit_=limit)
        return [
            Part(number=row.number, digest=row.digest, size=row.size, etag=row.etag, modified_at=row.modified_at)
            for row in found
        ]

    def digests(self, tx: Tx, account: str) -> set[str]:
        """Answer the blobs that the parts of the account's uploads name."""
        return {row[0] for row in tx.all(_DIGESTS, account_=account)}


def _upload(row: Row[Any]) -> Upload:
    return Upload(
        account=row.account,
        id=row.id,
        bucket=row.bucket,
        key=row.key,
        begun_at=row.begun_at,
        headers=json.loads(row.headers),
        metadata=json.loads(row.metadata),
    )
