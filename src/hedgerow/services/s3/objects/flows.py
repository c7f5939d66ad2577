"""Objects, as far as their bytes come and go.

PutObject: checksums are compared, the bytes are stored, then a row names them. What undoes the storing is nothing: a
blob that no row names is swept (`ObjectStore.digests` tells which are named).
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final, Protocol
from urllib.parse import quote, urlsplit

from hedgerow.base.clock import Clock
from hedgerow.base.errors import NotImplementedYet
from hedgerow.core.caller import Caller
from hedgerow.core.request import Request
from hedgerow.core.wire import HttpRequest
from hedgerow.core.wire.sigv4 import presign
from hedgerow.services.s3.objects.checksums import sent_checksums, verified
from hedgerow.services.s3.objects.errors import EntityTooLarge
from hedgerow.services.s3.objects.model import MAX_UPLOAD, Object, read_range
from hedgerow.services.s3.objects.operations import (
    Buckets,
    ObjectOperations,
    accept_defaults,
    headers,
    metadata,
    overrides,
    wants_checksums,
)
from hedgerow.services.s3.objects.store import ObjectStore
from hedgerow.store import Answer, Run, Tx

IN_MEMORY: Final = 1024 * 1024  # bytes; more is sent in pieces
LINK_S: Final = 600


class Blobs(Protocol):
    """Where bytes are kept."""

    async def put(self, account: str, data: bytes) -> Any:
        """Store data durably; answers something with `digest` (SHA-256, hex) and `size`."""
        ...

    async def read(self, account: str, digest: str, start: int = 0, end: int | None = None) -> bytes:
        """Answer the bytes from `start` up to, not including, `end`."""
        ...

    def stream(self, account: str, digest: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Answer the same bytes in pieces."""
        ...


class Signers(Protocol):
    """Whose key signs a link that Hedgerow gives out on behalf of an account."""

    async def signing_key(self, account: str) -> tuple[str, str]:
        """Answer access key id and secret of the account itself."""
        ...

    def endpoint(self) -> str:
        """Answer the URL at which the account reaches the API."""
        ...


class ObjectFlows:
    """What is done to objects in several steps."""

    def __init__(
        self,
        *,
        run: Run,
        blobs: Blobs,
        operations: ObjectOperations,
        buckets: Buckets,
        signers: Signers,
        clock: Clock,
        region: str,
    ) -> None:
        self._run = run
        self._blobs = blobs
        self._operations = operations
        self._buckets = buckets
        self._signers = signers
        self._clock = clock
        self._region = region
        self._store = ObjectStore()

    async def put_object(self, request: Request, caller: Caller) -> Mapping[str, Any]:
        data: bytes = request.get("Body") or b""
        if len(data) > MAX_UPLOAD:
            raise EntityTooLarge(len(data), MAX_UPLOAD)
        request.get("ContentLength")
        kept, user, checksums = headers(request), metadata(request), sent_checksums(request)
        md5 = request.get("ContentMD5")
        accept_defaults(request)
        await self._run.read(lambda tx: self._operations.admit(tx, request, caller))
        refuse_unread(request)
        etag = await asyncio.to_thread(verified, data, md5=md5, checksums=checksums)
        blob = await self._blobs.put(caller.account, data)
        new = Object(
            account=caller.account,
            bucket=request["Bucket"],
            key=request["Key"],
            digest=blob.digest,
            size=blob.size,
            etag=etag,
            modified_at=0.0,
            headers=kept,
            metadata=user,
            checksums=checksums,
        )
        await self._run.write(lambda tx: self._operations.put(tx, new, request, caller))
        return {"ETag": etag, **checksums, **({"ChecksumType": "FULL_OBJECT"} if checksums else {})}

    async def get_object(self, request: Request, caller: Caller) -> Mapping[str, Any]:
        asked, changed, checksums = request.get("Range"), overrides(request), wants_checksums(request)
        found = await self._run.read(lambda tx: self._operations.found(tx, request, caller))
        refuse_unread(request)
        part = read_range(asked, found.size)
        first, end = part or (0, found.size)
        answer = found.described(overrides=changed, with_checksums=checksums and part is None)
        answer["ContentLength"] = end - first
        if part is not None:
            answer["ContentRange"] = f"bytes {first}-{end - 1}/{found.size}"
        if end - first <= IN_MEMORY:
            answer["Body"] = await self._blobs.read(found.account, found.digest, first, end)
        else:
            answer["Body"] = self._blobs.stream(found.account, found.digest, first, end)
        return answer

    async def read(self, account: str, bucket: str, key: str) -> bytes | None:
        """Answer an object's bytes to a part of Hedgerow that acts for the account; None when there is none.

        Raises NoSuchBucket, and AccessDenied for another account's bucket.
        """

        def find(tx: Tx) -> Object | None:
            self._buckets.use(tx, bucket, account)
            return self._store.get(tx, account, bucket, key)

        found = await self._run.read(find)
        return None if found is None else await self._blobs.read(account, found.digest)

    async def link(self, account: str, bucket: str, key: str, *, expires_s: int = LINK_S) -> str:
        """Answer a URL with which anybody may GET the object for a while."""
        access_key_id, secret = await self._signers.signing_key(account)
        base = urlsplit(self._signers.endpoint())
        path = quote(f"/{bucket}/{key}", safe="/~")
        query = presign(
            HttpRequest(method="GET", path=path, query="", headers={"host": base.netloc}),
            access_key_id=access_key_id,
            secret=secret,
            region=self._region,
            service="s3",
            now=self._clock.now(),
            expires_s=expires_s,
        )
        return f"{base.scheme}://{base.netloc}{path}?{query}"

    async def link_to_blob(self, account: str, digest: str, size: int, name: str, *, expires_s: int = LINK_S) -> str:
        """Answer a URL to a blob that another subject keeps (a function's package), under a name of its own."""
        bucket = f"hedgerow-{self._region}-{account}"
        key = f"{digest}/{name}"
        if await self._run.read(lambda tx: self._store.get(tx, account, bucket, key)) is None:
            new = Object(
                account=account, bucket=bucket, key=key, digest=digest, size=size, etag=f'"{digest}"', modified_at=0.0
            )

            def provide(tx: Tx) -> Answer:
                self._buckets.provide(tx, bucket, account)
                self._store.put(tx, new)
                return Answer()

            await self._run.write(provide)
        return await self.link(account, bucket, key, expires_s=expires_s)


def refuse_unread(request: Request) -> None:
    """Refuse by name what nobody has read, before the first step that changes something."""
    unread = request.unread()
    if unread:
        raise NotImplementedYet(f"{', '.join(unread)} is not honoured yet; nothing was changed. Send it without.")
