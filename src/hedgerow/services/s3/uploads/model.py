"""An upload in parts: what it will be, and the parts that are there. Spec: S3 multipart upload and its limits."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from hedgerow.services.s3.uploads.errors import InvalidPart, InvalidPartOrder, PartTooSmall

MIN_PART: Final = 5 * 1024 * 1024  # bytes, of every part but the last
MAX_PARTS: Final = 10_000
KEPT_S: Final = 7 * 24 * 3600.0  # an upload that nobody completes is forgotten then


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """An upload that was begun. `headers` and `metadata` are of the object that it will be."""

    account: str
    id: str
    bucket: str
    key: str
    begun_at: float
    headers: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part; `digest` names its blob, `etag` is with its quotes."""

    number: int
    digest: str
    size: int
    etag: str
    modified_at: float


def chosen(known: Mapping[int, Part], named: Sequence[tuple[int, str]]) -> list[Part]:
    """Answer the parts that are named (number, ETag), in order; raise what S3 answers when they do not fit."""
    parts: list[Part] = []
    for number, etag in named:
        if parts and number <= parts[-1].number:
            raise InvalidPartOrder
        part = known.get(number)
        if part is None or etag.strip('"') != part.etag.strip('"'):
            raise InvalidPart(number)
        parts.append(part)
    for part in parts[:-1]:
        if part.size < MIN_PART:
            raise PartTooSmall(part.number, part.size)
    return parts


def etag_of(parts: Sequence[Part]) -> str:
    """Answer the ETag of an object made of parts: no MD5 of its bytes, but of the parts' MD5s."""
    digests = b"".join(bytes.fromhex(part.etag.strip('"')) for part in parts)
    return f'"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(parts)}"'
