"""An object: what is kept of it beside its bytes, and what a request's conditions and ranges mean for it.

Spec: S3 API 2006-03-01; RFC 9110 for conditional and range requests.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from hedgerow.core.request import Request
from hedgerow.services.s3.objects.errors import InvalidRange, NotModified, PreconditionFailed

MAX_KEY: Final = 1024  # bytes
MAX_METADATA: Final = 2048  # bytes, all names and values
MAX_UPLOAD: Final = 5 * 1024**3  # bytes, in one request
HEADERS: Final = ("CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage", "ContentType", "Expires")
OVERRIDES: Final = {f"Response{name}": name for name in HEADERS}
DEFAULT_TYPE: Final = "binary/octet-stream"
_RANGE: Final = re.compile(r"bytes=(\d*)-(\d*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Object:
    """`headers` are of HEADERS; `checksums` have the names of the members that carry them (`ChecksumCRC32`)."""

    account: str
    bucket: str
    key: str
    digest: str  # of the blob: SHA-256, hex
    size: int
    etag: str  # with its quotes
    modified_at: float
    headers: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    checksums: Mapping[str, str] = field(default_factory=dict)

    def described(self, *, overrides: Mapping[str, Any], with_checksums: bool) -> dict[str, Any]:
        """Answer what GetObject and HeadObject tell beside the length."""
        answer: dict[str, Any] = {
            "AcceptRanges": "bytes",
            "LastModified": self.modified_at,
            "ETag": self.etag,
            "ContentType": DEFAULT_TYPE,
            "Metadata": dict(self.metadata),
        }
        answer.update(self.headers)
        answer.update(overrides)
        if with_checksums and self.checksums:
            answer.update(self.checksums)
            answer["ChecksumType"] = "FULL_OBJECT"
        return answer


def read_range(text: str | None, size: int) -> tuple[int, int] | None:
    """Answer first byte and the one behind the last; None for the whole object (also when the header is none we know).

    Raises InvalidRange when it begins behind the end.
    """
    found = _RANGE.fullmatch(text.strip()) if text else None
    if found is None or text is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:
        length = min(int(last), size)
        if length == 0:
            raise InvalidRange(text, size)
        return size - length, size
    if last and int(last) < int(first):
        return None
    if int(first) >= size:
        raise InvalidRange(text, size)
    return int(first), min(int(last) + 1, size) if last else size


def check_read(found: Object, request: Request, prefix: str = "") -> None:
    """Raise PreconditionFailed or NotModified when the conditions of a read (or of a copy's source) do not hold."""
    match, none_match = request.get(f"{prefix}IfMatch"), request.get(f"{prefix}IfNoneMatch")
    unmodified, modified = request.get(f"{prefix}IfUnmodifiedSince"), request.get(f"{prefix}IfModifiedSince")
    at = int(found.modified_at)  # the header has no parts of a second
    if match is not None and not _names(match, found.etag):
        raise PreconditionFailed("If-Match")
    if match is None and unmodified is not None and at > unmodified:
        raise PreconditionFailed("If-Unmodified-Since")
    stale = (none_match is not None and _names(none_match, found.etag)) or (
        none_match is None and modified is not None and at <= modified
    )
    if stale:
        raise PreconditionFailed("If-None-Match") if prefix else NotModified


def check_write(found: Object | None, request: Request) -> None:
    """Raise PreconditionFailed when the conditions of a write do not hold."""
    match, none_match = request.get("IfMatch"), request.get("IfNoneMatch")
    if match is not None and (found is None or not _names(match, found.etag)):
        raise PreconditionFailed("If-Match")
    if none_match is not None and found is not None and _names(none_match, found.etag):
        raise PreconditionFailed("If-None-Match")


def _names(condition: str, etag: str) -> bool:
    plain = etag.strip('"')
    return any(part.strip().removeprefix("W/").strip('"') in ("*", plain) for part in condition.split(","))
