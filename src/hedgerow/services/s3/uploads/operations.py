"""Uploads in parts, as far as one transaction does it. Bytes come in `flows`."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from hedgerow.base.ids import Ids
from hedgerow.core.caller import Caller
from hedgerow.core.request import Request
from hedgerow.services.s3.uploads.errors import InvalidPart, NoSuchUpload
from hedgerow.services.s3.uploads.model import KEPT_S, MAX_PARTS, Part, Upload, chosen
from hedgerow.services.s3.uploads.store import UploadStore
from hedgerow.store import Answer, FollowUp, Tx

FORGOTTEN = "s3-upload-forgotten"
PAGE = 1000


class Buckets(Protocol):
    """Who may use which bucket."""

    def use(self, tx: Tx, name: str, account: str, expected_owner: str | None = None) -> None:
        """Raise NoSuchBucket or AccessDenied unless the account may use the bucket."""
        ...


class Objects(Protocol):
    """What an upload becomes."""

    def described(self, request: Request) -> tuple[Mapping[str, Any], Mapping[str, str]]:
        """Answer the headers and the metadata in a request, and read what asks for nothing but the default."""
        ...

    def admit(self, tx: Tx, request: Request, caller: Caller) -> None:
        """Raise when writing the object would be refused."""
        ...

    def put_upload(self, tx: Tx, caller: Caller, upload: Upload, *, digest: str, size: int, etag: str) -> None:
        """Write the object that an upload has become."""
        ...


class UploadOperations:
    """The operations on uploads."""

    def __init__(self, *, ids: Ids, buckets: Buckets, objects: Objects) -> None:
        self._ids = ids
        self._buckets = buckets
        self._objects = objects
        self._store = UploadStore()

    def create_multipart_upload(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        self._objects.admit(tx, request, caller)
        headers, metadata = self._objects.described(request)
        if request.peek("ChecksumAlgorithm") in ("CRC32", "SHA1", "SHA256"):
            request.get("ChecksumAlgorithm")  # announces what comes with the parts, which is compared there
        upload = Upload(
            account=caller.account,
            id=self._ids.hex(64),
            bucket=request["Bucket"],
            key=request["Key"],
            begun_at=tx.now,
            headers=headers,
            metadata=metadata,
        )
        self._store.add(tx, upload)
        tx.follow_up(FORGOTTEN, account=caller.account, key=upload.id, body={}, due_at=tx.now + KEPT_S)
        return Answer({"Bucket": upload.bucket, "Key": upload.key, "UploadId": upload.id})

    def abort_multipart_upload(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        self._end(tx, self.found(tx, request, caller))
        return Answer()

    def list_parts(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        upload = self.found(tx, request, caller)
        after = int(request.get("PartNumberMarker") or 0)
        limit = max(1, min(int(request.get("MaxParts") or PAGE), PAGE))
        parts = self._store.parts(tx, caller.account, upload.id, after=after, limit=limit + 1)
        answer: dict[str, Any] = {
            "Bucket": upload.bucket,
            "Key": upload.key,
            "UploadId": upload.id,
            "PartNumberMarker": after,
            "MaxParts": limit,
            "IsTruncated": len(parts) > limit,
            "StorageClass": "STANDARD",
            "Parts": [
                {"PartNumber": part.number, "LastModified": part.modified_at, "ETag": part.etag, "Size": part.size}
                for part in parts[:limit]
            ],
        }
        if len(parts) > limit:
            answer["NextPartNumberMarker"] = parts[limit - 1].number
        return Answer(answer)

    def found(self, tx: Tx, request: Request, caller: Caller) -> Upload:
        """Answer the upload that a request names, or raise NoSuchUpload."""
        self._buckets.use(tx, request["Bucket"], caller.account, request.get("ExpectedBucketOwner"))
        upload = self._store.get(tx, caller.account, request["UploadId"])
        if upload is None or (upload.bucket, upload.key) != (request["Bucket"], request["Key"]):
            raise NoSuchUpload(request["UploadId"])
        return upload

    def put_part(self, tx: Tx, request: Request, caller: Caller, part: Part) -> Answer:
        """Write a part whose bytes are stored. The last step of UploadPart."""
        self._store.put_part(tx, caller.account, self.found(tx, request, caller).id, part)
        return Answer()

    def chosen(self, tx: Tx, upload: Upload, named: Sequence[tuple[int, str]]) -> list[Part]:
        """Answer the parts that CompleteMultipartUpload names, in order."""
        parts = self._store.parts(tx, upload.account, upload.id, limit=MAX_PARTS)
        if not named:
            raise InvalidPart(0)
        return chosen({part.number: part for part in parts}, named)

    def complete(
        self, tx: Tx, request: Request, caller: Caller, *, parts: Sequence[Part], digest: str, size: int, etag: str
    ) -> Answer:
        """Make the object whose bytes are stored. The last step of CompleteMultipartUpload."""
        upload = self.found(tx, request, caller)
        named = [(part.number, part.etag) for part in parts]
        if [part.digest for part in self.chosen(tx, upload, named)] != [part.digest for part in parts]:
            raise InvalidPart(parts[0].number)  # one was uploaded anew meanwhile
        self._objects.admit(tx, request, caller)
        self._objects.put_upload(tx, caller, upload, digest=digest, size=size, etag=etag)
        self._end(tx, upload)
        return Answer()

    def on_forgotten(self, tx: Tx, row: FollowUp) -> Answer:
        """Forget an upload that nobody has completed."""
        self._store.drop(tx, row.account, row.key)
        return Answer()

    def _end(self, tx: Tx, upload: Upload) -> None:
        self._store.drop(tx, upload.account, upload.id)
        tx.cancel_follow_ups(FORGOTTEN, account=upload.account, key=upload.id)
