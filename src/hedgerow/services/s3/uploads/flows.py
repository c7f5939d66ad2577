"""Uploads in parts, as far as their bytes come and are put together.

What undoes a step is nothing: bytes that no row names are swept (`UploadStore.digests`, `ObjectStore.digests`).
"""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from typing import Any, Protocol

from hedgerow.base.errors import NotImplementedYet
from hedgerow.core.caller import Caller
from hedgerow.core.request import Request
from hedgerow.services.s3.uploads.errors import InvalidPartNumber
from hedgerow.services.s3.uploads.model import MAX_PARTS, Part, etag_of
from hedgerow.services.s3.uploads.operations import UploadOperations
from hedgerow.store import Run


class Blobs(Protocol):
    """Where bytes are kept."""

    async def put(self, account: str, data: bytes | AsyncIterable[bytes]) -> Any:
        """Store data durably; answers something with `digest` (SHA-256, hex) and `size`."""
        ...

    def stream(self, account: str, digest: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Answer the bytes in pieces."""
        ...


class Checksums(Protocol):
    """Compares bodies with what was sent about them."""

    def sent(self, request: Request) -> tuple[str | None, dict[str, str]]:
        """Answer Content-MD5 and the checksums of a request."""
        ...

    def verified(self, data: bytes, *, md5: str | None, checksums: Mapping[str, str]) -> str:
        """Answer the ETag; raises BadDigest when the body is another."""
        ...


class UploadFlows:
    """What is done to uploads in several steps."""

    def __init__(self, *, run: Run, blobs: Blobs, operations: UploadOperations, checksums: Checksums) -> None:
        self._run = run
        self._blobs = blobs
        self._operations = operations
        self._checksums = checksums

    async def upload_part(self, request: Request, caller: Caller) -> Mapping[str, Any]:
        number = int(request["PartNumber"])
        if not 1 <= number <= MAX_PARTS:
            raise InvalidPartNumber
        data: bytes = request.get("Body") or b""
        request.get("ContentLength")
        md5, checksums = self._checksums.sent(request)
        await self._run.read(lambda tx: self._operations.found(tx, request, caller))
        _refuse_unread(request)
        etag = await asyncio.to_thread(self._checksums.verified, data, md5=md5, checksums=checksums)
        blob = await self._blobs.put(caller.account, data)

        def part(at: float) -> Part:
            return Part(number=number, digest=blob.digest, size=blob.size, etag=etag, modified_at=at)

        await self._run.write(lambda tx: self._operations.put_part(tx, request, caller, part(tx.now)))
        return {"ETag": etag, **checksums}

    async def complete_multipart_upload(self, request: Request, caller: Caller) -> Mapping[str, Any]:
        named = _named(request)
        upload = await self._run.read(lambda tx: self._operations.found(tx, request, caller))
        parts = await self._run.read(lambda tx: self._operations.chosen(tx, upload, named))
        request.get("IfMatch"), request.get("IfNoneMatch")
        _refuse_unread(request)
        blob = await self._blobs.put(caller.account, self._together(caller.account, parts))
        etag = etag_of(parts)
        await self._run.write(
            lambda tx: self._operations.complete(
                tx, request, caller, parts=parts, digest=blob.digest, size=blob.size, etag=etag
            )
        )
        return {"Bucket": upload.bucket, "Key": upload.key, "ETag": etag, "Location": f"/{upload.bucket}/{upload.key}"}

    async def _together(self, account: str, parts: Sequence[Part]) -> AsyncIterator[bytes]:
        for part in parts:
            async for piece in self._blobs.stream(account, part.digest):
                yield piece


def _named(request: Request) -> list[tuple[int, str]]:
    """Answer the parts that a request names. Their checksums were compared when they came."""
    upload = request.get("MultipartUpload")
    found: list[tuple[int, str]] = []
    for part in (upload.get("Parts") or ()) if upload is not None else ():
        values = part.take_all()
        found.append((int(values.get("PartNumber") or 0), str(values.get("ETag") or "")))
    return found


def _refuse_unread(request: Request) -> None:
    unread = request.unread()
    if unread:
        raise NotImplementedYet(f"{', '.join(unread)} is not honoured yet; nothing was changed. Send it without.")
