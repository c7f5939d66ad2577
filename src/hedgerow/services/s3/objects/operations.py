"""Objects, as far as one transaction does it: finding, listing, copying and deleting. Bytes come and go in `flows`."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol
from urllib.parse import quote, unquote

from hedgerow.base.errors import ServiceError
from hedgerow.core.caller import Caller
from hedgerow.core.paging import Pager, scope_of
from hedgerow.core.request import Request
from hedgerow.services.s3.objects.errors import (
    InvalidObjectRequest,
    KeyTooLong,
    MetadataTooLarge,
    NoSuchKey,
    PointlessCopy,
    TooManyKeys,
)
from hedgerow.services.s3.objects.listing import Listing, listing
from hedgerow.services.s3.objects.model import (
    HEADERS,
    MAX_KEY,
    MAX_METADATA,
    OVERRIDES,
    Object,
    check_read,
    check_write,
    read_range,
)
from hedgerow.services.s3.objects.store import ObjectStore
from hedgerow.store import Answer, Tx

PAGE = 1000
MOST_DELETED = 1000


class Buckets(Protocol):
    """Who may use which bucket."""

    def use(self, tx: Tx, name: str, account: str, expected_owner: str | None = None) -> None:
        """Raise NoSuchBucket or AccessDenied unless the account may use the bucket."""
        ...

    def provide(self, tx: Tx, name: str, account: str) -> None:
        """Make an internal bucket unless it is there."""
        ...


class Finished(Protocol):
    """An upload in parts that is there as a whole."""

    @property
    def bucket(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def headers(self) -> Mapping[str, Any]: ...
    @property
    def metadata(self) -> Mapping[str, str]: ...


class ObjectOperations:
    """What is done to objects inside a transaction."""

    def __init__(self, *, buckets: Buckets, pager: Pager) -> None:
        self._buckets = buckets
        self._pager = pager
        self._store = ObjectStore()

    def found(self, tx: Tx, request: Request, caller: Caller) -> Object:
        """Answer the object that a read names, or raise what S3 answers: no bucket, no key, a condition."""
        bucket, key = self._place(tx, request, caller)
        if request.peek("VersionId") == "null":  # what a bucket without versions calls its only one
            request.get("VersionId")
        if request.peek("PartNumber") == 1:
            request.get("PartNumber")
        found = self._store.get(tx, caller.account, bucket, key)
        if found is None:
            raise NoSuchKey(key)
        check_read(found, request)
        return found

    def admit(self, tx: Tx, request: Request, caller: Caller) -> None:
        """Raise when an upload would be refused anyway, before its bytes are stored."""
        bucket, key = self._place(tx, request, caller)
        check_write(self._store.get(tx, caller.account, bucket, key), request)

    def put(self, tx: Tx, new: Object, request: Request, caller: Caller) -> Answer:
        """Write an object whose bytes are stored. The last step of PutObject."""
        self.admit(tx, request, caller)
        self._store.put(tx, replace(new, modified_at=tx.now))
        return Answer()

    def described(self, request: Request) -> tuple[Mapping[str, Any], Mapping[str, str]]:
        """Answer the headers and the metadata in a request, and read what asks for nothing but the default."""
        accept_defaults(request)
        return headers(request), metadata(request)

    def put_upload(self, tx: Tx, caller: Caller, upload: Finished, *, digest: str, size: int, etag: str) -> None:
        """Write the object that an upload in parts has become."""
        new = Object(
            account=caller.account,
            bucket=upload.bucket,
            key=upload.key,
            digest=digest,
            size=size,
            etag=etag,
            modified_at=tx.now,
            headers=upload.headers,
            metadata=upload.metadata,
        )
        self._store.put(tx, new)

    def head_object(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        found = self.found(tx, request, caller)
        part = read_range(request.get("Range"), found.size)
        answer = found.described(overrides=overrides(request), with_checksums=wants_checksums(request) and part is None)
        first, end = part or (0, found.size)
        answer["ContentLength"] = end - first
        if part is not None:
            answer["ContentRange"] = f"bytes {first}-{end - 1}/{found.size}"
        return Answer(answer)

    def delete_object(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        bucket, key = self._place(tx, request, caller)
        if request.get("IfMatch") is not None:
            check_write(self._store.get(tx, caller.account, bucket, key), request)
        self._store.drop(tx, caller.account, bucket, key)
        return Answer()

    def delete_objects(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        bucket: str = request["Bucket"]
        self._buckets.use(tx, bucket, caller.account, request.get("ExpectedBucketOwner"))
        request.get("ChecksumAlgorithm")  # the body's checksum was looked at by the shell
        quiet = bool(request["Delete"].get("Quiet"))
        deleted = []
        entries = request["Delete"]["Objects"]
        if len(entries) > MOST_DELETED:
            raise TooManyKeys(MOST_DELETED)
        for entry in entries:
            self._store.drop(tx, caller.account, bucket, entry["Key"])
            deleted.append({"Key": entry["Key"]})
        return Answer({} if quiet else {"Deleted": deleted})

    def copy_object(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        bucket, key = self._place(tx, request, caller)
        source_bucket, source_key = _source(request["CopySource"])
        self._buckets.use(tx, source_bucket, caller.account, request.get("ExpectedSourceBucketOwner"))
        source = self._store.get(tx, caller.account, source_bucket, source_key)
        if source is None:
            raise NoSuchKey(source_key)
        check_read(source, request, "CopySource")
        accept_defaults(request)
        copy = replace(source, bucket=bucket, key=key, modified_at=tx.now)
        if request.get("MetadataDirective") == "REPLACE":
            copy = replace(copy, headers=headers(request), metadata=metadata(request))
        elif (bucket, key) == (source_bucket, source_key):
            raise PointlessCopy
        check_write(self._store.get(tx, caller.account, bucket, key), request)
        self._store.put(tx, copy)
        return Answer({"CopyObjectResult": {"ETag": copy.etag, "LastModified": copy.modified_at, **copy.checksums}})

    def list_objects_v2(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        start = request.get("StartAfter") or ""
        token = request.get("ContinuationToken")
        scope = scope_of(caller.account, "ListObjectsV2", request)
        try:
            after = self._pager.position(scope, token)
        except ServiceError as error:
            raise InvalidObjectRequest("The continuation token provided is incorrect") from error
        found, answer, text = self._list(tx, request, caller, start if after is None else after)
        owner = {"Owner": {"ID": caller.account}} if request.get("FetchOwner") else {}
        answer["Contents"] = [{**_entry(each, text), **owner} for each in found.objects]
        answer["KeyCount"] = found.count
        if start:
            answer["StartAfter"] = text(start)
        if token is not None:
            answer["ContinuationToken"] = token
        if found.last is not None:
            answer["NextContinuationToken"] = self._pager.token(scope, found.last)
        return Answer(answer)

    def list_objects(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        marker = request.get("Marker") or ""
        found, answer, text = self._list(tx, request, caller, marker)
        answer["Contents"] = [{**_entry(each, text), "Owner": {"ID": caller.account}} for each in found.objects]
        answer["Marker"] = text(marker)
        if found.last is not None:
            answer["NextMarker"] = text(found.last)
        return Answer(answer)

    def _list(
        self, tx: Tx, request: Request, caller: Caller, after: str
    ) -> tuple[Listing, dict[str, Any], Callable[[str], str]]:
        bucket: str = request["Bucket"]
        self._buckets.use(tx, bucket, caller.account, request.get("ExpectedBucketOwner"))
        prefix, delimiter = request.get("Prefix") or "", request.get("Delimiter") or ""
        asked = request.get("MaxKeys")
        limit = PAGE if asked is None else min(int(asked), PAGE)
        if limit < 0:
            raise InvalidObjectRequest("max-keys must not be negative")

        def page(position: str, most: int) -> Any:
            return self._store.list(tx, caller.account, bucket, prefix=prefix, after=position, limit=most)

        found = listing(page, prefix=prefix, delimiter=delimiter, after=after, limit=limit) if limit else Listing()
        text = _encoded if request.get("EncodingType") == "url" else str
        answer: dict[str, Any] = {
            "Name": bucket,
            "Prefix": text(prefix),
            "MaxKeys": limit,
            "IsTruncated": found.last is not None,
            "CommonPrefixes": [{"Prefix": text(group)} for group in found.prefixes],
        }
        if delimiter:
            answer["Delimiter"] = text(delimiter)
        if text is _encoded:
            answer["EncodingType"] = "url"
        return found, answer, text

    def _place(self, tx: Tx, request: Request, caller: Caller) -> tuple[str, str]:
        bucket, key = request["Bucket"], request["Key"]
        self._buckets.use(tx, bucket, caller.account, request.get("ExpectedBucketOwner"))
        if len(key.encode("utf-8", "surrogatepass")) > MAX_KEY:
            raise KeyTooLong
        return bucket, key


def headers(request: Request) -> dict[str, Any]:
    """Answer the headers that are kept with an object."""
    found = {name: request[name] for name in HEADERS if request.get(name) is not None}
    encodings = [part.strip() for part in str(found.get("ContentEncoding", "")).split(",")]
    kept = ",".join(part for part in encodings if part and part != "aws-chunked")  # how it was sent, not what it is
    if kept:
        found["ContentEncoding"] = kept
    else:
        found.pop("ContentEncoding", None)
    return found


def metadata(request: Request) -> dict[str, str]:
    """Answer the user's metadata; raise MetadataTooLarge."""
    found = {name.lower(): value for name, value in (request.take_all("Metadata") or {}).items()}
    if sum(len(name.encode()) + len(value.encode()) for name, value in found.items()) > MAX_METADATA:
        raise MetadataTooLarge
    return found


def overrides(request: Request) -> dict[str, Any]:
    """Answer the headers that a read wants to have instead of the kept ones."""
    return {name: request[given] for given, name in OVERRIDES.items() if request.get(given) is not None}


def wants_checksums(request: Request) -> bool:
    """Tell whether a read wants to be told the checksums."""
    return bool(request.get("ChecksumMode") == "ENABLED")


def accept_defaults(request: Request) -> None:
    """Read what asks for nothing but what is done anyway; the rest stays unread and is refused by name."""
    for name, values in (
        ("ACL", ("private", "bucket-owner-full-control")),
        ("StorageClass", ("STANDARD",)),
        ("BucketKeyEnabled", (False,)),
        ("TaggingDirective", ("COPY",)),
    ):
        if request.peek(name) in values:
            request.get(name)


def _source(text: str) -> tuple[str, str]:
    path, _, query = text.partition("?versionId=")
    try:
        bucket, _, key = unquote(path.removeprefix("/"), errors="strict").partition("/")
    except UnicodeDecodeError:
        raise InvalidObjectRequest("Copy Source must be percent-encoded UTF-8") from None
    if not bucket or not key or query not in ("", "null"):
        raise InvalidObjectRequest("Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
    return bucket, key


def _entry(found: Object, text: Callable[[str], str]) -> dict[str, Any]:
    return {
        "Key": text(found.key),
        "LastModified": found.modified_at,
        "ETag": found.etag,
        "Size": found.size,
        "StorageClass": "STANDARD",
    }


def _encoded(text: str) -> str:
    return quote(text, safe="/")
