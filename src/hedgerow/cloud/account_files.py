"""Objects of accounts, as other services read and write them on the account's behalf.

What Hedgerow writes lies in the account's own internal bucket (`hedgerow-<region>-<account>`), under keys that the
service chooses. A digest names the bytes that were there when it was asked for, whatever becomes of the object.
"""

from dataclasses import dataclass

from hedgerow.services.s3.buckets import BucketOperations
from hedgerow.services.s3.objects import ObjectFlows, ObjectStore
from hedgerow.services.s3.objects.model import Object
from hedgerow.store import Answer, BlobMissing, Blobs, Run, Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Where an object's bytes are."""

    digest: str
    size: int


class AccountFiles:
    """Reads and writes objects. It holds no state of its own."""

    def __init__(self, *, run: Run, blobs: Blobs, buckets: BucketOperations, objects: ObjectFlows, region: str) -> None:
        self._run = run
        self._blobs = blobs
        self._buckets = buckets
        self._objects = objects
        self._region = region
        self._store = ObjectStore()

    async def find(self, account: str, bucket: str, key: str) -> Found | None:
        """Answer where the object's bytes are, or None; raises a ServiceError for a bucket that is not theirs."""

        def look(tx: Tx) -> Object | None:
            self._buckets.use(tx, bucket, account)
            return self._store.get(tx, account, bucket, key)

        found = await self._run.read(look)
        return None if found is None else Found(digest=found.digest, size=found.size)

    async def read(self, account: str, digest: str, begin: int, end: int) -> bytes | None:
        """Answer bytes of a file, None when it is gone."""
        try:
            return await self._blobs.read(account, digest, begin, end)
        except BlobMissing:
            return None

    async def keep(self, account: str, key: str, data: bytes) -> str:
        """Write an object into the internal bucket and answer the bucket; the same key is written over."""
        bucket = f"hedgerow-{self._region}-{account}"
        blob = await self._blobs.put(account, data)

        def write(tx: Tx) -> Answer:
            self._buckets.provide(tx, bucket, account)
            new = Object(
                account=account,
                bucket=bucket,
                key=key,
                digest=blob.digest,
                size=blob.size,
                etag=f'"{blob.digest}"',
                modified_at=tx.now,
            )
            self._store.put(tx, new)
            return Answer()

        await self._run.write(write)
        return bucket

    async def forget(self, account: str, bucket: str, key: str) -> None:
        """Remove an object; nothing when it is gone."""

        def drop(tx: Tx) -> Answer:
            self._store.drop(tx, account, bucket, key)
            return Answer()

        await self._run.write(drop)

    async def link(self, account: str, bucket: str, key: str, *, expires_s: int) -> str:
        """Answer a URL with which anybody may GET the object for a while."""
        return await self._objects.link(account, bucket, key, expires_s=expires_s)
